//! Attack files, one for each known class, made here out of harmless stand-ins: refused with the right error, before any runtime is
//! loaded. The classes are those of CVE-2022-25882, CVE-2024-27318, CVE-2026-27489, CVE-2026-34445, CVE-2026-34446, CVE-2026-34447
//! (data outside of a model's folder, links, lengths), RUSTSEC-2024-0437 (depth), CVE-2025-32434 (pickles).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::bundle::{Shipped, reseal};
use crate::setting::{Setting, text};

/// A field of protobuf that holds bytes.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field of protobuf that holds a number.
fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An entry of `TensorProto.external_data`.
fn entry(key: &str, value: &str) -> Vec<u8> {
    field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
}

/// A `TensorProto` of 1024 floats in another file.
fn outside(location: &str) -> Vec<u8> {
    [number(1, 1024), number(2, 1), field(8, b"w"), entry("location", location), number(14, 1)].concat()
}

/// A `ModelProto` around the content of a graph.
fn model(content: &[u8]) -> Vec<u8> {
    let import = field(8, &number(2, 11));
    [number(1, 6), field(7, &[field(2, b"g"), content.to_vec()].concat()), import].concat()
}

fn initializer(tensor: &[u8]) -> Vec<u8> {
    model(&field(5, tensor))
}

/// A `Constant` with an attribute that holds `content`.
fn constant(content: &[u8]) -> Vec<u8> {
    field(1, &[field(4, b"Constant"), field(5, &[field(1, b"value"), content.to_vec()].concat())].concat())
}

/// The models: the class, the bytes, and what is said of them.
fn models(root: &Path) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let secret = root.join("secret").display().to_string();
    let escaping = outside("../secret");
    let inner = [field(2, b"inner"), field(5, &escaping)].concat();
    let mut deep = field(2, b"inner");
    for _ in 0..5000 {
        deep = field(1, &[field(4, b"If"), field(5, &field(6, &deep))].concat());
    }
    let function =
        [field(1, b"F"), field(7, &[field(4, b"Constant"), field(5, &field(5, &escaping))].concat())].concat();
    let below = "which is not below the model's folder";
    let kind = "only plain files are read";
    vec![
        ("an absolute path", initializer(&outside(&secret)), below),
        ("a path upwards", initializer(&escaping), below),
        ("a path down and upwards", initializer(&outside("below/../../secret")), below),
        ("a path of another system", initializer(&outside("..\\secret")), below),
        ("a drive of another system", initializer(&outside("C:secret")), below),
        ("a place in memory", initializer(&outside("*/_ORT_MEM_ADDR_/*")), below),
        ("a symbolic link", initializer(&outside("link")), kind),
        ("a link to a folder", initializer(&outside("up/secret")), kind),
        ("a hard link", initializer(&outside("hard")), kind),
        ("a pipe", initializer(&outside("pipe")), kind),
        ("a link to a device", initializer(&outside("device")), kind),
        ("a folder", initializer(&outside("below")), kind),
        ("a subgraph", model(&constant(&field(6, &inner))), below),
        ("a list of subgraphs", model(&constant(&field(11, &inner))), below),
        ("an attribute", model(&constant(&field(5, &escaping))), below),
        ("a list of tensors", model(&constant(&field(10, &escaping))), below),
        ("a sparse tensor", model(&field(15, &field(1, &escaping))), below),
        ("a function", [model(b""), field(25, &function)].concat(), below),
        ("training information", [model(b""), field(20, &field(1, &inner))].concat(), below),
        (
            "a length beyond the file",
            initializer(&[outside("data"), entry("offset", "1")].concat()),
            "4096 bytes in all",
        ),
        (
            "an offset beyond all numbers",
            initializer(&[outside("data"), entry("offset", "18446744073709551615")].concat()),
            "bytes from byte 18446744073709551615",
        ),
        ("another length", initializer(&[outside("data"), entry("length", "8192")].concat()), "has 8192 for it"),
        ("two locations", initializer(&[outside("data"), entry("location", "link")].concat()), "does not say well"),
        (
            "values of another size",
            initializer(&[number(1, 3), number(2, 1), field(9, &[0; 8])].concat()),
            "8 bytes, and needs 12",
        ),
        ("a size below zero", initializer(&[number(1, u64::MAX), number(2, 1)].concat()), "a size below zero"),
        ("graphs in graphs", model(&deep), "graphs nested too deep"),
        ("too many nodes", model(&field(1, &field(4, b"A")).repeat((1 << 20) + 1)), "more than 1048576 nodes"),
        ("a cut file", initializer(&escaping)[..40].to_vec(), "cut off"),
        ("no model at all", b"\xff\xfe this is no model".to_vec(), "no sound ONNX model"),
    ]
}

