//! `infer inspect`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use onnx_model::{External, Model, SaveOptions};
use serde_json::{Value, json};

use crate::bundle::Shipped;
use crate::setting::{Setting, text};

fn inspect(path: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    // There is no library: none is needed.
    command.env("ORT_DYLIB_PATH", "no/such/library").arg("inspect").arg(path).args(options).output().unwrap()
}

/// What is told of a file that Kiln would open.
fn opened(path: &Path) -> (String, Value) {
    let output = inspect(path, &[]);
    let shown = text(&output.stdout);
    assert!(output.status.success() && shown.ends_with("Kiln would open it.\n"), "{shown}{}", text(&output.stderr));
    let json = serde_json::from_slice::<Value>(&inspect(path, &["--json"]).stdout).unwrap();
    assert_eq!((&json["opens"], &json["refused"]), (&json!(true), &Value::Null));
    (shown, json)
}

/// Why Kiln would not open it.
fn refused(path: &Path) -> String {
    let output = inspect(path, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let json = serde_json::from_slice::<Value>(&inspect(path, &["--json"]).stdout).unwrap();
    assert_eq!(json["opens"], false);
    let reason = json["refused"].as_str().unwrap().to_owned();
    assert!(text(&output.stdout).contains(&format!("Kiln would not open it: {reason}.")), "{}", text(&output.stdout));
    reason
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The numbers are those of PyTorch's MNIST example: 320 + 18496 + 1179776 + 1290 parameters.
#[test]
fn a_model_is_told() {
    let setting = Setting::new();
    let mut model = Model::load(setting.model()).unwrap();
    model.producer_name = "a producer".to_owned();
    model.metadata.insert("weights.sha256".to_owned(), "0123".to_owned());
    let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
    model.save_with(setting.path("large.onnx"), &options).unwrap();
    let (shown, json) = opened(&setting.path("large.onnx"));
    for part in [
        "large.onnx: ONNX\nTakes\n  input: float[batch, 1, 28, 28]\nGives\n  output: float[batch, 10]\nopset 11, IR version 6, ",
        "10 nodes in 1 graph\nOperators\n  Conv 2\n",
        "1,199,882 parameters, 8 tensors with ",
        "Values in other files\n  large.onnx.data: ",
        "It says of itself\n  written by: a producer\n  graph: mnist\n  weights.sha256: 0123\n",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!((&json["format"], &json["parameters"], &json["nodes"]), (&json!("ONNX"), &json!(1_199_882), &json!(10)));
    assert_eq!(json["opsets"], json!({"": 11}));
    assert_eq!(
        json["operators"],
        json!({"Conv": 2, "Flatten": 1, "Gemm": 2, "LogSoftmax": 1, "MaxPool": 1, "Relu": 3})
    );
    assert_eq!(json["external"][0]["location"], "large.onnx.data");
    assert_eq!(json["unusual"], json!([]));
}

#[test]
fn what_few_models_have_is_told() {
    let setting = Setting::new();
    let mut model = Model::load(setting.model()).unwrap();
    model.graph.nodes[0].domain = "com.example".to_owned();
    model.opset_imports.insert("com.example".to_owned(), 1);
    model.opset_imports.insert(String::new(), 99);
    model.metadata.insert("two\nlines".to_owned(), String::new());
    let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
    model.save_with(setting.path("odd.onnx"), &options).unwrap();
    fs::write(setting.path("odd.onnx.data"), [fs::read(setting.path("odd.onnx.data")).unwrap(), vec![0; 5]].concat())
        .unwrap();
    let (shown, _) = opened(&setting.path("odd.onnx"));
    for part in [
        "Unusual: its opset 99 is later than ",
        "Unusual: operators that are not ONNX's own: com.example.Conv.",
        "Unusual: 5 bytes of `odd.onnx.data` belong to no tensor.",
        "Unusual: 1 name with characters that cannot be seen, such as `two\\nlines`.",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn weights_are_told() {
    let setting = Setting::new();
    let (shown, json) = opened(&setting.weights());
    assert!(
        shown.contains("model.safetensors: safetensors\n1,199,882 parameters in 8 tensors (8 of f32), "),
        "{shown}"
    );
    assert!(shown.contains("conv1.weight  f32   [32, 1, 3, 3]\n"), "{shown}");
    assert_eq!(json["tensors"][1], json!({"name": "conv1.weight", "type": "f32", "shape": [32, 1, 3, 3]}));
    // What PyTorch itself wrote, in both of its formats.
    let folder = fixture("models/tests/fixtures/weights");
    for (name, format) in [("zip.pth", "PyTorch"), ("legacy.pth", "PyTorch, legacy")] {
        let (shown, json) = opened(&folder.join(name));
        assert_eq!(json["format"], format, "{shown}");
        assert_eq!(shown.contains("has no checksums"), name == "legacy.pth", "{shown}");
    }
}

#[test]
fn a_bundle_is_told_and_a_changed_one_refused() {
    let shipped = Shipped::new();
    let (shown, json) = opened(&shipped.bundle);
    assert!(shown.contains(": bundle\nmnist: ") && shown.contains("batches of up to 8\n"), "{shown}");
    assert!(
        shown.contains("Takes\n  input: float [batch, 1, 28, 28]\n") && shown.contains("bundled at abc"),
        "{shown}"
    );
    assert_eq!((&json["format"], &json["name"]), (&json!("bundle"), &json!("mnist")));
    fs::write(shipped.bundle.join("extra"), "").unwrap();
    assert!(refused(&shipped.bundle).starts_with("extra is not in the manifest"));
}

#[test]
fn what_is_no_such_file_is_refused_with_its_reason() {
    let setting = Setting::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let model = fs::read(setting.model()).unwrap();
    let weights = fs::read(setting.weights()).unwrap();
    for (name, bytes, word) in [
        ("pointer.onnx", &pointer[..], "Git LFS pointer"),
        ("pointer.pth", pointer, "Git LFS pointer"),
        ("pointer.safetensors", pointer, "Git LFS pointer"),
        ("empty.onnx", b"", "it is empty"),
        ("empty.pth", b"", "it is empty"),
        ("cut.onnx", &model[..model.len() / 2], "cut off"),
        ("cut.safetensors", &weights[..weights.len() / 2], "cut off on its way here"),
        ("page.pth", b"<!doctype html><html></html>", "a web page"),
        ("text.onnx", b"a text", "no ONNX model"),
        ("index.json", br#"{"weight_map": {"w": "../outside.safetensors"}}"#, "not a plain file name"),
        // `print('hello')` as a pickle, in place of a harmful one.
        (
            "code.pth",
            b"\x80\x02cbuiltins\nprint\nX\x05\x00\x00\x00hello\x85R.",
            "a builtins.print where a dictionary of tensors belongs",
        ),
    ] {
        let path = setting.path(name);
        fs::write(&path, bytes).unwrap();
        let reason = refused(&path);
        assert!(reason.contains(word), "{name}: {reason}");
    }
    fs::create_dir(setting.path("folder")).unwrap();
    assert!(refused(&setting.path("folder")).contains("holds none of model.safetensors, "));
    assert!(refused(&setting.path("none.onnx")).contains("cannot open"));
}
