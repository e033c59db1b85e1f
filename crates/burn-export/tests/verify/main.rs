//! Files beside the modules that they come from, by the one call that a user makes.

mod integers;
mod without_float64;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burn_export::{Axis, ExportedModel, OnnxExporter, Sizes, VerifyError};

#[derive(Module, Debug)]
struct Classifier {
    conv: Conv2d,
    norm: BatchNorm,
    dropout: Dropout,
    head: Linear,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        device.seed(7);
        Self {
            conv: Conv2dConfig::new([3, 8], [3, 3]).with_stride([2, 2]).init(device),
            norm: BatchNormConfig::new(8).init(device),
            dropout: DropoutConfig::new(0.5).init(),
            head: LinearConfig::new(8, 5).init(device),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let features = relu(self.norm.forward(self.conv.forward(image)));
        let features: Tensor<2> = features.mean_dim(3).mean_dim(2).flatten(1, 3);
        softmax(self.head.forward(self.dropout.forward(features)), 1)
    }
}

fn export(network: &Classifier) -> ExportedModel {
    let side = |name: &str| Axis::dynamic(name).range(3..=64);
    OnnxExporter::new()
        .input("image", [Axis::dynamic("batch"), Axis::fixed(3), side("height"), side("width")])
        .output("probability")
        .export(network, Classifier::forward)
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_file_is_proven_at_chosen_and_at_given_sizes() {
    let network = Classifier::new(&Device::flex());
    let model = export(&network);
    let proof = model.verify(&network, Classifier::forward, Sizes::chosen()).unwrap_or_else(|error| panic!("{error}"));
    let cases = &proof.verification().cases;
    let labels: Vec<&str> = cases.iter().map(|case| case.label.as_str()).collect();
    assert_eq!(labels.first(), Some(&"batch = 1, height = 3, width = 3"));
    assert!(labels.len() >= 6, "{labels:?}");
    assert!(cases.iter().all(|case| case.native_error > 0.0), "float64 is float32: {proof}");
    assert!(proof.to_string().contains("Verified under ONNX Runtime 1."), "{proof}");
    let sizes = Sizes::default().at([("batch", 3), ("width", 17)]).at([("height", 64)]).seed(3);
    let proof = model.verify(&network, Classifier::forward, sizes).unwrap_or_else(|error| panic!("{error}"));
    let labels: Vec<&str> = proof.verification().cases.iter().map(|case| case.label.as_str()).collect();
    assert_eq!(labels, ["batch = 3, height = 3, width = 17", "batch = 1, height = 64, width = 3"]);
}

#[test]
fn what_a_file_gives_otherwise_is_told() {
    let network = Classifier::new(&Device::flex());
    let model = export(&network);
    // The same with one number of one weight changed in its fifth digit.
    let mut other = network.clone();
    other.head.weight = other.head.weight.map(|weight| {
        let place = Tensor::<2>::from_data(TensorData::from([[1e-4f32]]), &weight.device());
        let changed = weight.clone().slice([0..1, 0..1]) + place;
        weight.slice_assign([0..1, 0..1], changed)
    });
    let error = model.verify(&other, Classifier::forward, Sizes::chosen()).map(|proof| proof.to_string());
    let Err(VerifyError::Differs { what, proof }) = error else { panic!("{error:?}") };
    assert!(what.starts_with("the file deviates by ") && what.contains("in `probability`"), "{what}");
    assert!(!proof.verification().passed);
}

/// In training mode dropout would differ from run to run, and the statistics would be those of the batch.
#[test]
fn a_module_that_is_being_trained_is_exported_and_verified_in_inference_form() {
    let network = Classifier::new(&Device::flex().autodiff());
    let model = export(&network);
    model.verify(&network, Classifier::forward, Sizes::chosen()).unwrap_or_else(|error| panic!("{error}"));
}

fn words() -> (Embedding, ExportedModel) {
    let table = EmbeddingConfig::new(100, 4).init(&Device::flex());
    let model = OnnxExporter::new()
        .input("ids", [Axis::dynamic("batch"), Axis::dynamic("length")])
        .output("states")
        .export(&table, |table: &Embedding, ids: Tensor<2, Int>| table.forward(ids).tanh())
        .unwrap_or_else(|error| panic!("{error}"));
    (table, model)
}

#[test]
fn whole_numbers_are_drawn_from_the_range_that_is_asked_for() {
    let (table, model) = words();
    let forward = |table: &Embedding, ids: Tensor<2, Int>| table.forward(ids).tanh();
    model.verify(&table, forward, Sizes::chosen().within("ids", 0..100)).unwrap_or_else(|error| panic!("{error}"));
    // Without a row for a word, Burn panics.
    let error = model.verify(&table, forward, Sizes::chosen().within("ids", 0..10_000)).map(|proof| proof.to_string());
    assert!(matches!(&error, Err(VerifyError::Panicked { .. })), "{error:?}");
}

#[test]
fn illegal_sizes_and_strangers_are_refused() {
    let network = Classifier::new(&Device::flex());
    let model = export(&network);
    for (sizes, text) in [
        (
            Sizes::default().at([("height", 2)]),
            "2 is no legal size of axis \"height\": the file holds for multiples of 1 in 3..=64",
        ),
        (Sizes::default().at([("depth", 2)]), "the model has no dynamic axis \"depth\"; it has batch, height, width"),
        (Sizes::default().within("ids", 0..2), "the model has no input \"ids\""),
        (
            Sizes::default().within("image", 0..2),
            "the input \"image\" is float, and only whole numbers are drawn from a range",
        ),
    ] {
        let error = model.verify(&network, Classifier::forward, sizes).map(|proof| proof.to_string());
        assert_eq!(error.map_err(|error| error.to_string()), Err(text.to_string()));
    }
}

#[test]
fn ranges_that_no_whole_number_is_drawn_from_are_refused() {
    let device = Device::flex();
    let table = EmbeddingConfig::new(100, 4).init(&device);
    let forward = |table: &Embedding, (ids, hidden): (Tensor<2, Int>, Tensor<2, Bool>)| {
        table.forward(ids).mask_fill(hidden.unsqueeze_dim::<3>(2), 0.5)
    };
    let axes = || [Axis::dynamic("batch"), Axis::dynamic("length")];
    for (dtype, range, text) in [
        (Some(DType::I8), 0..129, "the range of input \"ids\" goes up to 128, and int8 ends at 127"),
        (Some(DType::U8), 0..257, "the range of input \"ids\" goes up to 256, and uint8 ends at 255"),
        (
            Some(DType::I32),
            0..u32::MAX,
            "the range of input \"ids\" goes up to 4294967294, and int32 ends at 2147483647",
        ),
        // Without a declared type, Burn has it in its own, which is int32 on the CPU.
        (None, 0..u32::MAX, "the range of input \"ids\" goes up to 4294967294, and int32 ends at 2147483647"),
        (None, 7..7, "the range of input \"ids\", 7..7, is empty"),
    ] {
        let exporter = match dtype {
            Some(dtype) => OnnxExporter::new().typed_input("ids", dtype, axes()),
            None => OnnxExporter::new().input("ids", axes()),
        };
        let model = exporter
            .input("hidden", axes())
            .output("states")
            .export(&table, forward)
            .unwrap_or_else(|error| panic!("{error}"));
        let refused = |sizes: Sizes| {
            let error = model.verify(&table, forward, sizes).map(|proof| proof.to_string());
            assert!(matches!(&error, Err(VerifyError::Size { .. })), "{error:?}");
            error.map_err(|error| error.to_string()).err()
        };
        assert_eq!(refused(Sizes::chosen().within("ids", range)).as_deref(), Some(text));
        let text = "the input \"hidden\" is bool, and only whole numbers are drawn from a range";
        assert_eq!(refused(Sizes::chosen().within("hidden", 0..2)).as_deref(), Some(text));
    }
}

/// A library that lies above the folder in which a program runs is not the repository's own.
#[test]
fn no_library_above_the_working_directory_is_loaded() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let fetched = folder.path().join("datasets/onnxruntime").join(artifact::runtime::platform());
    std::fs::create_dir_all(&fetched).unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(fetched.join("libonnxruntime.so"), "no library").unwrap_or_else(|error| panic!("{error}"));
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let other = std::process::Command::new(program)
        .args(["--exact", "whole_numbers_are_drawn_from_the_range_that_is_asked_for"])
        .current_dir(folder.path())
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&other.stdout);
    assert!(other.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn agreement_on_zeros_proves_nothing() {
    let network = Classifier::new(&Device::flex());
    let forward = |network: &Classifier, image: Tensor<4>| network.forward(image) * 0.0;
    let model = OnnxExporter::new()
        .input("image", [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(9), Axis::fixed(9)])
        .output("nothing")
        .export(&network, forward)
        .unwrap_or_else(|error| panic!("{error}"));
    let error = model.verify(&network, forward, Sizes::chosen()).map(|proof| proof.to_string());
    let text = "agreement would prove nothing: every value of `nothing` is zero in every case";
    assert_eq!(error.map_err(|error| error.to_string()), Err(text.to_string()));
}

#[test]
fn test_data_has_the_layout_of_onnx() {
    let (table, model) = words();
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let forward = |table: &Embedding, ids: Tensor<2, Int>| table.forward(ids).tanh();
    let sizes = Sizes::default().at([("batch", 2), ("length", 5)]).at([("batch", 1)]).within("ids", 0..100);
    let sets = model.save_with_tests(folder.path(), &table, forward, sizes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(sets, ["test_data_set_0", "test_data_set_1"].map(|name| folder.path().join(name)));
    let read = |path: std::path::PathBuf| {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        onnx_model::Tensor::decode(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let model = onnx_model::Model::load(folder.path().join("model.onnx")).unwrap_or_else(|error| panic!("{error}"));
    for (set, dims) in sets.iter().zip([[2u64, 5], [1, 1]]) {
        let (ids, states) = (read(set.join("input_0.pb")), read(set.join("output_0.pb")));
        assert_eq!((ids.name.as_str(), ids.dims.as_slice()), (model.graph.inputs[0].name.as_str(), &dims[..]));
        assert_eq!((states.name.as_str(), states.dims.len()), (model.graph.outputs[0].name.as_str(), 3));
        let ids = TensorData::new(ids.to_i64s().unwrap_or_default(), dims.map(|size| size as usize));
        assert!(ids.iter::<i64>().all(|id| (0..100).contains(&id)));
        let expected = forward(&table, Tensor::from_data(ids, &Device::flex())).into_data();
        let states: Vec<f32> = states.to_vec().unwrap_or_default();
        assert_eq!(states, expected.iter::<f32>().collect::<Vec<f32>>());
    }
}
