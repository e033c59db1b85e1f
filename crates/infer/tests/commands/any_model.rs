//! `infer eval --onnx FILE`.

use std::process::Output;

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use serde_json::Value;

use crate::page::assert_well_formed;
use crate::setting::{Setting, text};

fn evaluate(setting: &Setting, options: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).arg("eval").args(options);
    if options.contains(&"--onnx") {
        command.args(["--seconds", "0.05", "--out"]).arg(setting.path("onnx.json"));
    }
    command.output().unwrap()
}

fn report(setting: &Setting) -> Value {
    serde_json::from_slice(&std::fs::read(setting.path("onnx.json")).unwrap()).unwrap()
}

#[test]
fn a_network_is_compared_at_every_size_and_timed() {
    let setting = Setting::new();
    let model = setting.model();
    let output = evaluate(&setting, &["--onnx", model.to_str().unwrap(), "--shape", "batch=3"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let shown = text(&output.stdout);
    for part in ["input: float [batch, 1, 28, 28]", "ort:cpu, graph as it is", "Passed: every engine agrees"] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let report = report(&setting);
    let (reference, optimized) = (&report["engines"][0], &report["engines"][1]);
    // The reference runs the ten nodes as they are; optimisation fuses some.
    assert_eq!(reference["placement"]["parts"][0]["nodes"], 10);
    assert!(optimized["placement"]["parts"][0]["nodes"].as_u64().unwrap() < 10);
    let differences = optimized["differences"].as_array().unwrap();
    let cases: Vec<&str> = differences.iter().map(|difference| difference["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["batch=3", "batch=1", "batch=2", "batch=7"]);
    // Every engine of this machine has run: ONNX Runtime with each provider that works here, and tract.
    let engines = report["timing"]["engines"].as_array().unwrap();
    let names: Vec<&str> = engines.iter().map(|engine| engine["engine"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["ort:cpu, graph as it is", "ort:cpu"]);
    assert_eq!(names.last(), Some(&"tract"));
    assert_well_formed(&std::fs::read_to_string(setting.path("onnx.html")).unwrap());
    assert!(setting.leftovers().is_empty());
}

#[test]
fn every_element_type_is_made_up() {
    let setting = Setting::new();
    let types = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/types.onnx");
    let output = evaluate(&setting, &["--onnx", types, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(output.stdout, std::fs::read(setting.path("onnx.json")).unwrap());
    let report = report(&setting);
    assert_eq!(report["metadata"]["entries"]["colour"], "green");
    // Eight outputs at the batch sizes 1, 2 and 7, exactly the same from exact operations.
    let differences = report["engines"][1]["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 24);
    assert!(differences.iter().all(|difference| difference["max_absolute"] == 0.0 && difference["same_form"] == true));
}

/// tract has no determinant. That is its row, and the other engine's row is there.
#[test]
fn an_engine_that_cannot_run_a_model_leaves_the_others() {
    let setting = Setting::new();
    let graph = Graph::new("odd")
        .input(ValueInfo::new("x", DataType::F32, [Dim::symbol("batch"), Dim::Known(4)]))
        .output(ValueInfo::new("y", DataType::F32, [Dim::symbol("batch"), Dim::Known(4)]))
        .node(Node::new("Det").named("heart.det").input("m").output("d"))
        .node(Node::new("Mul").input("x").input("d").output("y"))
        .initializer(Tensor::from_slice("m", [2, 2], &[1.0_f32, 2.0, 3.0, 5.0]).unwrap());
    let path = setting.path("odd.onnx");
    std::fs::write(&path, Model::new(11, graph).encode().unwrap()).unwrap();
    // Not asked for, it is left out, and that is told.
    let output = evaluate(&setting, &["--onnx", path.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert!(output.status.success() && shown.contains("Note: tract is left out: tract cannot load"), "{shown}");
    let output = evaluate(&setting, &["--onnx", path.to_str().unwrap(), "--engines", "tract,ort:cpu"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = report(&setting);
    let (tract, ort) = (&report["engines"][1], &report["engines"][2]);
    assert_eq!((&tract["engine"], &ort["engine"]), (&"tract".into(), &"ort:cpu".into()));
    let error = tract["error"].as_str().unwrap();
    assert!(error.contains("odd.onnx") && error.contains("heart.det"), "{error}");
    assert_eq!(ort["error"], Value::Null);
    assert_eq!(ort["differences"].as_array().unwrap().len(), 3);
    let timed: Vec<&Value> = report["timing"]["engines"].as_array().unwrap().iter().map(|row| &row["engine"]).collect();
    assert_eq!(timed, ["ort:cpu, graph as it is", "ort:cpu"]);
}

#[test]
fn bad_input_is_one_clear_sentence() {
    let setting = Setting::new();
    let failure = |options: &[&str]| {
        let output = evaluate(&setting, options);
        assert!(!output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
        text(&output.stderr)
    };
    let (model, weights) = (setting.model(), setting.weights());
    let (model, weights) = (model.to_str().unwrap(), weights.to_str().unwrap());
    assert!(failure(&["--onnx", "no/such.onnx"]).contains("no/such.onnx"));
    assert!(failure(&["--onnx", weights]).contains("cannot load"));
    let message = failure(&["--onnx", model, "--shape", "bacth=2"]);
    assert_eq!(message, "error: the model has no dynamic axis `bacth`; it has batch\n");
    assert!(failure(&["--onnx", model, "--shape", "batch"]).contains("AXIS=SIZE"));
    assert!(failure(&["--onnx", model, "--shape", "batch=0"]).contains("at least 1"));
    assert!(failure(&["--onnx", model, "--shape", "batch=99999999999999"]).contains("does not fit in memory"));
    assert!(failure(&["--onnx", model, "--engines", "onnxruntime"]).contains("there is no engine `onnxruntime`"));
    assert!(failure(&["--onnx", model, "--tolerance", "2"]).contains("at most 1"));
    assert!(failure(&["--shape", "batch=2"]).contains("--onnx"));
    assert!(failure(&[]).contains("Usage"));
    assert!(!setting.path("onnx.json").exists());
    assert!(setting.leftovers().is_empty(), "{:?}", setting.leftovers());
}