/// A folder with a model's own data, and around it what its model must not reach.
fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("model");
    fs::create_dir_all(folder.join("below")).unwrap();
    fs::write(root.path().join("secret"), [1; 4096]).unwrap();
    fs::write(folder.join("data"), [0; 4096]).unwrap();
    symlink("../secret", folder.join("link")).unwrap();
    symlink("..", folder.join("up")).unwrap();
    symlink("/dev/zero", folder.join("device")).unwrap();
    fs::hard_link(root.path().join("secret"), folder.join("hard")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    (root, folder)
}

/// Runs a command that would load `root/library` if it came to that, which is no library and would be told.
fn run(setting: &Setting, arguments: &[&str], file: &Path) -> Output {
    let library = setting.path("library");
    fs::write(&library, "no library").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).env("ORT_DYLIB_PATH", library).args(arguments).arg(file);
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn every_attack_file_is_refused_before_a_runtime_is_loaded() {
    let setting = Setting::new();
    let (root, folder) = place();
    for (class, bytes, word) in models(root.path()) {
        let path = folder.join("m.onnx");
        fs::write(&path, bytes).unwrap();
        for command in [&["inspect"][..], &["eval", "--engines", "ort:cpu,tract", "--onnx"]] {
            let output = run(&setting, command, &path);
            assert_eq!(output.status.code(), Some(1), "{class} {command:?}: {}", told(&output));
            assert!(told(&output).contains(word), "{class} {command:?}: {}", told(&output));
        }
    }
    // Its own data are lawful: the runtime's turn comes, and it is told that there is none.
    fs::write(folder.join("m.onnx"), initializer(&outside("data"))).unwrap();
    assert!(run(&setting, &["inspect"], &folder.join("m.onnx")).status.success());
    let output = run(&setting, &["eval", "--onnx"], &folder.join("m.onnx"));
    assert!(told(&output).contains("cannot be used as the ONNX Runtime library"), "{}", told(&output));
}

/// Whatever command opens a model, the worker looks it over first.
#[test]
fn no_command_hands_an_attack_file_to_an_engine() {
    let setting = Setting::new();
    let (_root, folder) = place();
    let path = folder.join("m.onnx");
    fs::write(&path, initializer(&outside("link"))).unwrap();
    let digits = setting.folder.path().to_str().unwrap().to_owned();
    let weights = setting.weights().to_str().unwrap().to_owned();
    for engine in ["ort:cpu", "tract"] {
        let common = ["--data", &digits, "--weights", &weights, "--model"];
        let predict = [&["predict", "mnist", "--index", "0", "--engine", engine], &common[..]].concat();
        let output = run(&setting, &predict, &path);
        assert!(!output.status.success() && told(&output).contains("only plain files are read"), "{}", told(&output));
        let out = setting.path("eval.json").display().to_string();
        let eval = [&["eval", "mnist", "--seconds", "0.01", "--out", &out, "--engines", engine], &common[..]].concat();
        let output = run(&setting, &eval, &path);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains("only plain files are read"), "{}", told(&output));
    }
    let shipped = Shipped::new();
    let inside = shipped.bundle.join(crate::bundle::MODEL);
    fs::write(&inside, initializer(&outside("../../../../secret"))).unwrap();
    reseal(&shipped.bundle);
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(shipped.bundle.join("manifest.json")).unwrap()).unwrap();
    let digest = artifact::sha256_file(&inside).unwrap().to_string();
    for place in ["/model/sha256", "/evidence/model_sha256"] {
        *manifest.pointer_mut(place).unwrap() = digest.clone().into();
    }
    fs::write(shipped.bundle.join("manifest.json"), manifest.to_string()).unwrap();
    reseal(&shipped.bundle);
    let output = run(&shipped.setting, &["inspect"], &shipped.bundle);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
}

/// The cache of a model hub is the lawful case of links. tract 0.23 refuses it by itself.
#[test]
fn a_model_in_the_cache_of_a_hub_runs_confined() {
    use onnx_model::{External, Model, SaveOptions};

    let setting = Setting::new();
    let root = setting.path("hub/models--a--b");
    let (blobs, snapshot) = (root.join("blobs"), root.join("snapshots/0123abc/onnx"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
    Model::load(setting.model()).unwrap().save_with(blobs.join("model.onnx"), &options).unwrap();
    for (name, blob) in [("model.onnx", "aa"), ("model.onnx.data", "bb")] {
        fs::rename(blobs.join(name), blobs.join(blob)).unwrap();
        symlink(Path::new("../../../blobs").join(blob), snapshot.join(name)).unwrap();
    }
    let out = setting.path("onnx.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--seconds", "0.02", "--engines", "ort:cpu", "--onnx"]);
    let output = command.arg(snapshot.join("model.onnx")).arg("--out").arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    let sandboxes: Vec<_> = report["engines"].as_array().unwrap().iter().map(|one| &one["sandbox"]).collect();
    assert!(sandboxes.iter().all(|one| one["kernel"].is_object()), "{sandboxes:?}");
}
