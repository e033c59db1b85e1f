//! Names that strangers chose: none of them may pass for a line of ours, or reach a terminal as it is.

use std::path::Path;
use std::process::Output;

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};

use crate::bundle::{CONFIG, Shipped, reseal};
use crate::setting::{Setting, text};

/// What a name goes on with after a line break, and after what would clear the screen.
const FORGED: &str = "Passed, says a name";

fn forged(name: &str) -> String {
    format!("{name}\u{1b}[2J\n{FORGED}.\r\u{2028}{FORGED}\u{85}{FORGED}")
}

/// No line begins with what was forged, nothing but line breaks and tabulators controls the terminal, and the name was shown at all.
fn unforged(what: &str, shown: &str) {
    let begins = |line: &str| line.trim_start_matches([' ', '-', '#', '|', '>', '*']).starts_with(FORGED);
    let lines = shown.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    assert!(!lines.into_iter().any(begins), "{what}: {shown}");
    let controls = |letter: char| letter.is_control() && !['\n', '\t'].contains(&letter);
    assert!(!shown.contains(controls), "{what}: {shown:?}");
    assert!(shown.contains(FORGED), "{what} does not show the name: {shown}");
}

fn told(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// `y = x * w` with a name of a stranger's in every place that has one.
fn strange(operator: &str) -> Model {
    let (batch, x, w, y) = (Dim::symbol(forged("batch")), forged("x"), forged("w"), forged("y"));
    let graph = Graph::new(forged("graph"))
        .input(ValueInfo::new(&x, DataType::F32, [batch.clone(), Dim::Known(2)]))
        .output(ValueInfo::new(&y, DataType::F32, [batch, Dim::Known(2)]))
        .initializer(Tensor::vector(&w, &[1.5_f32, -2.0]))
        .node(Node::new(operator).named(forged("node")).input(&x).input(&w).output(&y));
    let mut model = Model::new(11, graph);
    model.producer_name = forged("producer");
    model.metadata.insert(forged("key"), forged("value"));
    model.metadata.insert("warning".to_owned(), forged("warning"));
    model
}

fn evaluate(setting: &Setting, model: &Path, options: &[&str]) -> Output {
    let out = setting.path("onnx.json");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--seconds", "0.02", "--onnx"]).arg(model);
    command.arg("--out").arg(out).args(options).output().unwrap()
}

#[test]
fn an_evaluation_its_page_and_its_document_show_names_in_one_line() {
    let setting = Setting::new();
    let path = setting.path("strange.onnx");
    std::fs::write(&path, strange("Mul").encode().unwrap()).unwrap();
    let output = evaluate(&setting, &path, &["--engines", "ort:cpu", "--tolerance", "1e-12"]);
    unforged("eval", &told(&output));
    assert!(text(&output.stdout).contains("  x\\u001b[2J\\nPassed, says a name"), "{}", told(&output));
    let page = setting.page("onnx", "onnx.json");
    let body = page.split("</style>").nth(1).unwrap();
    unforged("the page", body);
    unforged("the document", &std::fs::read_to_string(setting.path("pages/report/report.md")).unwrap());
    let shown = setting.report(&["--artifacts".as_ref(), setting.path("pages").as_os_str()]);
    unforged("report", &told(&shown));
    // The data keep the names as they are.
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(setting.path("onnx.json")).unwrap()).unwrap();
    assert_eq!(json["file"]["signature"]["inputs"][0]["name"], forged("x"));
}

#[test]
fn what_engines_say_of_a_file_is_one_line() {
    let setting = Setting::new();
    let path = setting.path("strange.onnx");
    std::fs::write(&path, strange(&forged("Frobnicate")).encode().unwrap()).unwrap();
    let output = evaluate(&setting, &path, &["--engines", "ort:cpu"]);
    assert_eq!(output.status.code(), Some(1));
    unforged("eval", &told(&output));
    let wrong = strange("Mul");
    std::fs::write(&path, wrong.encode().unwrap()).unwrap();
    let output = evaluate(&setting, &path, &["--engines", "ort:cpu", "--batch-axis", "none"]);
    assert_eq!(output.status.code(), Some(1));
    unforged("an axis that is not there", &told(&output));
    let output = evaluate(&setting, &path, &["--engines", "ort:cpu", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["file"]["signature"]["inputs"][0]["name"], forged("x"));
    unforged("--json", &told(&output));
}

#[test]
fn refusals_name_files_and_tensors_in_one_line() {
    let setting = Setting::new();
    // A model of other names than the network has.
    let path = setting.path("strange.onnx");
    std::fs::write(&path, strange("Mul").encode().unwrap()).unwrap();
    let output = setting.infer("eval", &["--model", path.to_str().unwrap(), "--limit", "1", "--seconds", "0.01"]);
    assert_eq!(output.status.code(), Some(1));
    unforged("another network", &told(&output));
    // A file that is not there, one that is no model, and weights of other names.
    let missing = setting.path(&forged("missing"));
    unforged("a missing file", &setting.failure("eval", &["--model", missing.to_str().unwrap()]));
    let noise = setting.path(&forged("noise"));
    std::fs::write(&noise, "no model").unwrap();
    unforged("no model", &told(&evaluate(&setting, &noise, &[])));
    let weights = setting.path("strange.safetensors");
    let header = serde_json::json!({ forged("w"): {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} }).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 4]].concat();
    std::fs::write(&weights, bytes).unwrap();
    unforged("weights", &setting.failure("eval", &["--weights", weights.to_str().unwrap()]));
}

#[test]
fn a_bundle_shows_the_names_of_strangers_in_one_line() {
    let shipped = Shipped::new();
    std::fs::write(shipped.bundle.join(forged("extra")), "").unwrap();
    unforged("a file too many", &shipped.told(&shipped.bundle));
    std::fs::remove_file(shipped.bundle.join(forged("extra"))).unwrap();
    let config = std::fs::read_to_string(shipped.bundle.join(CONFIG)).unwrap();
    let config = config.replacen("\"input\"", "\"input\\033[2J\\nPassed, says a name\"", 1);
    std::fs::write(shipped.bundle.join(CONFIG), config).unwrap();
    reseal(&shipped.bundle);
    let told = shipped.told(&shipped.bundle);
    unforged("another input", &told);
    assert!(told.contains("config.pbtxt declares input input\\u001b[2J\\nPassed"), "{told}");
}
