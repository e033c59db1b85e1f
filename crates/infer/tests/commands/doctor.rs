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

/// A library in the loader's path is the system's. It is found without being named, and once where links lead to it twice.
#[test]
fn a_library_of_the_system_is_found_and_listed_once() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let library = artifact::runtime::locate(&workspace.join("datasets/onnxruntime")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (lib, linked) = (folder.path().join("lib"), folder.path().join("linked"));
    std::fs::create_dir(&lib).unwrap();
    std::os::unix::fs::symlink(&lib, &linked).unwrap();
    let name = library.path.file_name().unwrap();
    std::fs::copy(&library.path, lib.join(name)).unwrap();
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(folder.path()).env_remove("ORT_DYLIB_PATH").args(["doctor", "--json"]);
    let paths = std::env::join_paths([&lib, &linked]).unwrap();
    let output = command.env(variable, paths).output().unwrap();
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let here: Vec<&Value> = diagnosis["providers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["provider"] == "cpu" && finding["usable"] == true)
        .map(|finding| &finding["library"]["path"])
        .collect();
    let placed = lib.join(name).display().to_string();
    assert_eq!(
        here.iter().filter(|path| path.as_str().unwrap().starts_with(&folder.path().display().to_string())).count(),
        1
    );
    assert!(here.contains(&&Value::from(placed)), "{diagnosis}");
}

/// A library that another processor would load is told as such; the loader says that there is no such file.
#[test]
fn a_library_for_another_processor_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so.1.32.0");
    let machine = if cfg!(target_arch = "aarch64") { 0x3e } else { 0xb7 };
    // The beginning of an ELF file: 64 bits, little-endian, a shared object for that machine.
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, machine, 0];
    bytes.resize(4096, 0);
    std::fs::write(&library, bytes).unwrap();
    let table = text(&doctor(&[], Some(&library)).stdout);
    assert!(table.contains("it was built for linux on ") && table.contains(", and this is "), "{table}");
}
