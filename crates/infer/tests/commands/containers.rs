//! What `infer eval --onnx FILE` makes of text, sequences and optional inputs.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::setting::text;

/// A copy of the files that `fixtures/containers.py` wrote, with the outputs of ONNX's reference evaluator.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/containers"));
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn evaluate(folder: &Path, options: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).args(["eval", "--onnx"]);
    command.arg(folder.join("model.onnx")).args(["--seconds", "0.01", "--out"]);
    let report = tempfile::tempdir().unwrap();
    command.arg(report.path().join("onnx.json")).args(options).output().unwrap()
}

/// Rewrites one of the files where it holds these bytes.
fn change(folder: &Path, name: &str, from: &[u8], to: &[u8]) -> PathBuf {
    let path = folder.join(name);
    let bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    std::fs::write(&path, [&bytes[..at], to, &bytes[at + from.len()..]].concat()).unwrap();
    path
}

#[test]
fn text_sequences_and_optional_inputs_are_given_and_compared() {
    let folder = files();
    let data = folder.path().to_str().unwrap();
    let given = ["--inputs", data, "--only-inputs", "--expected", data];
    let on = |options: &[&str]| {
        let output = evaluate(folder.path(), &[options, &["--engines", "ort:cpu"]].concat());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (status, shown) = on(&given);
    assert_eq!(status, Some(0), "{shown}");
    let listed = "first: sequence(tensor(float))";
    assert!(shown.contains(listed) && shown.contains("last: optional(tensor(float))"), "{shown}");
    // By the file alone, without what is known to be right: a tensor without elements proves nothing.
    let (status, shown) = on(&given[..3]);
    assert!(!shown.contains("FAILED") && shown.contains("NOT PROVEN: `all[1]` is empty in every case."), "{shown}");
    assert_eq!(status, Some(1), "{shown}");
    // tract has neither.
    let output = evaluate(folder.path(), &[&given[..], &["--engines", "tract"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    // Values cannot be made up.
    let (status, shown) = on(&[]);
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("for which no values can be made up; --inputs FILE --only-inputs runs on yours"), "{shown}");
}

#[test]
fn what_differs_in_a_text_or_a_sequence_fails() {
    let judged = |name: &str, from: &[u8], to: &[u8]| {
        let folder = files();
        change(folder.path(), name, from, to);
        let data = folder.path().to_str().unwrap();
        let output =
            evaluate(folder.path(), &["--inputs", data, "--only-inputs", "--expected", data, "--engines", "ort:cpu"]);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    // The output is "naïveté", "s".
    let (status, shown) = judged("output_1.pb", "naïveté".as_bytes(), "naïvetä".as_bytes());
    assert!(shown.contains("from the outputs of --expected in `joined`"), "{shown}");
    assert_eq!(status, Some(1));
    // 0.25 is the last tensor of the output, which now is 0.5.
    let (status, shown) = judged("output_0.pb", &0.25_f32.to_le_bytes(), &0.5_f32.to_le_bytes());
    assert!(shown.contains("from the outputs of --expected in `all[3]`"), "{shown}");
    assert_eq!(status, Some(1));
}

/// A sequence of three tensors where the model gives four.
#[test]
fn a_sequence_of_another_length_fails() {
    let folder = files();
    let path = folder.path().join("output_0.pb");
    // `SequenceProto` keeps its tensors in the field 3, one after the other.
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes.windows(4).rposition(|window| window == 0.25_f32.to_le_bytes()).unwrap();
    let start = bytes[..last].iter().rposition(|byte| *byte == 0x1a).unwrap();
    std::fs::write(&path, &bytes[..start]).unwrap();
    let data = folder.path().to_str().unwrap();
    let output =
        evaluate(folder.path(), &["--inputs", data, "--only-inputs", "--expected", data, "--engines", "ort:cpu"]);
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(shown.contains("from the outputs of --expected in `len(all)`"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
}
