//! `infer doctor`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::setting::text;

fn doctor(options: &[&str], library: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).arg("doctor").args(options);
    if let Some(library) = library {
        command.env("ORT_DYLIB_PATH", library);
    }
    command.output().unwrap()
}

#[test]
fn every_provider_is_there_with_a_way_to_get_it() {
    let output = doctor(&["--json"], None);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let providers = diagnosis["providers"].as_array().unwrap();
    for name in ["cpu", "cuda", "tensorrt", "dnnl", "openvino", "xnnpack"] {
        let finding = providers.iter().find(|finding| finding["provider"] == name).unwrap_or_else(|| panic!("{name}"));
        assert!(!finding["how_to_get"].as_str().unwrap().is_empty());
        // Nothing is usable without a library, and nothing unusable in a library goes without a reason.
        let here = finding["library"].is_object();
        assert_eq!(here && finding["failure"].is_null(), finding["usable"].as_bool().unwrap(), "{finding}");
    }
    assert_eq!(providers[0]["provider"], "cpu");
    assert_eq!(providers[0]["usable"], true);
    let table = text(&doctor(&[], None).stdout);
    assert!(table.contains("provider") && table.contains("cpu ") && table.contains("yes"), "{table}");
}

#[test]
fn a_library_that_cannot_be_loaded_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so.1.0.0");
    std::fs::write(&library, b"not a library").unwrap();
    let output = doctor(&[], Some(&library));
    assert_eq!(output.status.code(), Some(1));
    let table = text(&output.stdout);
    assert!(table.contains("cannot be used as the ONNX Runtime library"), "{table}");
    assert!(table.contains("none here"), "{table}");
    let missing = doctor(&[], Some(Path::new("no/such.so")));
    assert!(text(&missing.stderr).contains("ORT_DYLIB_PATH names no/such.so"));
}
