//! What `infer eval --onnx FILE` makes of what it finds: limits, and the inputs that decide.

use std::path::{Path, PathBuf};
use std::process::Output;

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::setting::text;

/// A folder with models and inputs, removed at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn model(&self, name: &str, opset: i64, graph: Graph) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, Model::new(opset, graph).encode().unwrap()).unwrap();
        path
    }

    fn inputs(&self, name: &str, values: &[f32], shape: &[usize]) -> PathBuf {
        let path = self.path(name);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
        safetensors::serialize_to_file([("x", view)], None, &path).unwrap();
        path
    }

    /// Evaluates under ONNX Runtime on the CPU.
    fn evaluate(&self, model: &Path, options: &[&str]) -> Output {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).args(["eval", "--onnx"]).arg(model);
        command.args(["--engines", "ort:cpu", "--seconds", "0.01", "--out"]).arg(self.path("onnx.json"));
        command.args(options).output().unwrap()
    }

    fn cases(&self) -> Vec<Value> {
        let report: Value = serde_json::from_slice(&std::fs::read(self.path("onnx.json")).unwrap()).unwrap();
        report["engines"][1]["verification"]["cases"].as_array().unwrap().clone()
    }

    fn labels(&self) -> Vec<String> {
        self.cases().iter().map(|case| case["label"].as_str().unwrap().to_owned()).collect()
    }

    /// The first output of a case.
    fn output(&self, case: usize) -> Value {
        self.cases()[case]["outputs"][0].clone()
    }
}

fn float(name: &str, shape: &[Dim]) -> ValueInfo {
    ValueInfo::new(name, DataType::F32, shape.to_vec())
}

