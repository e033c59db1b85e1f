//! `infer bundle`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::setting::{Setting, text};

/// A network that was evaluated, and its bundle.
pub struct Shipped {
    pub setting: Setting,
    pub bundle: PathBuf,
}

impl Shipped {
    pub fn new() -> Self {
        let setting = Setting::new();
        let output = setting.infer("eval", &["--seconds", "0.05", "--batches", "1"]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let bundle = setting.path("bundle");
        let output = write(&setting, &bundle);
        assert!(output.status.success(), "{}", text(&output.stderr));
        Self { setting, bundle }
    }

    /// A copy to be tampered with.
    pub fn copy(&self) -> PathBuf {
        let copy = self.setting.path("copy");
        let _ = fs::remove_dir_all(&copy);
        assert!(Command::new("cp").arg("-R").arg(&self.bundle).arg(&copy).status().unwrap().success());
        copy
    }

    /// What `--verify` says of a tampered copy. Its exit status must be that of a failure.
    pub fn told(&self, folder: &Path) -> String {
        let output = verify(&self.setting, folder);
        assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    }
}

pub fn command(setting: &Setting) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).arg("bundle");
    command
}

fn write(setting: &Setting, out: &Path) -> Output {
    writing(setting, out).output().unwrap()
}

/// The command that writes a bundle.
pub fn writing(setting: &Setting, out: &Path) -> Command {
    let mut command = command(setting);
    command.args(["mnist", "--max-batch", "8", "--revision", "abc"]).arg("--out").arg(out);
    command.arg("--onnx").arg(setting.model()).arg("--evaluation").arg(setting.path("eval.json"));
    command.arg("--data").arg(setting.folder.path());
    command
}

fn verify(setting: &Setting, folder: &Path) -> Output {
    command(setting).arg("--verify").arg(folder).output().unwrap()
}

pub fn read(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Makes every checksum fit again, as somebody would who hides a change.
pub fn reseal(folder: &Path) {
    let mut manifest = read(folder.join("manifest.json"));
    for (path, entry) in manifest["files"].as_object_mut().unwrap() {
        let bytes = fs::read(folder.join(path)).unwrap();
        *entry = json!({"sha256": artifact::sha256_bytes(&bytes).to_string(), "bytes": bytes.len()});
    }
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let sums: String = fs::read_to_string(folder.join("SHA256SUMS"))
        .unwrap()
        .lines()
        .map(|line| line.split_once("  ").unwrap().1)
        .map(|path| format!("{}  {path}\n", artifact::sha256_bytes(&fs::read(folder.join(path)).unwrap())))
        .collect();
    fs::write(folder.join("SHA256SUMS"), sums).unwrap();
}

fn replace(path: PathBuf, from: &str, to: &str) {
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

pub const MODEL: &str = "model_repository/mnist/1/model.onnx";
pub const CONFIG: &str = "model_repository/mnist/config.pbtxt";

#[test]
fn a_bundle_is_whole_and_its_example_gives_its_answer() {
    let shipped = Shipped::new();
    let output = verify(&shipped.setting, &shipped.bundle);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("the example gives its answer"), "{shown}");
    // The same tool that a stranger would use.
    let mut sha256sum = Command::new("sha256sum");
    sha256sum.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&shipped.bundle);
    match sha256sum.output() {
        Ok(output) => assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr)),
        Err(error) if cfg!(target_os = "linux") => panic!("sha256sum: {error}"),
        Err(error) => eprintln!("LEFT OUT: sha256sum did not check the sums: {error}"),
    }

    let config = fs::read_to_string(shipped.bundle.join(CONFIG)).unwrap();
    for part in
        ["name: \"mnist\"", "max_batch_size: 8", "TYPE_FP32", "dims: [ 1, 28, 28 ]", "dims: [ 10 ]", "labels.txt"]
    {
        assert!(config.contains(part), "{part} in {config}");
    }
    let labels = fs::read_to_string(shipped.bundle.join("model_repository/mnist/labels.txt")).unwrap();
    assert_eq!(labels.lines().count(), 10);
    let request = read(shipped.bundle.join("example/request.json"));
    assert_eq!(request["inputs"][0]["shape"], json!([1, 1, 28, 28]));
    assert_eq!(request["inputs"][0]["data"].as_array().unwrap().len(), 784);
    assert_eq!(read(shipped.bundle.join("example/response.json"))["outputs"][0]["shape"], json!([1, 10]));

    let manifest = read(shipped.bundle.join("manifest.json"));
    let digest = |path: PathBuf| artifact::sha256_file(path).unwrap().to_string();
    assert_eq!(manifest["model"]["sha256"], digest(shipped.setting.model()).as_str());
    assert_eq!(manifest["evidence"]["sha256"], digest(shipped.setting.path("eval.json")).as_str());
    assert_eq!(manifest["code"]["bundled_at"], "abc");
    assert!(manifest["timing"]["p50_ms"][0]["p50_ms"].as_f64().unwrap() > 0.0);
    assert!(shipped.setting.leftovers().is_empty());
}

