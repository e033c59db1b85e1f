//! The library of ONNX Runtime: what was fetched is loaded only as its manifest declares it, and what nobody declares is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::setting::{Setting, text};

/// The fetched library, where the environment names no other.
fn library(setting: &Setting) -> PathBuf {
    artifact::runtime::fetched(&setting.workspace().join("datasets/onnxruntime")).unwrap()
}

fn told(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Runs a program in a folder with data sets of its own.
fn run(program: &str, arguments: &[&str], root: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_infer")).with_file_name(program);
    Command::new(program).current_dir(root).env_remove("ORT_DYLIB_PATH").args(arguments).output().unwrap()
}

#[test]
fn a_fetched_library_that_was_changed_is_not_loaded() {
    let setting = Setting::new();
    let library = library(&setting);
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("datasets/onnxruntime").join(artifact::runtime::platform());
    fs::create_dir_all(&place).unwrap();
    fs::copy(setting.workspace().join("datasets/onnxruntime.toml"), root.path().join("datasets/onnxruntime.toml"))
        .unwrap();
    let copy = place.join(library.file_name().unwrap());
    fs::copy(&library, &copy).unwrap();
    let model = setting.model().display().to_string();
    let eval = ["eval", "--seconds", "0.01", "--engines", "ort:cpu", "--onnx", &model];
    let output = run("infer", &eval, root.path());
    assert!(output.status.success() && !told(&output).contains("no manifest declares"), "{}", told(&output));
    // A byte behind its end changes nothing for the loader.
    fs::write(&copy, [fs::read(&library).unwrap(), vec![0]].concat()).unwrap();
    let weights = setting.weights().display().to_string();
    for (program, arguments) in [
        ("infer", &eval[..]),
        ("infer", &["doctor"]),
        ("export", &["mnist", "--weights", &weights, "--out", "mnist.onnx"]),
    ] {
        let output = run(program, arguments, root.path());
        assert_eq!(output.status.code(), Some(1), "{program} {arguments:?}: {}", told(&output));
        let expected = "is not the file that datasets/onnxruntime.toml declares, and was not loaded";
        let said = told(&output).replace(&format!("{}/", root.path().canonicalize().unwrap().display()), "");
        assert!(said.contains(expected) && said.contains("`cargo xtask fetch onnxruntime`"), "{said}");
    }
}

#[test]
fn a_library_of_the_users_own_is_told() {
    let setting = Setting::new();
    let own = setting.path("libonnxruntime.so");
    fs::copy(library(&setting), &own).unwrap();
    let expected = format!("at {} is named by ORT_DYLIB_PATH, and no manifest declares it.", own.display());
    let out = setting.path("onnx.json");
    let mut eval = Command::new(env!("CARGO_BIN_EXE_infer"));
    eval.current_dir(setting.workspace()).args(["eval", "--seconds", "0.01", "--engines", "ort:cpu", "--onnx"]);
    let output = eval.arg(setting.model()).arg("--out").arg(&out).env("ORT_DYLIB_PATH", &own).output().unwrap();
    assert!(output.status.success() && told(&output).contains("Note: ONNX Runtime "), "{}", told(&output));
    assert_eq!(told(&output).matches(&expected).count(), 1, "{}", told(&output));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(report["engines"][1]["library"]["origin"], "variable");
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_infer"));
    let output = doctor.current_dir(setting.workspace()).arg("doctor").env("ORT_DYLIB_PATH", &own).output().unwrap();
    assert!(told(&output).contains(&expected), "{}", told(&output));
}
