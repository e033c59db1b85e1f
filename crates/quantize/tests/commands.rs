//! `quantize` as a user runs it, on small models.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use tempfile::TempDir;

struct Setting {
    folder: TempDir,
}

impl Setting {
    /// A model, and eight samples for it.
    fn new(model: &Model) -> Self {
        let setting = Self { folder: tempfile::tempdir().unwrap() };
        model.check().unwrap();
        model.save(setting.path("float.onnx")).unwrap();
        for index in 0..8 {
            setting.sample(&format!("samples/{index}.safetensors"), &numbers(2 * 3 * 6 * 6, index), [2, 3, 6, 6]);
        }
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sample(&self, name: &str, values: &[f32], shape: [usize; 4]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        safetensors::serialize_to_file([("x", view)], None, &path).unwrap();
    }

    fn quantize(&self, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantize"));
        command.current_dir(self.folder.path()).args(["quantize", "float.onnx", "--out", "out.onnx", "--seconds", "0"]);
        command.args(options).output().unwrap()
    }

    /// What is said of a command that fails, which writes nothing.
    fn refusal(&self, options: &[&str]) -> String {
        let before = self.files();
        let output = self.quantize(options);
        assert_eq!(output.status.code(), Some(1), "{options:?} {}", text(&output.stdout));
        assert_eq!(self.files(), before, "{options:?}");
        let told = text(&output.stderr);
        assert_eq!(told.lines().count(), 1, "{told}");
        told
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("out.json")).unwrap()).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Numbers between -2 and 2, by a linear congruential generator.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u64 * 7919 + 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 4.0
        })
        .collect()
}

fn tensor(name: &str, dims: &[u64], seed: usize) -> Tensor {
    let count = dims.iter().product::<u64>() as usize;
    Tensor::from_slice(name, dims.to_vec(), &numbers(count, seed)).unwrap()
}

/// Two convolutions with a batch normalisation, a sum, a pool and a product.
fn network(opset: i64) -> Model {
    let graph = Graph::new("net")
        .input(ValueInfo::new("x", DataType::F32, ["batch".into(), 3.into(), 6.into(), 6.into()]))
        .initializer(tensor("w1", &[4, 3, 3, 3], 1))
        .initializer(tensor("b1", &[4], 8))
        .initializer(tensor("w2", &[4, 4, 1, 1], 2))
        .initializer(tensor("scale", &[4], 3))
        .initializer(tensor("shift", &[4], 4))
        .initializer(tensor("mean", &[4], 5))
        .initializer(Tensor::vector("variance", &[0.5_f32, 1.0, 2.0, 3.0]))
        .initializer(tensor("w3", &[4, 5], 6))
        .initializer(tensor("b3", &[5], 7))
        .node(Node::new("Conv").named("first").inputs(["x", "w1", "b1"]).output("c1").attribute("pads", [1, 1, 1, 1]))
        .node(Node::new("BatchNormalization").inputs(["c1", "scale", "shift", "mean", "variance"]).output("n1"))
        .node(Node::new("Relu").input("n1").output("r1"))
        .node(Node::new("Conv").named("second").inputs(["r1", "w2"]).output("c2"))
        .node(Node::new("Add").named("sum").inputs(["c2", "r1"]).output("s"))
        .node(Node::new("GlobalAveragePool").input("s").output("g"))
        .node(Node::new("Flatten").input("g").output("f"))
        .node(Node::new("Gemm").named("last").inputs(["f", "w3", "b3"]).output("y"))
        .output(ValueInfo::new("y", DataType::F32, [Dim::from("batch"), 5.into()]));
    Model::new(opset, graph)
}