/// A pool of 3 by 3 makes one row of one or two under ONNX Runtime, and none by the rules of ONNX and in float64.
#[test]
fn a_size_that_float64_does_not_run_leaves_the_others() {
    let folder = Folder::new();
    let sizes = |last: &str| [Dim::Known(1), Dim::Known(1), Dim::symbol(format!("H{last}")), Dim::Known(48)];
    let pool = Node::new("AveragePool").input("x").output("p").attribute("kernel_shape", [3, 3]);
    let graph = Graph::new("pooled").input(float("x", &sizes(""))).output(float("y", &sizes("out")));
    let graph = graph.node(pool.attribute("strides", [3, 3])).node(Node::new("Conv").inputs(["p", "w"]).output("y"));
    let graph = graph.initializer(Tensor::from_slice("w", [1, 1, 1, 1], &[0.7_f32]).unwrap());
    let model = folder.model("pooled.onnx", 13, graph);
    let output = folder.evaluate(&model, &["--shape", "H=2"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    // An image has at least 16 pixels, and a multiple of the stride; two are the user's choice.
    assert_eq!(folder.labels(), ["H=2", "H=18", "H=21", "H=36"]);
    assert!(shown.contains("Note: float64 does not run at H=2, so the limit there is 1.0e-3"), "{shown}");
    // The others are judged by float64.
    let (near, apart) = (folder.output(1), folder.output(0));
    assert_eq!((&near["apart"], &apart["apart"]), (&false.into(), &true.into()));
    let share = |output: &Value| output["limit"].as_f64().unwrap();
    assert!(share(&near) < 1e-5 && share(&apart) > 1e-5, "{near} {apart}");
}

/// ONNX names three rows where there are five of them: the nodes say what the shape is.
#[test]
fn a_wrongly_declared_output_shape_spoils_nothing() {
    let folder = Folder::new();
    let (x, y) = ([Dim::symbol("batch"), Dim::Known(5), Dim::Known(3)], [Dim::symbol("batch"), Dim::Known(3)]);
    let graph = Graph::new("rows").input(float("x", &x)).output(float("y", &y));
    let graph = graph.node(Node::new("Sigmoid").input("x").output("y"));
    let model = folder.model("rows.onnx", 13, graph);
    let output = folder.evaluate(&model, &[]);
    let shown = text(&output.stdout);
    assert!(
        output.status.success() && shown.contains("Validation against ort:cpu (graph as it is) in float64"),
        "{shown}"
    );
    assert!(!shown.contains("Note: float64 does not"), "{shown}");
}

/// The logarithm of what is negative is no number under any engine.
#[test]
fn inputs_lie_where_the_first_operators_make_something_of_them() {
    let folder = Folder::new();
    let axes = [Dim::symbol("batch"), Dim::Known(3)];
    let model = |name: &str, weight: f32| {
        let graph = Graph::new("logarithm").input(float("x", &axes)).output(float("y", &axes));
        let graph = graph.node(Node::new("Log").input("x").output("log"));
        let graph = graph.node(Node::new("Mul").inputs(["log", "w"]).output("y"));
        folder.model(name, 13, graph.initializer(Tensor::from_slice("w", [], &[weight]).unwrap()))
    };
    let (right, wrong) = (model("right.onnx", 0.7), model("wrong.onnx", 0.71));
    let output = folder.evaluate(&right, &[]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let output = folder.evaluate(&wrong, &["--against", right.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert!(output.status.code() == Some(1) && shown.contains("FAILED: ort:cpu deviates by"), "{shown}");
}

/// As exporters write them: `2*batch`, and `?` for sizes of which nothing is known.
#[test]
fn axes_are_what_exporters_write() {
    let folder = Folder::new();
    let axes = |names: [&str; 2]| names.map(Dim::symbol);
    let graph = Graph::new("stacked")
        .input(float("x", &axes(["batch", "?"])))
        .input(float("both", &axes(["2*batch", "?"])))
        .output(float("y", &axes(["rows", "columns"])))
        .node(Node::new("Concat").inputs(["x", "x"]).output("twice").attribute("axis", 0_i64))
        .node(Node::new("MatMul").inputs(["turned", "twice"]).output("y"))
        .node(Node::new("Transpose").input("both").output("turned").attribute("perm", [1, 0]));
    let mut graph = graph;
    graph.sort();
    let output = folder.evaluate(&folder.model("stacked.onnx", 13, graph), &["--shape", "x.1=3"]);
    let shown = text(&output.stdout);
    assert!(output.status.success() && !shown.contains("does not run"), "{shown}{}", text(&output.stderr));
    assert_eq!(folder.labels()[0], "batch=1 both.1=1 x.1=3");
}

/// 100 / 0 is infinite, and ONNX does not say which integer that is.
#[test]
fn the_users_own_inputs_alone_decide_if_that_is_asked_for() {
    let folder = Folder::new();
    let axes = [Dim::symbol("batch")];
    let graph = Graph::new("quotient")
        .input(float("x", &axes))
        .output(float("y", &axes))
        .node(Node::new("Div").inputs(["hundred", "x"]).output("y"))
        .initializer(Tensor::from_slice("hundred", [1], &[100.0_f32]).unwrap());
    let model = folder.model("quotient.onnx", 11, graph);
    let inputs = folder.inputs("mine.safetensors", &[4.0, 7.0, 9.0], &[3]);
    let inputs = inputs.to_str().unwrap();
    let output = folder.evaluate(&model, &["--inputs", inputs, "--only-inputs", "--batches", "1,8"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert_eq!(folder.labels(), [inputs]);
    let output = folder.evaluate(&model, &["--inputs", inputs]);
    assert!(output.status.success() && folder.labels().len() == 5, "{}", text(&output.stdout));
    let output = folder.evaluate(&model, &["--only-inputs"]);
    assert!(!output.status.success() && text(&output.stderr).contains("--inputs <PATH>"), "{}", text(&output.stderr));
}

#[test]
fn every_whole_number_and_bfloat16_are_compared() {
    let folder = Folder::new();
    for dtype in [DataType::U16, DataType::I16, DataType::U32, DataType::U64, DataType::BF16] {
        let value = |name: &str| ValueInfo::new(name, dtype, [Dim::symbol("batch")]);
        let cast =
            |from: &str, to: &str, dtype: DataType| Node::new("Cast").input(from).output(to).attribute("to", dtype);
        let graph = Graph::new("there and back").input(value("x")).output(value("y"));
        let graph = graph.node(cast("x", "f", DataType::F32)).node(cast("f", "y", dtype));
        let output = folder.evaluate(&folder.model("types.onnx", 13, graph), &[]);
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{shown}{}", text(&output.stderr));
        assert!(shown.contains(&format!("x: {} [batch]", dtype.name())), "{shown}");
        assert_eq!(folder.output(2)["absolute"], 0.0);
    }
}

/// 8-bit floats and 4-bit integers go in and out as floats.
#[test]
fn narrow_ends_are_given_as_floats() {
    let folder = Folder::new();
    let value = |name: &str, dtype| ValueInfo::new(name, dtype, [Dim::symbol("batch")]);
    for (dtype, name) in [(DataType::F8E4M3FN, "float8e4m3fn"), (DataType::I4, "int4")] {
        let cast =
            |from: &str, to: &str, dtype: DataType| Node::new("Cast").input(from).output(to).attribute("to", dtype);
        let graph = Graph::new("there and back").input(value("x", dtype)).output(value("y", dtype));
        let graph = graph.node(cast("x", "f", DataType::F32)).node(cast("f", "y", dtype));
        let model = folder.model("narrow.onnx", 21, graph);
        let values = if dtype == DataType::I4 { [-8.0, 3.0, 7.0] } else { [0.3, -448.0, 1.0] };
        folder.inputs("mine.safetensors", &values, &[3]);
        let inputs = folder.path("mine.safetensors");
        let output = folder.evaluate(&model, &["--inputs", inputs.to_str().unwrap()]);
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{shown}{}", text(&output.stderr));
        let note = format!(
            "Note: given and compared as float, with a Cast between that and the model: `x` ({name}), `y` ({name})."
        );
        assert!(shown.contains(&note), "{shown}");
    }
}

/// What has no values here is refused by the name that ONNX gives it.
#[test]
fn other_types_are_called_by_their_names() {
    let folder = Folder::new();
    let graph = Graph::new("odd")
        .input(ValueInfo::new("x", DataType::String, [Dim::symbol("batch")]))
        .output(float("y", &[Dim::symbol("batch")]))
        .node(Node::new("Cast").input("x").output("y").attribute("to", DataType::F32));
    let output = folder.evaluate(&folder.model("odd.onnx", 21, graph), &[]);
    let message = text(&output.stderr);
    let expected = "error: the input `x` is of the type string, for which no values can be made up";
    assert!(message.starts_with(expected), "{message}{}", text(&output.stdout));
}

/// Adds the columns of x and makes a whole number of the sum, times `factor`. By hand: of 2^24, 1 and -2^24 float32 gives 0 from the
/// left, since 2^24 + 1 is rounded to 2^24, and 1 from the right, as it is.
fn sum(from_the_left: bool, factor: f32) -> Graph {
    let column = |index: usize, name: &str| {
        Node::new("Gather").inputs(["x", &format!("i{index}")]).output(name).attribute("axis", 1_i64)
    };
    let add = |a: &str, b: &str, to: &str| Node::new("Add").inputs([a, b]).output(to);
    let sums = match from_the_left {
        true => [add("a", "b", "part"), add("part", "c", "sum")],
        false => [add("b", "c", "part"), add("a", "part", "sum")],
    };
    let graph = Graph::new("sum").input(float("x", &[Dim::symbol("batch"), Dim::Known(3)])).output(ValueInfo::new(
        "y",
        DataType::I64,
        [Dim::symbol("batch")],
    ));
    let mut graph = graph.node(column(0, "a")).node(column(1, "b")).node(column(2, "c"));
    graph.nodes.extend(sums);
    let graph = graph.node(Node::new("Mul").inputs(["sum", "factor"]).output("product"));
    let graph = graph.node(Node::new("Cast").input("product").output("y").attribute("to", DataType::I64));
    let indices = (0..3_i64).map(|index| Tensor::from_slice(format!("i{index}"), [], &[index]).unwrap());
    let mut graph = graph.initializer(Tensor::from_slice("factor", [], &[factor]).unwrap());
    graph.initializers.extend(indices);
    graph
}

#[test]
fn a_whole_number_may_fall_to_either_side_of_a_jump_that_is_near() {
    let folder = Folder::new();
    let power = 16_777_216.0;
    let inputs = folder.inputs("mine.safetensors", &[power, 1.0, -power, power, 3.0, -power], &[2, 3]);
    let right = folder.model("right.onnx", 13, sum(false, 1.0));
    let options = |right: &Path| {
        ["--inputs", inputs.to_str().unwrap(), "--only-inputs", "--against", right.to_str().unwrap()].map(str::to_owned)
    };
    let options = options(&right);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let output = folder.evaluate(&folder.model("left.onnx", 13, sum(true, 1.0)), &options);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    // 2^24 + 3 is rounded to 2^24 + 4: 4 is no neighbour of 3.
    assert!(shown.contains("FAILED: ort:cpu deviates by 1.00e0 from float64 in `y`"), "{shown}");
    folder.inputs("mine.safetensors", &[power, 1.0, -power, power, 2.0, -power], &[2, 3]);
    let output = folder.evaluate(&folder.model("left.onnx", 13, sum(true, 1.0)), &options);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    // A real difference: the other sign.
    let output = folder.evaluate(&folder.model("wrong.onnx", 13, sum(false, -1.0)), &options);
    let shown = text(&output.stdout);
    assert!(shown.contains("FAILED: ort:cpu deviates by 4.00e0 from float64 in `y`"), "{shown}");
    // Of the largest value, 2, a share of 1 is the user's choice.
    let output = folder
        .evaluate(&folder.model("left.onnx", 13, sum(true, 1.0)), &[&options[..], &["--tolerance", "1"]].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// By hand: x + x.
#[test]
fn outputs_that_are_known_to_be_right_are_compared_as_well() {
    let folder = Folder::new();
    let graph =
        Graph::new("twice").input(float("x", &[Dim::symbol("batch")])).output(float("y", &[Dim::symbol("batch")]));
    let model = folder.model("twice.onnx", 13, graph.node(Node::new("Add").inputs(["x", "x"]).output("y")));
    folder.inputs("mine.safetensors", &[1.0, -2.0, 3.0], &[3]);
    let right = |name: &str, values: &[f32]| {
        let path = folder.path("right.safetensors");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![values.len()], &bytes).unwrap();
        safetensors::serialize_to_file([(name, view)], None, &path).unwrap();
    };
    let [inputs, expected] = ["mine.safetensors", "right.safetensors"].map(|name| folder.path(name));
    let given = ["--inputs", inputs.to_str().unwrap(), "--expected", expected.to_str().unwrap()];
    right("y", &[2.0, -4.0, 6.0]);
    let output = folder.evaluate(&model, &given);
    let shown = text(&output.stdout);
    assert!(
        output.status.success() && shown.contains("Compared with the outputs of --expected"),
        "{shown}{}",
        text(&output.stderr)
    );
    // 0.012 of 6 are 2e-3: the file gives something else, in the reference and in every engine.
    right("y", &[2.0, -4.0, 6.012]);
    let shown = text(&folder.evaluate(&model, &given).stdout);
    assert!(
        shown.contains("FAILED: ort:cpu (graph as it is) deviates by 1.20e-2 from the outputs of --expected in `y`"),
        "{shown}"
    );
    assert!(shown.contains("FAILED: ort:cpu deviates by 1.20e-2 from the outputs of --expected"), "{shown}");
    assert!(folder.evaluate(&model, &[&given[..], &["--tolerance", "0.01"]].concat()).status.success());
    let refused = |options: &[&str]| {
        let output = folder.evaluate(&model, options);
        assert!(!output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
        text(&output.stderr)
    };
    right("y", &[2.0, -4.0]);
    assert!(refused(&given).contains("--expected: the output `y` is float [2], and the model gives float [3] ("));
    right("z", &[2.0, -4.0, 6.0]);
    assert!(refused(&given).contains("the output `z` is none of the model, which gives y"));
    let once_more = ["--inputs", inputs.to_str().unwrap()];
    assert!(refused(&[&given[..], &once_more].concat()).contains("--expected is given 1 times and --inputs 2 times"));
    assert!(refused(&given[2..]).contains("--inputs <PATH>"));
}

/// ONNX's own form of test data: `input_0.pb` and `output_0.pb` in one folder.
#[test]
fn a_folder_of_onnx_test_data_has_both() {
    let folder = Folder::new();
    let graph = Graph::new("twice").input(float("x", &[Dim::Known(2)])).output(float("y", &[Dim::Known(2)]));
    let model = folder.model("twice.onnx", 13, graph.node(Node::new("Add").inputs(["x", "x"]).output("y")));
    // TensorProto by its field numbers: dims (1) of 2, data_type (2) of float, raw_data (9).
    let tensor = |values: [f32; 2]| [&[0x08, 2, 0x10, 1, 0x4a, 8][..], &values.map(f32::to_le_bytes).concat()].concat();
    let data = folder.path("test_data_set_0");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("input_0.pb"), tensor([0.5, -3.0])).unwrap();
    std::fs::write(data.join("output_0.pb"), tensor([1.0, -6.0])).unwrap();
    let second = data.join("output_1.pb");
    let data = data.to_str().unwrap();
    let output = folder.evaluate(&model, &["--inputs", data, "--expected", data, "--only-inputs"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    std::fs::write(second, tensor([1.0, -6.0])).unwrap();
    let output = folder.evaluate(&model, &["--inputs", data, "--expected", data]);
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("holds 2 files output_N.pb, and the model gives y"), "{shown}{said}");
}