#[test]
fn every_kind_of_tampering_is_found() {
    let shipped = Shipped::new();
    type Tampering<'a> = (&'a str, &'a dyn Fn(&Path));
    let cases: &[Tampering] = &[
        ("model.onnx was changed", &|folder| {
            let mut bytes = fs::read(folder.join(MODEL)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(folder.join(MODEL), bytes).unwrap();
        }),
        ("labels.txt is missing", &|folder| fs::remove_file(folder.join("model_repository/mnist/labels.txt")).unwrap()),
        ("extra.txt is not in the manifest", &|folder| fs::write(folder.join("extra.txt"), "").unwrap()),
        ("README.md has 0 bytes", &|folder| fs::write(folder.join("README.md"), "").unwrap()),
        ("link is no plain file", &|folder| std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap()),
        ("SHA256SUMS does not name README.md", &|folder| {
            let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
            let kept: String =
                sums.lines().filter(|line| !line.ends_with("README.md")).map(|line| format!("{line}\n")).collect();
            fs::write(folder.join("SHA256SUMS"), kept).unwrap();
        }),
        ("SHA256SUMS cannot be used", &|folder| fs::write(folder.join("SHA256SUMS"), "nonsense\n").unwrap()),
        ("SHA256SUMS has another SHA-256 for manifest.json", &|folder| {
            replace(folder.join("manifest.json"), "\"abc\"", "\"xyz\"");
        }),
        ("manifest.json cannot be used", &|folder| fs::write(folder.join("manifest.json"), "{").unwrap()),
        // What follows is hidden behind fresh checksums.
        ("max_batch_size 9 instead of 8", &|folder| {
            replace(folder.join(CONFIG), "max_batch_size: 8", "max_batch_size: 9");
            reseal(folder);
        }),
        ("declares input", &|folder| {
            replace(folder.join(CONFIG), "dims: [ 1, 28, 28 ]", "dims: [ 28, 28 ]");
            reseal(folder);
        }),
        ("binds another evaluation", &|folder| {
            replace(folder.join("evidence/eval.json"), "\"network\":", "\"network\": ");
            reseal(folder);
        }),
        ("binds other times", &|folder| {
            let mut manifest = read(folder.join("manifest.json"));
            manifest["timing"]["p50_ms"][0]["p50_ms"] = json!(0.001);
            fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
            reseal(folder);
        }),
        ("binds other data, weights or code", &|folder| {
            let mut manifest = read(folder.join("manifest.json"));
            manifest["weights"] = json!("0".repeat(64));
            fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
            reseal(folder);
        }),
        ("is of another model", &|folder| {
            let mut bytes = fs::read(folder.join(MODEL)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(folder.join(MODEL), &bytes).unwrap();
            let mut manifest = read(folder.join("manifest.json"));
            manifest["model"]["sha256"] = json!(artifact::sha256_bytes(&bytes).to_string());
            fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
            reseal(folder);
        }),
        ("the example gives another answer", &|folder| {
            let path = folder.join("example/response.json");
            let mut response = read(&path);
            response["outputs"][0]["data"][3] = json!(-0.5);
            fs::write(path, response.to_string()).unwrap();
            reseal(folder);
        }),
        ("the example does not run", &|folder| {
            let path = folder.join("example/request.json");
            let mut request = read(&path);
            request["inputs"][0]["shape"] = json!([1, 1, 14, 56]);
            fs::write(path, request.to_string()).unwrap();
            reseal(folder);
        }),
    ];
    for (complaint, tamper) in cases {
        let copy = shipped.copy();
        tamper(&copy);
        let told = shipped.told(&copy);
        assert!(told.contains(complaint), "{complaint} is not told:\n{told}");
    }
    // The untouched copy is well: it was the tampering that was found.
    assert!(verify(&shipped.setting, &shipped.copy()).status.success());
}

#[test]
fn what_was_not_evaluated_or_did_not_pass_is_not_shipped() {
    let shipped = Shipped::new();
    let refused = |complaint: &str| {
        let out = shipped.setting.path("refused");
        let output = write(&shipped.setting, &out);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(complaint), "{complaint}: {}", text(&output.stderr));
        assert!(!out.exists());
    };
    let evaluation = shipped.setting.path("eval.json");
    let whole = read(&evaluation);
    let edit = |pointer: &str, value: Value| {
        let mut edited = whole.clone();
        *edited.pointer_mut(pointer).unwrap() = value;
        fs::write(&evaluation, edited.to_string()).unwrap();
    };
    edit("/passed", json!(false));
    refused("did not pass");
    edit("/fingerprint/files/model/sha256", json!("0".repeat(64)));
    refused("is of another model");
    fs::remove_file(&evaluation).unwrap();
    refused("cargo xtask eval mnist");
    assert!(shipped.setting.leftovers().is_empty());
    let missing = verify(&shipped.setting, &shipped.setting.path("nowhere"));
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("nowhere"), "{}", text(&missing.stderr));
}

/// A folder is replaced by a bundle only if nothing in it would be lost.
#[test]
fn only_an_empty_folder_or_an_unchanged_bundle_is_replaced() {
    let shipped = Shipped::new();
    let refused = |folder: &Path, complaint: &str| {
        let output = write(&shipped.setting, folder);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        let said = text(&output.stderr);
        assert!(said.contains(complaint) && said.contains(&folder.display().to_string()), "{said}");
    };
    let thesis = shipped.setting.path("thesis");
    fs::create_dir(&thesis).unwrap();
    assert!(write(&shipped.setting, &thesis).status.success(), "an empty folder");
    assert!(write(&shipped.setting, &thesis).status.success(), "an unchanged bundle");
    fs::write(thesis.join("thesis.tex"), "years of work").unwrap();
    refused(&thesis, "thesis.tex is not in the manifest");
    assert_eq!(fs::read(thesis.join("thesis.tex")).unwrap(), b"years of work");

    let notes = shipped.copy();
    fs::write(notes.join("README.md"), "my own notes").unwrap();
    refused(&notes, "README.md");
    assert_eq!(fs::read(notes.join("README.md")).unwrap(), b"my own notes");
    let foreign = shipped.setting.path("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("manifest.json"), "{}").unwrap();
    refused(&foreign, "manifest.json");
    // Files and links are no folders.
    refused(&shipped.setting.model(), "it is not a folder");
    assert!(shipped.setting.leftovers().is_empty());
}
