//! `infer eval --onnx FILE --against OTHER --bisect`, and `infer eval mnist --bisect`.

use std::path::{Path, PathBuf};

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use serde_json::Value;

use crate::setting::{Setting, text};

fn save(setting: &Setting, name: &str, graph: Graph) -> PathBuf {
    let path = setting.path(name);
    std::fs::write(&path, Model::new(11, graph).encode().unwrap()).unwrap();
    path
}

fn rows(name: &str) -> ValueInfo {
    ValueInfo::new(name, DataType::F32, [Dim::symbol("batch"), Dim::Known(2)])
}

/// Runs the comparison and gives the report and what was printed; it must fail.
fn part_ways(setting: &Setting, file: &Path, other: &Path, engines: &str) -> (Value, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--bisect", "--seconds", "0.01", "--engines", engines]);
    command.arg("--onnx").arg(file).arg("--against").arg(other).arg("--out").arg(setting.path("onnx.json"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = serde_json::from_slice(&std::fs::read(setting.path("onnx.json")).unwrap()).unwrap();
    (report, text(&output.stdout))
}

/// Two layers; in the other file one weight of the second is another.
fn layers(weight: f32) -> Graph {
    let linear = |name: &str, from: &str, to: &str| {
        Node::new("Gemm").named(name).input(from).input(format!("{name}.weight")).output(to)
    };
    Graph::new("layers")
        .input(rows("x"))
        .output(rows("y"))
        .initializer(Tensor::from_slice("encoder.0.weight", [2, 2], &[1.0_f32, 2.0, 3.0, 4.0]).unwrap())
        .initializer(Tensor::from_slice("encoder.1.weight", [2, 2], &[1.0_f32, 2.0, 3.0, weight]).unwrap())
        .node(linear("encoder.0", "x", "a"))
        .node(Node::new("Relu").named("encoder.relu").input("a").output("b"))
        .node(linear("encoder.1", "b", "c"))
        .node(Node::new("Neg").named("head").input("c").output("y"))
}

#[test]
fn the_layer_with_another_weight_is_found_by_name_under_every_engine() {
    let setting = Setting::new();
    let (file, other) = (save(&setting, "new.onnx", layers(4.5)), save(&setting, "old.onnx", layers(4.0)));
    let (report, shown) = part_ways(&setting, &file, &other, "ort:cpu,tract");
    for engine in &report["engines"].as_array().unwrap()[1..] {
        let departure = &engine["departure"];
        assert_eq!((&departure["name"], &departure["operator"]), (&"encoder.1".into(), &"Gemm".into()));
        assert_eq!((&departure["index"], &departure["nodes"]), (&2.into(), &4.into()));
        assert_eq!(departure["difference"]["output"], "c");
        // One row shows it as well as seven.
        assert_eq!(departure["sizes"], serde_json::json!({"batch": 1}));
        assert_eq!(departure["only_when_fused"], false);
    }
    assert!(
        shown.contains("ort:cpu departs at node 3 of 4, `encoder.1` (Gemm): its output `c` differs by "),
        "{shown}"
    );
}

/// The sum and the mean over a batch are the same for one item, and differ from two on.
#[test]
fn the_smallest_batch_that_shows_it_is_found() {
    let setting = Setting::new();
    let over_batch = |operator: &str| {
        let node = Node::new(operator).named("pool").input("x").output("p").attribute("axes", [0]);
        Graph::new("pool")
            .input(rows("x"))
            .output(rows("y"))
            .node(node)
            .node(Node::new("Add").input("x").input("p").output("y"))
    };
    let (file, other) =
        (save(&setting, "sum.onnx", over_batch("ReduceSum")), save(&setting, "mean.onnx", over_batch("ReduceMean")));
    let (report, shown) = part_ways(&setting, &file, &other, "ort:cpu");
    let departure = &report["engines"][1]["departure"];
    assert_eq!((&departure["name"], &departure["sizes"]["batch"]), (&"pool".into(), &2.into()));
    assert!(shown.contains("(seen down to batch=2, with "), "{shown}");
}

#[test]
fn where_nothing_departs_nothing_is_said() {
    let setting = Setting::new();
    let file = save(&setting, "new.onnx", layers(4.0));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--bisect", "--seconds", "0.01", "--onnx"]).arg(&file);
    let output = command.arg("--out").arg(setting.path("onnx.json")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("departs"));
}

/// Runs the command that a note gives for an engine, and gives the report and its case with those inputs.
fn run_again(setting: &Setting, shown: &str, engine: &str) -> (Value, Value) {
    let note = shown.split_once(&format!(" shows where {engine} departs: ")).unwrap().1;
    let command = note.split('`').nth(1).unwrap();
    let words: Vec<&str> = command.strip_prefix("cargo xtask ").unwrap().split(' ').collect();
    let mut again = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    again.current_dir(setting.workspace()).args(&words).arg("--out").arg(setting.path("again.json"));
    let output = again.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(setting.path("again.json")).unwrap()).unwrap();
    let inputs = words[words.iter().position(|word| *word == "--inputs").unwrap() + 1];
    let cases = report["engines"][1]["verification"]["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["label"] == inputs).unwrap().clone();
    (report, case)
}

/// The inputs are handed over with as few values as show it, and show it again. `c` departs by `0.5 b_1`, where `b_1` is
/// `2 x_0 + 4 x_1` if that is positive: one positive element is enough.
#[test]
fn the_simplest_inputs_are_written_and_show_it_again() {
    let setting = Setting::new();
    let (file, other) = (save(&setting, "new.onnx", layers(4.5)), save(&setting, "old.onnx", layers(4.0)));
    let (report, shown) = part_ways(&setting, &file, &other, "ort:cpu,tract");
    for (engine, name) in [(1, "ort-cpu"), (2, "tract")] {
        let departure = &report["engines"][engine]["departure"];
        assert_eq!((&departure["nonzero"], &departure["elements"]), (&1.into(), &2.into()), "{shown}");
        let path = setting.path(&format!("onnx.{name}.trigger.safetensors"));
        assert_eq!(departure["trigger"], path.to_str().unwrap());
        assert!(path.is_file());
    }
    assert!(shown.contains("(seen down to batch=1, with 1 of 2 input elements other than zero)"), "{shown}");
    for engine in ["ort:cpu", "tract"] {
        let (_, case) = run_again(&setting, &shown, engine);
        let output = &case["outputs"][0];
        assert!(output["absolute"].as_f64().unwrap() > output["limit"].as_f64().unwrap(), "{case}");
    }
    assert_eq!(setting.leftovers(), Vec::<String>::new());

    // What was handed over for an earlier report misleads once that is gone.
    part_ways(&setting, &file, &other, "tract");
    assert!(!setting.path("onnx.ort-cpu.trigger.safetensors").exists());
    assert!(setting.path("onnx.tract.trigger.safetensors").is_file());
    // The user's own inputs stay, whatever they are called.
    let own = setting.path("onnx.tract.trigger.safetensors");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--seconds", "0.01", "--engines", "tract"]);
    command.arg("--inputs").arg(&own).arg("--out").arg(setting.path("onnx.json"));
    let output = command.arg("--onnx").arg(&file).output().unwrap();
    assert!(output.status.success() && own.is_file(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// What a convolution is scaled by: `x 2^-100 * w 2^67 * 2^66 * 2^-33` is `x w` without any rounding. ONNX Runtime folds the
/// factor 2^66 into the weights of the convolution, where 2^133 is no float32 any more. It does not where the convolution's
/// own result is an output.
const SHRINK: f32 = 1.0 / (1_u128 << 100) as f32;
const ENLARGE: f32 = (1_u128 << 67) as f32;
const SCALE: f32 = (1_u128 << 66) as f32;
const RESTORE: f32 = 1.0 / (1_u64 << 33) as f32;

/// A convolution that overflows only when it is fused with what follows it, from `from` to `to`.
fn fragile(graph: Graph, from: &str, to: &str, weight: &str, channels: usize) -> Graph {
    let factor =
        |name: &str, value: f32| Tensor::from_slice(name, [channels as u64, 1, 1], &vec![value; channels]).unwrap();
    graph
        .initializer(Tensor::from_slice("shrink", [1], &[SHRINK]).unwrap())
        .initializer(factor("scale", SCALE))
        .initializer(factor("restore", RESTORE))
        .node(Node::new("Mul").named("stem.shrink").input(from).input("shrink").output("stem.0"))
        .node(Node::new("Conv").named("stem.conv").input("stem.0").input(weight).output("stem.1"))
        .node(Node::new("Mul").named("stem.scale").input("stem.1").input("scale").output("stem.2"))
        .node(Node::new("Mul").named("stem.restore").input("stem.2").input("restore").output(to))
}

/// Every node by itself is right; only the fused one is wrong.
#[test]
fn an_error_that_exists_only_in_the_fused_graph_is_found() {
    let setting = Setting::new();
    let image = |name: &str, channels: u64| {
        ValueInfo::new(name, DataType::F32, [Dim::symbol("batch"), Dim::Known(channels), Dim::Known(3), Dim::Known(3)])
    };
    let graph = Graph::new("fragile")
        .input(image("x", 1))
        .output(image("y", 2))
        .initializer(Tensor::from_slice("w", [2, 1, 1, 1], &[0.5 * ENLARGE, 3.0 * ENLARGE]).unwrap());
    let file = save(&setting, "fragile.onnx", fragile(graph, "x", "y", "w", 2));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args([
        "eval",
        "--bisect",
        "--seconds",
        "0.01",
        "--engines",
        "ort:cpu,tract",
    ]);
    let output = command.arg("--onnx").arg(&file).arg("--out").arg(setting.path("onnx.json")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(setting.path("onnx.json")).unwrap()).unwrap();
    let departure = &report["engines"][1]["departure"];
    assert_eq!(
        (&departure["name"], &departure["only_when_fused"]),
        (&"stem.scale".into(), &true.into()),
        "{departure}"
    );
    assert_eq!(departure["sizes"], serde_json::json!({"batch": 1}));
    // tract does not fold that factor, and is right.
    assert_eq!((&report["engines"][2]["error"], &report["engines"][2]["departure"]), (&Value::Null, &Value::Null));
    let shown = text(&output.stdout);
    assert!(shown.contains("it errs in a fusion that ends there"), "{shown}");
    // A weight that has become infinite makes no number even of zeros.
    assert!(shown.contains("(seen down to batch=1, with nothing but zeros in the inputs)"), "{shown}");
    let (report, case) = run_again(&setting, &shown, "ort:cpu");
    assert_eq!((&report["passed"], &case["error"]), (&false.into(), &Value::Null), "{case}");
}

/// The network of the setting, with its first convolution as one that overflows when it is fused.
fn fragile_mnist(setting: &Setting) -> PathBuf {
    let mut model = Model::load(setting.model()).unwrap();
    let mut graph = std::mem::replace(&mut model.graph, Graph::new("mnist"));
    let weight = graph.initializers.iter_mut().find(|tensor| tensor.name == "conv1.weight").unwrap();
    let enlarged: Vec<f32> = weight.to_vec::<f32>().unwrap().iter().map(|w| w * ENLARGE).collect();
    *weight = Tensor::from_slice("conv1.weight", [32, 1, 3, 3], &enlarged).unwrap();
    let bias = graph.initializers.iter_mut().find(|tensor| tensor.name == "conv1.bias").unwrap();
    let values = bias.to_vec::<f32>().unwrap();
    *bias = Tensor::from_slice("conv1.bias", [32, 1, 1], &values).unwrap();
    let rest = graph.nodes.split_off(1);
    graph.nodes.clear();
    let mut graph = fragile(graph, "input", "stem.3", "conv1.weight", 32)
        .node(Node::new("Add").named("stem.bias").input("stem.3").input("conv1.bias").output("a"));
    graph.nodes.extend(rest);
    save(setting, "fragile.onnx", graph)
}

fn evaluate_mnist(setting: &Setting, model: &Path, options: &[&str]) -> (Value, String) {
    let common = ["--seconds", "0.05", "--batches", "1", "--bisect", "--model", model.to_str().unwrap()];
    let output = setting.infer("eval", &[&common[..], options].concat());
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = serde_json::from_slice(&std::fs::read(setting.path("eval.json")).unwrap()).unwrap();
    (report, text(&output.stdout))
}

#[test]
fn a_network_by_name_is_bisected_where_an_engine_departs_from_its_file() {
    let setting = Setting::new();
    let (report, shown) = evaluate_mnist(&setting, &fragile_mnist(&setting), &[]);
    let departure = &report["engines"][1]["departure"];
    assert_eq!((&departure["name"], &departure["only_when_fused"]), (&"stem.scale".into(), &true.into()), "{shown}");
    assert_eq!(departure["sizes"], serde_json::json!({"batch": 1}));
    assert!(shown.contains("ort:cpu departs at node 3 of 14, `stem.scale` (Mul)"), "{shown}");
    let page = setting.page("mnist", "eval.json");
    assert!(page.contains("ort:cpu departs at node 3 of 14"));
    // The inputs can be run by the file alone.
    assert_eq!(departure["trigger"], setting.path("eval.ort-cpu.trigger.safetensors").to_str().unwrap());
    let (_, case) = run_again(&setting, &shown, "ort:cpu");
    assert_eq!(case["error"], Value::Null, "{case}");
}

#[test]
fn a_file_that_is_not_of_these_weights_is_told_and_bisected_against_one_that_is() {
    let setting = Setting::new();
    let mut model = Model::load(setting.model()).unwrap();
    let weight = model.graph.initializers.iter_mut().find(|tensor| tensor.name == "fc1.weight").unwrap();
    let mut values = weight.to_vec::<f32>().unwrap();
    values[5] += 1.0;
    *weight = Tensor::from_slice("fc1.weight", [128, 9216], &values).unwrap();
    let path = setting.path("changed.onnx");
    std::fs::write(&path, model.encode().unwrap()).unwrap();
    let (report, shown) = evaluate_mnist(&setting, &path, &[]);
    assert_eq!(report["engines"][1]["departure"], Value::Null);
    assert!(shown.contains("changed.onnx deviates by ") && shown.contains("--bisect --against OTHER"), "{shown}");
    let good = setting.model();
    let (report, shown) = evaluate_mnist(&setting, &path, &["--against", good.to_str().unwrap()]);
    let departure = &report["engines"][1]["departure"];
    // The nodes of this file have no names; the value that the node makes stands for it.
    assert_eq!((&departure["name"], &departure["operator"]), (&"g".into(), &"Gemm".into()), "{shown}");
    assert_eq!(departure["only_when_fused"], false);
    let (_, shown) = evaluate_mnist(&setting, &path, &["--against", path.to_str().unwrap()]);
    assert!(shown.contains("no reference for --bisect"), "{shown}");
    // What was found out before stays, whatever becomes of the search.
    let (report, shown) = evaluate_mnist(&setting, &path, &["--against", "no/such.onnx"]);
    assert!(shown.contains("nothing was bisected: ") && shown.contains("no/such.onnx"), "{shown}");
    assert_eq!(report["engines"][1]["verification"]["passed"], false);
}
