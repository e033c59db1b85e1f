//! `export mnist` as a user runs it, with random weights.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::tensor::{Device, Tensor, TensorData};
use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::signature::require;
use engines::tensor::NamedTensor;
use models::mnist_cnn::MnistCnn;
use models::weights::{identity_name, state_dict, to_safetensors};
use networks::network::Network as _;
use onnx_model::Model;
use serde_json::Value;
use tempfile::TempDir;

/// The operators that PyTorch's exporter writes for the same network, and no more.
const NODES: [&str; 10] = ["Conv", "Relu", "Conv", "Relu", "MaxPool", "Flatten", "Gemm", "Relu", "Gemm", "LogSoftmax"];

struct Setting {
    folder: TempDir,
}

impl Setting {
    fn new() -> Self {
        let setting = Self { folder: tempfile::tempdir().unwrap() };
        let weights = to_safetensors(&state_dict(&network(), identity_name)).unwrap();
        std::fs::write(setting.weights(), weights).unwrap();
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn weights(&self) -> PathBuf {
        self.path("model.safetensors")
    }

    fn out(&self) -> PathBuf {
        self.path("models/mnist.onnx")
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_export"));
        process.current_dir(workspace()).arg("mnist");
        for (name, path) in [("--weights", self.weights()), ("--out", self.out())] {
            if !options.contains(&name) {
                process.arg(name).arg(path);
            }
        }
        process.args(options);
        process
    }

    fn export(&self, options: &[&str]) -> String {
        let output = self.command(options).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    fn failure(&self, options: &[&str]) -> String {
        message(&self.command(options).output().unwrap())
    }

    /// Every file in the folder, to see what a failure left.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn network() -> MnistCnn {
    MnistCnn::random(3, &Device::flex())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one line that a failed command writes.
fn message(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    let message = text(&output.stderr);
    assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
    message
}

#[test]
fn the_file_is_the_network() {
    let setting = Setting::new();
    let summary = setting.export(&[]);
    assert!(summary.contains("opset 11, IR version 6, 10 nodes, 1,199,882 parameters"), "{summary}");
    assert!(summary.contains("Verified under ONNX Runtime 1.") && summary.contains("batch 64"), "{summary}");

    let model = Model::load(setting.out()).unwrap();
    let nodes: Vec<&str> = model.graph.nodes.iter().map(|node| node.op_type.as_str()).collect();
    assert_eq!(nodes, NODES);
    let mut initializers: Vec<&str> = model.graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
    initializers.sort_unstable();
    let names = ["conv1", "conv2", "fc1", "fc2"].map(|layer| [format!("{layer}.bias"), format!("{layer}.weight")]);
    assert_eq!(initializers, names.as_flattened());

    // At a batch size that neither the exporter nor its verification tried.
    let runtime = Runtime::load(&workspace().join("datasets/onnxruntime")).unwrap();
    let mut session = Session::open(&runtime, setting.out(), SessionOptions::default()).unwrap();
    require(&session, &setting.out(), &MnistCnn::signature(&10), "an MNIST network").unwrap();
    assert_eq!(session.signature().inputs[0].to_string(), "input: float [batch, 1, 28, 28]");
    assert_eq!(session.signature().outputs[0].to_string(), "output: float [batch, 10]");
    let pixels: Vec<f32> = (0..5 * 784).map(|index| (index % 101) as f32 / 40.0 - 0.4).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pixels.clone(), [5, 1, 28, 28]), &Device::flex());
    let expected: Vec<f32> = network().forward(images).try_into_vec_as().unwrap();
    let input = engines::tensor::Tensor::new([5, 1, 28, 28], pixels).unwrap();
    let outputs = session.run(&[NamedTensor::new("input", input)]).unwrap();
    for (found, expected) in outputs[0].tensor.as_f32().unwrap().iter().zip(expected) {
        // Ten units in the last place of logarithms near -2.3: sums of thousands of terms in another order.
        assert!((found - expected).abs() < 2.5e-6, "{found} {expected}");
    }
}

#[test]
fn the_same_weights_give_the_same_bytes_at_every_opset() {
    let setting = Setting::new();
    for opset in ["11", "13", "17", "21", "28"] {
        setting.export(&["--opset", opset]);
        let first = std::fs::read(setting.out()).unwrap();
        setting.export(&["--opset", opset]);
        assert!(first == std::fs::read(setting.out()).unwrap(), "opset {opset}");
        assert_eq!(Model::load(setting.out()).unwrap().opset(), opset.parse().ok());
    }
}

#[test]
fn the_file_tells_where_it_comes_from() {
    let setting = Setting::new();
    let weights = artifact::sha256_file(setting.weights()).unwrap().to_string();
    let data = artifact::sha256_bytes(b"images").to_string();
    let config = format!(
        r#"{{"config": {{"seed": 5, "epochs": 1}}, "data": {{"train-images-idx3-ubyte": "{data}"}},
            "revision": "of-training", "weights": {{"file": "model.safetensors", "sha256": "{weights}"}}}}"#
    );
    std::fs::write(setting.path("config.json"), config).unwrap();
    let metrics = r#"{"epoch": 1, "test_loss": 0.03, "test_correct": 9912, "test_total": 10000}"#;
    std::fs::write(setting.path("metrics.jsonl"), metrics).unwrap();

    let summary: Value = serde_json::from_str(&setting.export(&["--json", "--revision", "of-export"])).unwrap();
    assert_eq!(summary["verification"]["passed"], true);
    assert_eq!(summary["verification"]["cases"].as_array().unwrap().len(), 4);
    assert_eq!(summary["sha256"], artifact::sha256_file(setting.out()).unwrap().to_string());
    let metadata = Model::load(setting.out()).unwrap().metadata;
    assert_eq!(summary["metadata"], serde_json::to_value(&metadata).unwrap());
    for (key, value) in [
        ("weights.sha256", weights.as_str()),
        ("dataset.sha256.train-images-idx3-ubyte", &data),
        ("training.seed", "5"),
        ("training.revision", "of-training"),
        ("code.revision", "of-export"),
        ("metrics.test_correct", "9912"),
    ] {
        assert_eq!(metadata.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[test]
fn bad_input_is_one_clear_sentence_and_the_earlier_file_stays() {
    let setting = Setting::new();
    std::fs::create_dir(setting.path("models")).unwrap();
    std::fs::write(setting.out(), "the earlier file").unwrap();
    let weights = std::fs::read(setting.weights()).unwrap();
    let cut = setting.path("cut.safetensors");
    std::fs::write(&cut, &weights[..weights.len() / 2]).unwrap();
    let mut other = state_dict(&network(), identity_name);
    other.insert("fc2.bias".to_owned(), TensorData::new(vec![0.0_f32; 11], [11]));
    let misshaped = setting.path("misshaped.safetensors");
    std::fs::write(&misshaped, to_safetensors(&other).unwrap()).unwrap();
    let before = setting.files();

    let message = setting.failure(&["--weights", "no/such.safetensors"]);
    assert!(message.contains("cargo xtask train") && message.contains("no/such.safetensors"), "{message}");
    assert!(setting.failure(&["--weights", cut.to_str().unwrap()]).contains("cut.safetensors"));
    assert!(setting.failure(&["--weights", misshaped.to_str().unwrap()]).contains("fc2.weight"));
    for opset in ["10", "29", "-3"] {
        let message = setting.failure(&[&format!("--opset={opset}")]);
        assert!(message.contains("choose one from 11 to 28"), "{message}");
    }
    let below_a_file = setting.weights().join("mnist.onnx");
    assert!(setting.failure(&["--out", below_a_file.to_str().unwrap()]).contains("model.safetensors"));
    let weights_path = setting.weights();
    let message = setting.failure(&["--out", weights_path.to_str().unwrap()]);
    assert!(message.contains("is an input of this command and would be lost"), "{message}");

    assert_eq!(setting.files(), before);
    assert_eq!(std::fs::read(setting.out()).unwrap(), b"the earlier file");
    assert_eq!(std::fs::read(setting.weights()).unwrap(), weights);
}

/// With weights in a file of their own, an export replaces its own pair, and no other file of that name.
#[test]
fn weights_beside_the_file_take_the_place_of_nobody_elses() {
    let setting = Setting::new();
    let data = setting.path("models/mnist.onnx.data");
    std::fs::create_dir(setting.path("models")).unwrap();
    std::fs::write(&data, b"a diary").unwrap();
    let message = setting.failure(&["--external"]);
    assert!(message.contains("was not written by Kiln") && message.contains("--force"), "{message}");
    assert_eq!(std::fs::read(&data).unwrap(), b"a diary");
    assert!(!setting.out().exists());
    for options in [&["--external", "--force"][..], &["--external"]] {
        let output = setting.command(options).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert!(std::fs::metadata(&data).unwrap().len() > 1 << 20);
}

#[test]
fn without_the_library_nothing_is_kept() {
    let setting = Setting::new();
    let output = setting.command(&[]).env("ORT_DYLIB_PATH", "no/such.so").output().unwrap();
    assert!(message(&output).contains("ORT_DYLIB_PATH names no/such.so"));
    assert!(!setting.out().exists());
}

#[test]
fn an_unknown_network_is_named() {
    let setting = Setting::new();
    let output =
        Command::new(env!("CARGO_BIN_EXE_export")).arg("mnits").current_dir(setting.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("invalid value 'mnits'"), "{}", text(&output.stderr));
}
