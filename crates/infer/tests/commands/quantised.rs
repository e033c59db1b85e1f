//! `infer eval` on files that compute with 8-bit integers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use onnx_model::{DataType, Graph, Model, Node, Tensor, ValueInfo};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use tempfile::TempDir;

use crate::setting::{Setting, text};

/// A product with a constant matrix, in float and with its input in steps of a hundredth.
struct Pair(TempDir);

impl Pair {
    fn new() -> Self {
        let pair = Self(tempfile::tempdir().unwrap());
        let weights: Vec<f32> = (0..12).map(|index| (index as f32 - 5.0) / 4.0).collect();
        let graph = Graph::new("product")
            .input(ValueInfo::new("x", DataType::F32, ["batch".into(), 4.into()]))
            .output(ValueInfo::new("y", DataType::F32, ["batch".into(), 3.into()]))
            .initializer(Tensor::from_slice("w", [4, 3], &weights).unwrap())
            .node(Node::new("MatMul").named("product").inputs(["x", "w"]).output("y"));
        let float = Model::new(13, graph);
        float.save(pair.path("float.onnx")).unwrap();
        in_steps(&float, "x", 0.01, 128).save(pair.path("int8.onnx")).unwrap();
        for (name, values) in [("near", [0.123_f32, -0.457, 0.789, 0.5]), ("outside", [10.0, 0.5, 0.5, 0.5])] {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let view = TensorView::new(Dtype::F32, vec![1, 4], &bytes).unwrap();
            safetensors::serialize_to_file([("x", view)], None, &pair.path(&format!("{name}.safetensors"))).unwrap();
        }
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn evaluate(&self, options: &[&str]) -> (Output, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
        command.current_dir(self.0.path()).args([
            "eval",
            "--engines",
            "ort:cpu",
            "--seconds",
            "0.01",
            "--out",
            "r.json",
        ]);
        // The library lies in the folder of the data sets.
        let library =
            artifact::runtime::locate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/onnxruntime"));
        command.env(artifact::runtime::DYLIB_VARIABLE, library.unwrap().path);
        let output = command.args(options).output().unwrap();
        let shown = text(&output.stdout) + &text(&output.stderr);
        (output, shown)
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("r.json")).unwrap()).unwrap()
    }
}

/// The model with an input that is rounded to steps first.
fn in_steps(model: &Model, input: &str, scale: f32, zero_point: u8) -> Model {
    let mut model = model.clone();
    let graph = &mut model.graph;
    for name in graph.nodes.iter_mut().flat_map(|node| &mut node.inputs).filter(|name| *name == input) {
        "restored".clone_into(name);
    }
    graph.initializers.push(Tensor::scalar("scale", scale));
    graph.initializers.push(Tensor::scalar("zero_point", zero_point));
    let steps = ["scale", "zero_point"];
    let to = Node::new("QuantizeLinear").named("to").input(input).inputs(steps).output("steps");
    let back = Node::new("DequantizeLinear").named("back").input("steps").inputs(steps).output("restored");
    graph.nodes.splice(0..0, [to, back]);
    model
}

#[test]
fn a_file_of_integers_is_judged_by_what_it_loses_beside_the_float_model() {
    let pair = Pair::new();
    let files = ["--onnx", "int8.onnx", "--float", "float.onnx"];
    let near = ["--inputs", "near.safetensors"];
    let (output, shown) = pair.evaluate(&[&files[..], &near].concat());
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("Passed. No engine loses more than 1.00 % of the agreement beside the float model float.onnx."),
        "{shown}"
    );
    assert!(shown.contains("Noise beside the float model float.onnx") && shown.contains(" dB"), "{shown}");
    // The steps are the float model's input to half a hundredth, and far coarser than float32.
    let case = &pair.report()["engines"][1]["fidelity"]["cases"][0];
    let noise = case["comparison"]["noise"].as_f64().unwrap();
    assert!(noise > 1e-8 && noise < 1e-4, "{case}");
    assert_eq!(pair.report()["engines"][0]["engine"], "ort:cpu (float model)");
    // What the ranges do not hold is cut off, and the user's own inputs decide.
    let (output, shown) =
        pair.evaluate(&[&files[..], &["--inputs", "outside.safetensors", "--metric", "cosine"]].concat());
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("FAILED: ort:cpu loses") && shown.contains("of the cosine beside the float model"),
        "{shown}"
    );
    let (output, shown) = pair.evaluate(
        &[&files[..], &["--inputs", "outside.safetensors", "--metric", "cosine", "--max-drop", "90%"]].concat(),
    );
    assert!(output.status.success(), "{shown}");
}

