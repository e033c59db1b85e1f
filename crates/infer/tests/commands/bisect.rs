//! `infer eval --onnx FILE --against OTHER --bisect`.

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
    assert!(shown.contains("(seen down to batch=2)"), "{shown}");
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
