//! What a command needs to run: a small set of digits, random weights, and the same network as ONNX.
//!
//! The ONNX graph is written down here by hand, so that the tests of this crate do not depend on the exporter.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::tensor::{Device, TensorData};
use models::mnist_cnn::MnistCnn;
use models::weights::{identity_name, state_dict, to_safetensors};
use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use tempfile::TempDir;

/// How many digits there are.
pub const DIGITS: usize = 40;

/// A folder with everything, removed at the end.
pub struct Setting {
    pub folder: TempDir,
}

impl Setting {
    /// Digits, and weights and model of the same random network.
    pub fn new() -> Self {
        let setting = Self { folder: tempfile::tempdir().unwrap() };
        let pixels: Vec<u8> = (0..DIGITS).flat_map(image).collect();
        let labels: Vec<u8> = (0..DIGITS).map(|index| (index % 10) as u8).collect();
        let sizes = |sizes: &[usize]| sizes.iter().flat_map(|&size| (size as u32).to_be_bytes()).collect::<Vec<u8>>();
        let images = [&[0, 0, 8, 3], sizes(&[DIGITS, 28, 28]).as_slice(), &pixels].concat();
        let labels = [&[0, 0, 8, 1], sizes(&[DIGITS]).as_slice(), &labels].concat();
        std::fs::write(setting.path("t10k-images-idx3-ubyte"), images).unwrap();
        std::fs::write(setting.path("t10k-labels-idx1-ubyte"), labels).unwrap();
        let weights = state_dict(&network(1), identity_name);
        std::fs::write(setting.weights(), to_safetensors(&weights).unwrap()).unwrap();
        std::fs::write(setting.model(), onnx(&weights)).unwrap();
        setting
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn weights(&self) -> PathBuf {
        self.path("model.safetensors")
    }

    pub fn model(&self) -> PathBuf {
        self.path("mnist.onnx")
    }

    /// The weights of another network.
    pub fn other_weights(&self) -> PathBuf {
        let path = self.path("other.safetensors");
        let weights = state_dict(&network(2), identity_name);
        std::fs::write(&path, to_safetensors(&weights).unwrap()).unwrap();
        path
    }

    /// Runs `infer COMMAND mnist` on the files of this folder. Later options replace earlier ones.
    pub fn infer(&self, command: &str, options: &[&str]) -> Output {
        self.command(command, options).output().unwrap()
    }

    /// The page that `report` makes of `eval.json` as the evaluation of a network, or of a file where that is `onnx`.
    pub fn page(&self, network: &str, evaluation: &str) -> String {
        let results = self.path("pages");
        let place = match network {
            "onnx" => "report/onnx.json".to_owned(),
            network => format!("{network}/eval.json"),
        };
        artifact::write_atomic(results.join(place), std::fs::read(self.path(evaluation)).unwrap()).unwrap();
        let output = self.report(&[OsStr::new("--artifacts"), results.as_os_str()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        std::fs::read_to_string(results.join("report/index.html")).unwrap()
    }

    /// Runs `report`, which lies beside `infer`.
    pub fn report(&self, options: &[&OsStr]) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_infer")).with_file_name("report");
        let mut command = Command::new(&program);
        let output = command.current_dir(self.workspace()).args(options).output();
        output.unwrap_or_else(|error| panic!("{} is built by `cargo xtask test`: {error}", program.display()))
    }

    /// Where the commands start.
    pub fn workspace(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// The command that [`infer`](Self::infer) runs.
    pub fn command(&self, command: &str, options: &[&str]) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_infer"));
        process.current_dir(self.workspace()).args([command, "mnist"]);
        let given = |name: &str| options.contains(&name);
        for (name, path) in
            [("--data", self.folder.path().to_owned()), ("--model", self.model()), ("--weights", self.weights())]
        {
            if !given(name) {
                process.arg(name).arg(path);
            }
        }
        if command == "eval" && !given("--out") {
            process.arg("--out").arg(self.path("eval.json"));
        }
        process.args(options);
        process
    }

    /// The standard error of a command that must fail, in one line.
    pub fn failure(&self, command: &str, options: &[&str]) -> String {
        let output = self.infer(command, options);
        assert!(!output.status.success(), "it succeeded: {}", text(&output.stdout));
        assert!(output.status.code().is_some(), "it crashed: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        let message = text(&output.stderr);
        assert!(message.starts_with("error: "), "{message}");
        message
    }

    /// The files in the folder whose names begin with a dot: what an interrupted write leaves.
    pub fn leftovers(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with('.')).collect()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A network with random weights.
pub fn network(seed: u64) -> MnistCnn {
    MnistCnn::random(seed, &Device::flex())
}

/// 784 pixels: a bright stroke whose place and slant follow from the index.
pub fn image(index: usize) -> Vec<u8> {
    let inked = |x: usize, y: usize| {
        let centre = 4 + (index * 7 + y * (index % 5)) % 20;
        (4..24).contains(&y) && x.abs_diff(centre) < 2 + index % 3
    };
    (0..784).map(|pixel| if inked(pixel % 28, pixel / 28) { 255 - (pixel % 90) as u8 } else { 0 }).collect()
}

/// The network as PyTorch's exporter writes it, at opset 11.
fn onnx(weights: &BTreeMap<String, TensorData>) -> Vec<u8> {
    let mut graph = Graph::new("mnist");
    for (name, data) in weights {
        let dims: Vec<u64> = data.shape().iter().map(|&size| size as u64).collect();
        graph = graph.initializer(Tensor::new(name, DataType::F32, dims, data.as_bytes().to_vec()).unwrap());
    }
    let convolution = |name: &str, from: &str, to: &str| {
        let parameters = [format!("{name}.weight"), format!("{name}.bias")];
        Node::new("Conv").input(from).inputs(parameters).output(to).attribute("kernel_shape", [3, 3])
    };
    let linear = |name: &str, from: &str, to: &str| {
        let parameters = [format!("{name}.weight"), format!("{name}.bias")];
        Node::new("Gemm").input(from).inputs(parameters).output(to).attribute("transB", 1_i64)
    };
    let pool = Node::new("MaxPool").attribute("kernel_shape", [2, 2]).attribute("strides", [2, 2]);
    let image = [Dim::symbol("batch"), Dim::Known(1), Dim::Known(28), Dim::Known(28)];
    let graph = graph
        .input(ValueInfo::new("input", DataType::F32, image))
        .output(ValueInfo::new("output", DataType::F32, [Dim::symbol("batch"), Dim::Known(10)]))
        .node(convolution("conv1", "input", "a"))
        .node(Node::new("Relu").input("a").output("b"))
        .node(convolution("conv2", "b", "c"))
        .node(Node::new("Relu").input("c").output("d"))
        .node(pool.input("d").output("e"))
        .node(Node::new("Flatten").input("e").output("f").attribute("axis", 1_i64))
        .node(linear("fc1", "f", "g"))
        .node(Node::new("Relu").input("g").output("h"))
        .node(linear("fc2", "h", "i"))
        .node(Node::new("LogSoftmax").input("i").output("output").attribute("axis", 1_i64));
    Model::new(11, graph).encode().unwrap()
}