#[test]
fn made_up_inputs_do_not_decide_where_ranges_come_from_samples() {
    let pair = Pair::new();
    let (output, shown) = pair.evaluate(&["--onnx", "int8.onnx", "--float", "float.onnx"]);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("NOT PROVEN: made-up inputs say nothing of a file whose ranges come from samples"),
        "{shown}"
    );
    assert!(!shown.contains("FAILED"), "{shown}");
}

#[test]
fn without_a_float_model_it_is_said_what_is_needed() {
    let pair = Pair::new();
    let (output, shown) = pair.evaluate(&["--onnx", "int8.onnx", "--inputs", "near.safetensors"]);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("NOT PROVEN: the file computes with integers of 8 bits") && shown.contains("--float"),
        "{shown}"
    );
    assert!(!shown.contains("FAILED"), "{shown}");
    // The report beside the file names it, and the gate that it was held to.
    let sha256 = |name: &str| artifact::sha256_file(pair.path(name)).unwrap();
    let record = serde_json::json!({
        "float": {"path": "float.onnx", "sha256": sha256("float.onnx")},
        "quantized": {"path": "int8.onnx", "sha256": sha256("int8.onnx")},
        "metric": "cosine", "gate": {"max_drop": 0.125}, "inputs": ["near.safetensors", "gone.safetensors"],
    });
    std::fs::write(pair.path("int8.json"), record.to_string()).unwrap();
    let (output, shown) = pair.evaluate(&["--onnx", "int8.onnx"]);
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("No engine loses more than 12.5 % of the cosine beside the float model float.onnx"),
        "{shown}"
    );
    assert!(shown.contains("near.safetensors"), "{shown}");
    // What the user says of the limit goes by the rule that it is for.
    let (output, shown) = pair.evaluate(&["--onnx", "int8.onnx", "--tolerance", "0.05"]);
    assert!(output.status.success() && shown.contains("more than 5.0e-2 of the largest value"), "{shown}");
}

#[test]
fn a_file_of_floats_has_no_float_model() {
    let pair = Pair::new();
    let (output, shown) = pair.evaluate(&["--onnx", "float.onnx", "--float", "float.onnx"]);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("--float is for files of 8-bit integers, and float.onnx has no operator of such"),
        "{shown}"
    );
}

#[test]
fn a_network_of_integers_is_judged_by_its_task() {
    let setting = Setting::new();
    let float = Model::load(setting.model()).unwrap();
    let input = float.graph.inputs[0].name.clone();
    // The pixels lie between -0.42 and 2.82 when they are normalised.
    let int8 = setting.path("mnist.int8.onnx");
    let mut steps = in_steps(&float, &input, 0.0128, 34);
    steps.metadata.insert("kiln.quantized_from".to_owned(), "0".repeat(64));
    steps.save(&int8).unwrap();
    let (int8, model) = (int8.to_str().unwrap(), setting.model());
    let output = setting.infer("eval", &["--model", int8, "--float", model.to_str().unwrap(), "--batches", "1"]);
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("of the accuracy beside the float model"), "{shown}");
    assert!(shown.contains("the file says that it was made from another float model"), "{shown}");
    let report: Value = serde_json::from_slice(&std::fs::read(setting.path("eval.json")).unwrap()).unwrap();
    assert_eq!((&report["network"], &report["quantised"]["metric"]), (&"mnist".into(), &"accuracy".into()));
    assert!(report["engines"][1]["metrics"][0]["value"].is_number(), "{report}");
    assert!(report["timing"][0]["engines"][1]["speedup"]["value"].is_number(), "{report}");
    let page = setting.page("mnist", "eval.json");
    assert!(page.contains("Lost beside the float model") && page.contains("signal to noise"), "{page}");
    // Nobody makes up which float model it was.
    let output = setting.infer("eval", &["--model", int8]);
    assert!(text(&output.stderr).contains("name that with --float"), "{}", text(&output.stderr));
}