#[test]
fn a_network_becomes_integers_in_both_formats() {
    let setting = Setting::new(&network(11));
    for (format, opset) in [("qoperator", 11), ("qdq", 13)] {
        let output = setting.quantize(&["--inputs", "samples", "--format", format, "--cpu", "any"]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let report = setting.report();
        assert_eq!(report["samples"], 8);
        assert_eq!(report["quantized_nodes"], 5, "{report}");
        assert!(report["comparison"]["cosine"].as_f64().unwrap() > 0.999, "{report}");
        let model = Model::load(setting.path("out.onnx")).unwrap();
        model.check().unwrap();
        assert_eq!(model.opset(), Some(opset));
        assert_eq!(report["raised_to_opset"], if opset == 13 { opset.into() } else { Value::Null });
        let has = |op_type: &str| model.graph.nodes.iter().any(|node| node.op_type == op_type);
        assert!(!has("BatchNormalization") && !has("Relu"));
        assert_eq!(has("QLinearConv"), format == "qoperator");
        // No weight is left in float but what a bias may be.
        let largest = |model: &Model| {
            let floats = model.graph.initializers.iter().filter(|tensor| tensor.dtype == DataType::F32);
            floats.filter_map(Tensor::elements).max()
        };
        assert_eq!(largest(&model), Some(5));
    }
}

#[test]
fn ranges_can_be_kept_and_edited() {
    let setting = Setting::new(&network(11));
    let options = ["--inputs", "samples", "--ranges", "ranges.json", "--calibration", "minmax"];
    assert!(setting.quantize(&options).status.success());
    let first = std::fs::read(setting.path("out.onnx")).unwrap();
    let path = setting.path("ranges.json");
    let kept = std::fs::read_to_string(&path).unwrap();
    // Read again they give the same, but for what the file says of their origin.
    assert!(setting.quantize(&options).status.success());
    let weights = |bytes: Vec<u8>| Model::decode(bytes).unwrap().graph;
    assert_eq!(weights(std::fs::read(setting.path("out.onnx")).unwrap()), weights(first));
    let mut edited: Value = serde_json::from_str(&kept).unwrap();
    edited["ranges"]["x"] = serde_json::json!({"min": -0.5, "max": 0.25});
    std::fs::write(&path, edited.to_string()).unwrap();
    assert!(setting.quantize(&options).status.success());
    let scale = Model::load(setting.path("out.onnx"))
        .unwrap()
        .graph
        .find_initializer("x_scale")
        .unwrap()
        .to_vec::<f32>()
        .unwrap();
    assert_eq!(scale, [0.75 / 255.0]);
    edited["ranges"]["x"] = serde_json::json!({"min": 1.0, "max": -1.0});
    std::fs::write(&path, edited.to_string()).unwrap();
    assert!(setting.refusal(&options).contains("the range of `x` is from 1 to -1"));
    edited["model_sha256"] = "0".repeat(64).into();
    std::fs::write(&path, edited.to_string()).unwrap();
    assert!(setting.refusal(&options).contains("was made for the model 0000"));
    std::fs::write(&path, "[]").unwrap();
    assert!(setting.refusal(&options).contains("ranges.json is no file of ranges"));
}

#[test]
fn what_cannot_be_quantised_is_told_in_a_sentence() {
    let setting = Setting::new(&network(11));
    assert!(setting.refusal(&[]).contains("takes its ranges from data, and there is none"));
    std::fs::create_dir(setting.path("empty")).unwrap();
    assert!(setting.refusal(&["--inputs", "empty"]).contains("empty holds no samples"));
    assert!(setting.refusal(&["--inputs", "nowhere.npy"]).contains("cannot read nowhere.npy"));
    setting.sample("wrong/a.safetensors", &numbers(3 * 5 * 6, 0), [1, 3, 5, 6]);
    let told = setting.refusal(&["--inputs", "wrong"]);
    assert!(told.contains("the input `x` is float [1, 3, 5, 6], and the model takes"), "{told}");
    let mut broken = numbers(3 * 6 * 6, 0);
    broken[7] = f32::NAN;
    setting.sample("broken/a.safetensors", &broken, [1, 3, 6, 6]);
    let told = setting.refusal(&["--inputs", "broken"]);
    assert!(told.contains("a.safetensors: the value `x` holds NaN"), "{told}");
    broken[7] = f32::INFINITY;
    setting.sample("broken/a.safetensors", &broken, [1, 3, 6, 6]);
    assert!(setting.refusal(&["--inputs", "broken"]).contains("the value `x` holds an infinity"));
    assert!(setting.refusal(&["--inputs", "samples", "--keep", "third"]).contains("no node of that name"));
    assert!(setting.refusal(&["--inputs", "samples", "--mask", "m"]).contains("no input of that name"));

    assert!(setting.quantize(&["--inputs", "samples"]).status.success());
    std::fs::copy(setting.path("out.onnx"), setting.path("float.onnx")).unwrap();
    assert!(setting.refusal(&["--inputs", "samples"]).contains("quantised already: it has a node"));
    network(10).save(setting.path("float.onnx")).unwrap();
    assert!(setting.refusal(&["--inputs", "samples"]).contains("of opset 10, and quantisation needs 11"));
    let value = |name: &str| ValueInfo::new(name, DataType::F32, [Dim::from("batch")]);
    let relu = Graph::new("net").input(value("x")).node(Node::new("Relu").input("x").output("y")).output(value("y"));
    Model::new(11, relu).save(setting.path("float.onnx")).unwrap();
    assert!(setting.refusal(&["--method", "dynamic"]).contains("nothing to quantise"));
    std::fs::write(setting.path("float.onnx"), "no model").unwrap();
    assert!(setting.refusal(&["--method", "dynamic"]).contains("float.onnx"));
}

#[test]
fn an_input_is_never_the_output() {
    let setting = Setting::new(&network(11));
    let before = std::fs::read(setting.path("float.onnx")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_quantize"))
        .current_dir(setting.folder.path())
        .args(["quantize", "float.onnx", "--out", "float.onnx", "--inputs", "samples"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is an input of this command"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(setting.path("float.onnx")).unwrap(), before);
}

#[test]
fn a_gate_gives_nodes_back_to_float_or_says_that_it_cannot() {
    let setting = Setting::new(&network(11));
    let gate = |most: &str| {
        setting.quantize(&["--inputs", "samples", "--cpu", "any", "--metric", "cosine", "--max-drop", most])
    };
    assert!(gate("5%").status.success());
    let all = setting.report();
    assert_eq!((&all["in_float"], &all["gate"]["holds"]), (&serde_json::json!([]), &Value::Bool(true)));
    // Less is lost with fewer nodes in integers: the limit lies between all of them and one.
    let lost = 1.0 - all["comparison"]["cosine"].as_f64().unwrap();
    assert!(lost > 0.0 && lost < 0.01, "{lost}");
    let output = gate(&format!("{:.12}", lost * 0.5));
    assert!(output.status.success(), "{}", text(&output.stdout));
    let some = setting.report();
    let in_float = some["in_float"].as_array().unwrap();
    assert!((1..5).contains(&in_float.len()), "{some}");
    assert_eq!(some["quantized_nodes"], 5 - in_float.len());
    assert_eq!(some["sensitivity"].as_array().unwrap().len(), 5);
    let noise: Vec<f64> =
        some["sensitivity"].as_array().unwrap().iter().map(|harm| harm["noise"].as_f64().unwrap()).collect();
    assert!(noise.is_sorted_by(|one, other| one >= other), "{noise:?}");
    assert!(some["curve"].as_array().unwrap().len() >= 2);

    std::fs::remove_file(setting.path("out.onnx")).unwrap();
    let output = gate("0");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAILED: no model lost 0 or less"), "{}", text(&output.stdout));
    assert!(!setting.path("out.onnx").exists());
    Model::load(setting.path("out.not-good-enough.onnx")).unwrap().check().unwrap();
    assert_eq!(setting.report()["gate"]["holds"], false);
}

#[test]
fn a_pool_takes_bytes_at_every_opset() {
    for (opset, format, pool) in
        [(11, "qoperator", "NhwcMaxPool"), (12, "qoperator", "MaxPool"), (11, "qdq", "MaxPool")]
    {
        let graph = Graph::new("net")
            .input(ValueInfo::new("x", DataType::F32, ["batch".into(), 3.into(), 6.into(), 6.into()]))
            .initializer(tensor("w1", &[4, 3, 3, 3], 1))
            .initializer(tensor("w2", &[2, 4, 1, 1], 2))
            .node(Node::new("Conv").inputs(["x", "w1"]).output("c"))
            .node(
                Node::new("MaxPool")
                    .input("c")
                    .output("p")
                    .attribute("kernel_shape", [2, 2])
                    .attribute("strides", [2, 1])
                    .attribute("pads", [0, 1, 1, 0]),
            )
            .node(Node::new("Conv").inputs(["p", "w2"]).output("y"))
            .output(ValueInfo::new("y", DataType::F32, ["batch".into(), 2.into(), 2.into(), 4.into()]));
        let setting = Setting::new(&Model::new(opset, graph));
        let output = setting.quantize(&["--inputs", "samples", "--format", format, "--cpu", "any"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let model = Model::load(setting.path("out.onnx")).unwrap();
        assert!(model.graph.nodes.iter().any(|node| node.op_type == pool), "{opset} {format}");
        let report = setting.report();
        assert!(report["comparison"]["cosine"].as_f64().unwrap() > 0.999, "{report}");
    }
}

/// Two products in a row, of three axes, as a transformer has them.
fn products() -> Model {
    let graph = Graph::new("net")
        .input(ValueInfo::new("x", DataType::F32, ["batch".into(), 3.into(), 6.into(), 6.into()]))
        .initializer(tensor("w1", &[6, 8], 1))
        .initializer(tensor("b1", &[8], 2))
        .initializer(tensor("w2", &[8, 4], 3))
        .node(Node::new("MatMul").inputs(["x", "w1"]).output("p"))
        .node(Node::new("Add").inputs(["p", "b1"]).output("q"))
        .node(Node::new("Tanh").input("q").output("t"))
        .node(Node::new("MatMul").inputs(["t", "w2"]).output("y"))
        .output(ValueInfo::new("y", DataType::F32, ["batch".into(), 3.into(), 6.into(), 4.into()]));
    Model::new(11, graph)
}

#[test]
fn products_take_their_ranges_as_they_come_or_from_samples() {
    let setting = Setting::new(&products());
    let output = setting.quantize(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = setting.report();
    assert_eq!((&report["method"], &report["comparison"]), (&"dynamic".into(), &Value::Null));
    let model = Model::load(setting.path("out.onnx")).unwrap();
    model.check().unwrap();
    assert!(model.graph.nodes.iter().all(|node| node.is_own()), "its operators are ONNX's own");
    for method in ["dynamic", "static"] {
        assert!(setting.quantize(&["--inputs", "samples", "--method", method, "--cpu", "any"]).status.success());
        let report = setting.report();
        assert_eq!((&report["method"], &report["quantized_nodes"]), (&method.into(), &2.into()));
        assert!(report["comparison"]["cosine"].as_f64().unwrap() > 0.999, "{report}");
    }
}

#[test]
fn labels_are_judged_by_accuracy() {
    let setting = Setting::new(&network(11));
    assert!(setting.refusal(&["--inputs", "samples", "--metric", "accuracy"]).contains("no sample has labels"));
    let values = numbers(2 * 3 * 6 * 6, 1);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let labels: Vec<u8> = [0_i64, 7].iter().flat_map(|label| label.to_le_bytes()).collect();
    let views = [
        ("x", TensorView::new(Dtype::F32, vec![2, 3, 6, 6], &bytes).unwrap()),
        ("labels", TensorView::new(Dtype::I64, vec![2], &labels).unwrap()),
    ];
    safetensors::serialize_to_file(views, None, &setting.path("samples/0.safetensors")).unwrap();
    let options = ["--inputs", "samples", "--metric", "accuracy", "--max-drop", "0", "--cpu", "any"];
    let output = setting.quantize(&options);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = setting.report();
    assert_eq!((&report["comparison"]["labelled"], &report["metric"]), (&2.into(), &"accuracy".into()));
}

#[test]
fn samples_of_every_kind_are_read() {
    let setting = Setting::new(&products());
    let values = numbers(3 * 6 * 6, 1);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let header = format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 6, 6), }");
    let mut numpy = b"\x93NUMPY\x01\x00".to_vec();
    numpy.extend((header.len() as u16).to_le_bytes());
    numpy.extend(header.as_bytes());
    numpy.extend(&bytes);
    std::fs::create_dir_all(setting.path("mixed/test_data_set_0")).unwrap();
    std::fs::write(setting.path("mixed/a.npy"), numpy).unwrap();
    let tensor = Tensor::from_slice("x", [1, 3, 6, 6], &values).unwrap();
    std::fs::write(setting.path("mixed/test_data_set_0/input_0.pb"), tensor.encode().unwrap()).unwrap();
    setting.sample("mixed/b.safetensors", &values, [1, 3, 6, 6]);
    let output = setting.quantize(&["--inputs", "mixed", "--method", "static"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(setting.report()["samples"], 3);
    assert!(setting.quantize(&["--inputs", "mixed", "--method", "static", "--limit", "2"]).status.success());
    assert_eq!(setting.report()["samples"], 2);
    assert!(Path::new(&setting.path("out.onnx")).is_file());
}
