//! `infer eval --onnx FILE`.

use std::process::Output;

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
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
    for part in [
        "input: float [batch, 1, 28, 28]",
        "ort:cpu (graph as it is)",
        "Passed. No engine deviates more than 16 times as far",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let report = report(&setting);
    let (reference, optimized) = (&report["engines"][0], &report["engines"][1]);
    // The reference runs the ten nodes as they are; optimisation fuses some.
    assert_eq!(reference["placement"]["parts"][0]["nodes"], 10);
    assert!(optimized["placement"]["parts"][0]["nodes"].as_u64().unwrap() < 10);
    let cases = optimized["verification"]["cases"].as_array().unwrap();
    let labels: Vec<&str> = cases.iter().map(|case| case["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["batch=3", "batch=1", "batch=2", "batch=7"]);
    // The limit of each case is what float32 itself deviates from float64 in it, sixteen times.
    assert_eq!(optimized["verification"]["rule"], serde_json::json!({"float32": 16.0}));
    for case in cases {
        let native = case["native_error"].as_f64().unwrap();
        assert!(native > 0.0 && native < 1e-5, "{native}");
        assert_eq!(case["outputs"][0]["limit"].as_f64(), Some(16.0 * native));
    }
    let batches: Vec<&Value> = report["timing"].as_array().unwrap().iter().map(|timing| &timing["batch"]).collect();
    assert_eq!(batches, [1, 3]);
    // Every engine of this machine has run: ONNX Runtime with each provider that works here, and tract.
    let engines = report["timing"][0]["engines"].as_array().unwrap();
    let names: Vec<&str> = engines.iter().map(|engine| engine["engine"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["ort:cpu (graph as it is)", "ort:cpu"]);
    assert_eq!(names.last(), Some(&"tract"));
    assert_well_formed(&setting.page("onnx", "onnx.json"));
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
    assert_eq!(report["file"]["metadata"]["entries"]["colour"], "green");
    // Eight outputs at the batch sizes 1, 2 and 7, exactly the same from exact operations.
    let cases = report["engines"][1]["verification"]["cases"].as_array().unwrap();
    let outputs: Vec<&Value> = cases.iter().flat_map(|case| case["outputs"].as_array().unwrap()).collect();
    assert_eq!((cases.len(), outputs.len()), (3, 24));
    assert!(outputs.iter().all(|output| output["absolute"] == 0.0 && output["form"] == Value::Null));
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
    assert_eq!(ort["verification"]["cases"].as_array().unwrap().len(), 3);
    let timed: Vec<&Value> =
        report["timing"][0]["engines"].as_array().unwrap().iter().map(|row| &row["engine"]).collect();
    assert_eq!(timed, ["ort:cpu (graph as it is)", "ort:cpu"]);
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
    assert!(failure(&["--onnx", weights]).contains("model.safetensors: this is no sound ONNX model"));
    let message = failure(&["--onnx", model, "--shape", "bacth=2"]);
    assert_eq!(message, "error: the model has no dynamic axis `bacth`; it has batch\n");
    assert!(failure(&["--onnx", model, "--shape", "batch"]).contains("AXIS=SIZE"));
    assert!(failure(&["--onnx", model, "--shape", "batch=0"]).contains("at least 1"));
    let message = failure(&["--onnx", model, "--batch-axis", "bacth"]);
    assert_eq!(message, "error: --batch-axis: the model has no dynamic axis `bacth`; it has batch\n");
    assert!(failure(&["--onnx", model, "--inputs", "no/such.safetensors"]).contains("no/such.safetensors"));
    let message = failure(&["--onnx", model, "--inputs", weights]);
    assert!(message.contains("the input `input` is missing; there is conv1.bias"), "{message}");
    assert!(failure(&["--onnx", model, "--compare", weights]).contains("is no report of `eval onnx`"));
    assert!(failure(&["--onnx", model, "--engines", "onnxruntime"]).contains("there is no engine `onnxruntime`"));
    assert!(failure(&["--onnx", model, "--tolerance", "2"]).contains("at most 1"));
    assert!(failure(&["--shape", "batch=2"]).contains("--onnx"));
    assert!(failure(&[]).contains("Usage"));
    assert!(!setting.path("onnx.json").exists());
    assert!(setting.leftovers().is_empty(), "{:?}", setting.leftovers());
}

/// Sizes that no machine holds are a sentence, and what fits is evaluated.
#[test]
fn sizes_that_do_not_fit_leave_the_others() {
    let setting = Setting::new();
    let model = setting.model();
    let output = evaluate(&setting, &["--onnx", model.to_str().unwrap(), "--shape", "batch=99999999999999"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("FAILED: batch=99999999999999 does not fit in memory"), "{shown}");
    let report = report(&setting);
    let cases = report["engines"][1]["verification"]["cases"].as_array().unwrap();
    assert_eq!(cases.iter().map(|case| &case["label"]).collect::<Vec<_>>(), ["batch=1", "batch=2", "batch=7"]);
    assert_eq!(report["timing"][0]["batch"], 1);
}

/// The user's own inputs, batches, scenarios and a comparison with an earlier report: the same options as for a network.
#[test]
fn a_file_is_measured_as_a_network_is() {
    let setting = Setting::new();
    let model = setting.model();
    let digits: Vec<u8> = (0..5 * 784).flat_map(|pixel| (pixel as f32 / 4000.0).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![5, 1, 28, 28], &digits).unwrap();
    let inputs = setting.path("digits.safetensors");
    safetensors::serialize_to_file([("input", view)], None, &inputs).unwrap();
    let model = ["--onnx", model.to_str().unwrap(), "--inputs", inputs.to_str().unwrap(), "--engines", "ort:cpu"];
    let options = [&model[..], &["--batches", "1,4", "--scenario", "offline"]].concat();
    let output = evaluate(&setting, &options);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let first = report(&setting);
    let cases = first["engines"][1]["verification"]["cases"].as_array().unwrap();
    let labels: Vec<&str> = cases.iter().map(|case| case["label"].as_str().unwrap()).collect();
    // Their size is the default, and the largest batch is swept too.
    assert_eq!(labels[1..], ["batch=5", "batch=1", "batch=2", "batch=7", "batch=4"]);
    assert!(labels[0].ends_with("digits.safetensors"), "{labels:?}");
    assert_eq!((&first["scenarios"][0]["scenario"], &first["items"]), (&"offline".into(), &"items".into()));
    let command = first["command"].as_str().unwrap();
    assert!(command.contains(" --batches 1,4 --scenario offline --threads 1"), "{command}");
    let earlier = setting.path("earlier.json");
    std::fs::rename(setting.path("onnx.json"), &earlier).unwrap();
    let options = [&options[..], &["--compare", earlier.to_str().unwrap()]].concat();
    let output = evaluate(&setting, &options);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let changes = report(&setting)["compared"]["changes"].as_array().unwrap().len();
    assert_eq!(changes, 4);
}

/// A share that the user names takes the place of what float32 deviates.
#[test]
fn a_tolerance_of_the_users_own_is_the_limit() {
    let setting = Setting::new();
    let model = setting.model();
    let options = ["--onnx", model.to_str().unwrap(), "--engines", "ort:cpu", "--tolerance", "1e-12"];
    let output = evaluate(&setting, &options);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("FAILED: ort:cpu deviates by ") && shown.contains("from float64 in `output`"), "{shown}");
    assert_eq!(report(&setting)["engines"][1]["verification"]["rule"], serde_json::json!({"share": 1e-12}));
}

/// Without a float64 rewrite there is a limit all the same, and it is told why.
#[test]
fn an_operator_without_float64_is_named() {
    let setting = Setting::new();
    let graph = Graph::new("noisy")
        .input(ValueInfo::new("x", DataType::F32, [Dim::symbol("batch"), Dim::Known(4)]))
        .output(ValueInfo::new("y", DataType::F32, [Dim::symbol("batch"), Dim::Known(4)]))
        .node(Node::new("QuickGelu").domain("com.microsoft").named("act").input("x").output("y"));
    let path = setting.path("gelu.onnx");
    let mut model = Model::new(17, graph);
    model.opset_imports.insert("com.microsoft".to_owned(), 1);
    std::fs::write(&path, model.encode().unwrap()).unwrap();
    let output = evaluate(&setting, &["--onnx", path.to_str().unwrap(), "--engines", "ort:cpu"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("float64 does not say how far") && shown.contains("QuickGelu"), "{shown}");
    assert!(shown.contains("by more than 1.0e-3 of the largest value"), "{shown}");
}

/// A model that runs at one size alone is timed there, and what nobody asked for is no failure.
#[test]
fn a_model_of_one_size_is_timed_at_that() {
    let setting = Setting::new();
    let shape = Tensor::vector("four", &[4_i64, 2]);
    let graph = Graph::new("tied")
        .input(ValueInfo::new("x", DataType::F32, [Dim::symbol("batch"), Dim::Known(2)]))
        .output(ValueInfo::new("y", DataType::F32, [Dim::Known(4), Dim::Known(2)]))
        .node(Node::new("Reshape").input("x").input("four").output("y"))
        .initializer(shape);
    let path = setting.path("tied.onnx");
    std::fs::write(&path, Model::new(11, graph).encode().unwrap()).unwrap();
    let options = ["--onnx", path.to_str().unwrap(), "--shape", "batch=4", "--engines", "ort:cpu"];
    let output = evaluate(&setting, &options);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("Note: the model does not run at batch=1; batch=2; batch=7: "), "{shown}");
    let timed: Vec<Value> =
        report(&setting)["timing"].as_array().unwrap().iter().map(|row| row["batch"].clone()).collect();
    assert_eq!(timed, [4]);
    // Asked for, it is a failure that leaves the rest.
    let output = evaluate(&setting, &[&options[..], &["--batches", "3"]].concat());
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("FAILED: the model does not run at batch 3"), "{shown}");
}

/// Nothing was compared, so nothing passed.
#[test]
fn a_file_that_no_engine_runs_does_not_pass() {
    let setting = Setting::new();
    let mut strange = Model::load(setting.model()).unwrap();
    strange.graph.nodes[0].op_type = "Frobnicate".to_owned();
    let (model, path) = (setting.model(), setting.path("strange.onnx"));
    std::fs::write(&path, strange.encode().unwrap()).unwrap();
    let options = ["--onnx", path.to_str().unwrap(), "--against", model.to_str().unwrap()];
    let output = evaluate(&setting, &options);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("FAILED: no engine ran the file") && shown.contains("ort:cpu is left out"), "{shown}");
}

/// A reference that gives something else each time shows nothing.
#[test]
fn a_model_that_draws_random_numbers_is_refused_as_a_reference() {
    let setting = Setting::new();
    let graph = Graph::new("noisy")
        .input(ValueInfo::new("x", DataType::F32, [Dim::symbol("batch")]))
        .output(ValueInfo::new("y", DataType::F32, [Dim::symbol("batch")]))
        .node(Node::new("RandomUniformLike").named("noise").input("x").output("y"));
    let path = setting.path("noisy.onnx");
    std::fs::write(&path, Model::new(11, graph).encode().unwrap()).unwrap();
    let output = evaluate(&setting, &["--onnx", path.to_str().unwrap(), "--engines", "ort:cpu"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("FAILED: the model gives other outputs each time it runs"), "{shown}");
    assert!(shown.contains("float64 does not say how far") && shown.contains("RandomUniformLike"), "{shown}");
}

/// A list of maps from classes to their values, as scikit-learn's classifiers give it.
fn with_maps(graph: Graph) -> Model {
    let maps = Node::new("ZipMap").domain("ai.onnx.ml").input("x").output("maps");
    let output = ValueInfo { name: "maps".to_owned(), ty: None, doc: String::new() };
    let mut model = Model::new(13, graph.output(output).node(maps.attribute("classlabels_int64s", [0, 1])));
    model.opset_imports.insert("ai.onnx.ml".to_owned(), 1);
    model
}

/// What cannot be compared is told and leaves the rest.
#[test]
fn an_output_of_another_type_is_left_out() {
    let setting = Setting::new();
    let shape = [Dim::symbol("batch"), Dim::Known(2)];
    let graph = Graph::new("scores")
        .input(ValueInfo::new("x", DataType::F32, shape.clone()))
        .output(ValueInfo::new("y", DataType::F32, shape))
        .node(Node::new("Neg").input("x").output("y"));
    let path = setting.path("scores.onnx");
    std::fs::write(&path, with_maps(graph).encode().unwrap()).unwrap();
    let output = evaluate(&setting, &["--onnx", path.to_str().unwrap(), "--engines", "ort:cpu"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    let note =
        "Note: left out, since outputs of their types are not compared: `maps` (sequence(map(int64, tensor(float)))).";
    assert!(shown.contains(note), "{shown}");
    let report = report(&setting);
    for engine in &report["engines"].as_array().unwrap()[1..] {
        assert_eq!(engine["verification"]["cases"][0]["outputs"].as_array().unwrap().len(), 1, "{engine}");
    }
    // With nothing else to compare nothing fails, and nothing is proven.
    let graph = Graph::new("maps").input(ValueInfo::new("x", DataType::F32, [Dim::symbol("batch"), Dim::Known(2)]));
    std::fs::write(&path, with_maps(graph).encode().unwrap()).unwrap();
    let evaluate = |options: &[&str]| {
        evaluate(&setting, &[&["--onnx", path.to_str().unwrap(), "--engines", "ort:cpu"], options].concat())
    };
    let output = evaluate(&[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("NOT PROVEN: the model has no output of a type that can be compared.\n"), "{shown}");
    assert!(!shown.contains("FAILED") && evaluate(&["--accept-unproven"]).status.success(), "{shown}");
}

/// Text that an engine makes of numbers is that of float32.
#[test]
fn an_output_of_text_is_compared() {
    let setting = Setting::new();
    let counts = |numbers: &str| {
        let graph = Graph::new("counts")
            .input(ValueInfo::new("n", DataType::I64, [Dim::symbol("batch")]))
            .output(ValueInfo::new("text", DataType::String, [Dim::symbol("batch")]))
            .node(Node::new(numbers).input("n").output("m"))
            .node(Node::new("Cast").input("m").output("text").attribute("to", DataType::String));
        let path = setting.path(&format!("{numbers}.onnx"));
        std::fs::write(&path, Model::new(13, graph).encode().unwrap()).unwrap();
        path
    };
    let [right, wrong] = ["Identity", "Neg"].map(counts);
    let evaluate = |file: &std::path::Path| {
        let [file, right] = [file, &right].map(|path| path.to_str().unwrap());
        evaluate(&setting, &["--onnx", file, "--against", right, "--engines", "ort:cpu"])
    };
    let output = evaluate(&right);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let shown = text(&evaluate(&wrong).stdout);
    assert!(shown.contains("FAILED: ort:cpu deviates by 1.00e0") && shown.contains("in `text`"), "{shown}");
}
