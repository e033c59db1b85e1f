//! What stands in the file: element types, names, outputs, weights beside it.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use burn_export::{Axis, ExportedModel, OnnxExporter, Opset};
use onnx_model::{DataType, External, Model, SaveOptions};

use crate::support::{Runner, difference, uniform};
use crate::table::Nothing;

fn done(result: Result<ExportedModel, burn_export::ExportError>) -> ExportedModel {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn integer_inputs_are_int64_or_what_is_asked_for() {
    let forward = |_: &Nothing, (ids, table): (Tensor<1, Int>, Tensor<2>)| table.select(0, ids);
    let table = || [Axis::fixed(9), Axis::fixed(2)];
    for (dtype, expected) in [(None, DataType::I64), (Some(DType::I32), DataType::I32)] {
        let exporter = OnnxExporter::new();
        let exporter = match dtype {
            None => exporter.input("ids", [Axis::dynamic("n")]),
            Some(dtype) => exporter.typed_input("ids", dtype, [Axis::dynamic("n")]),
        };
        let model = done(exporter.input("table", table()).output("rows").export(&Nothing::new(), forward));
        let ty = model.model().graph.inputs[0].ty.clone();
        assert_eq!(ty.map(|ty| ty.dtype), Some(expected));
    }
}

#[test]
fn weights_keep_their_element_type() {
    let device = Device::flex();
    for (dtype, expected) in [(DType::F16, DataType::F16), (DType::BF16, DataType::BF16), (DType::F64, DataType::F64)] {
        let scale = Param::from_tensor(Tensor::<1>::ones([3], (&device, dtype)));
        let exporter = OnnxExporter::new().typed_input("x", dtype, [Axis::dynamic("n"), Axis::fixed(3)]).output("y");
        let forward = |module: &Scale, x: Tensor<2>| x * module.scale.val().unsqueeze();
        let model = done(exporter.export(&Scale { scale }, forward));
        let weight = model.model().graph.find_initializer("scale").cloned();
        assert_eq!(weight.map(|weight| weight.dtype), Some(expected));
    }
}

#[derive(Module, Debug)]
struct Scale {
    scale: Param<Tensor<1>>,
}

#[test]
fn any_tensor_may_be_an_output() {
    let device = Device::flex();
    let module = Scale { scale: Param::from_tensor(Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device)) };
    let exporter = OnnxExporter::new().input("x", [Axis::dynamic("n"), Axis::fixed(3)]);
    let exporter =
        ["same", "twice", "again", "weight", "size"].into_iter().fold(exporter, |all, name| all.output(name));
    let model = done(exporter.export(&module, |module: &Scale, x: Tensor<2>| {
        let [n, _] = x.dims();
        let twice = x.clone() * 2.0;
        let size = Tensor::<1, Int>::from_ints([n as i64], &x.device());
        (x, twice.clone(), twice, module.scale.val(), size)
    }));
    let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{error}"));
    let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{error}\n{}", model.model()));
    let x = uniform(3, &[4, 3]);
    let found = runner.run(&[("x", &x)]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(difference(&found[0], &x, 0.0), None);
    assert_eq!(difference(&found[1], &found[2], 0.0), None);
    assert_eq!(found[3].iter::<f32>().collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    assert_eq!(found[4].iter::<i64>().collect::<Vec<_>>(), [4]);
}

#[test]
fn tied_weights_are_stored_once() {
    #[derive(Module, Debug)]
    struct Tied {
        embedding: Param<Tensor<2>>,
        head: Param<Tensor<2>>,
    }
    let device = Device::flex();
    let embedding = Param::from_tensor(Tensor::<2>::from_data(uniform(1, &[7, 4]), &device));
    let tied = Tied { head: embedding.clone(), embedding };
    let exporter = OnnxExporter::new().input("ids", [Axis::dynamic("n"), Axis::dynamic("m")]).output("y");
    let model = done(exporter.export(&tied, |module: &Tied, ids: Tensor<2, Int>| {
        let hidden = burn::tensor::module::embedding(module.embedding.val(), ids);
        hidden * module.head.val().sum_dim(0).unsqueeze()
    }));
    let names: Vec<&str> = model
        .model()
        .graph
        .initializers
        .iter()
        .map(|tensor| tensor.name.as_str())
        .filter(|name| !name.starts_with("constant"))
        .collect();
    assert_eq!(names, ["embedding"]);
}

#[test]
fn weights_go_beside_the_file_on_request() {
    let linear: Linear = LinearConfig::new(64, 32).init(&Device::flex());
    let exporter = OnnxExporter::new().opset(Opset::V13).input("x", [Axis::dynamic("n"), Axis::fixed(64)]).output("y");
    let model = done(exporter.export(&linear, |linear: &Linear, x: Tensor<2>| linear.forward(x)));
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("linear.onnx");
    let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
    model.save_with(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    let size = std::fs::metadata(&path).map(|about| about.len()).unwrap_or_default();
    assert!(size < 64 * 32 * 4, "the model alone has {size} bytes");
    let read = Model::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let weight = |model: &Model| model.graph.find_initializer("weight").and_then(|tensor| tensor.to_vec::<f32>().ok());
    assert_eq!(weight(&read), weight(model.model()));
    // ONNX Runtime finds them too.
    let mut runner = Runner::open(&path).unwrap_or_else(|error| panic!("{error}"));
    let x = uniform(5, &[3, 64]);
    let found = runner.run(&[("x", &x)]).unwrap_or_else(|error| panic!("{error}"));
    let expected = linear.forward(Tensor::<2>::from_data(x, &Device::flex())).into_data();
    assert_eq!(difference(&found[0], &expected, 1e-5), None);
}

#[test]
fn a_mask_may_be_an_input() {
    let exporter = OnnxExporter::new().input("x", [Axis::dynamic("n")]).input("mask", [Axis::dynamic("n")]).output("y");
    let forward = |_: &Nothing, (x, mask): (Tensor<1>, Tensor<1, Bool>)| x.mask_fill(mask, 0.0);
    let model = done(exporter.export(&Nothing::new(), forward));
    let ty = model.model().graph.inputs[1].ty.clone();
    assert_eq!(ty.map(|ty| ty.to_string()).as_deref(), Some("bool[n]"));
}
