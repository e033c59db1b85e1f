//! Nothing of the user's is lost: what a command may not write over.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::setting::{Setting, text};

const QUICK: [&str; 4] = ["--seconds", "0.05", "--batches", "1"];

fn onnx(setting: &Setting, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--seconds", "0.05", "--onnx"]).arg(setting.model());
    command.args(options).output().unwrap()
}

/// The command must fail with this complaint, and `path` must hold what it held.
fn refused(output: &Output, complaint: &str, path: &Path, content: &[u8]) {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    assert!(said.contains(complaint) && said.contains(&path.display().to_string()), "{said}");
    assert!(fs::read(path).unwrap() == content, "{} was changed", path.display());
}

#[test]
fn a_report_takes_the_place_of_nothing_that_is_read() {
    let setting = Setting::new();
    let (model, weights) = (setting.model(), setting.weights());
    let (model_bytes, weights_bytes) = (fs::read(&model).unwrap(), fs::read(&weights).unwrap());
    let input = "is an input of this command";
    for (path, bytes) in [(&model, &model_bytes), (&weights, &weights_bytes)] {
        let out = path.to_str().unwrap();
        refused(&setting.infer("eval", &[&QUICK[..], &["--out", out]].concat()), input, path, bytes);
    }
    refused(&onnx(&setting, &["--out", model.to_str().unwrap()]), input, &model, &model_bytes);
    let earlier = setting.path("earlier.json");
    fs::write(&earlier, "{}").unwrap();
    let earlier_path = earlier.to_str().unwrap();
    refused(&onnx(&setting, &["--compare", earlier_path, "--out", earlier_path]), input, &earlier, b"{}");
    assert!(setting.leftovers().is_empty());
}

#[test]
fn the_report_over_all_networks_leaves_other_pages_alone() {
    let setting = Setting::new();
    let results = setting.path("results/mnist");
    fs::create_dir_all(&results).unwrap();
    let out = results.join("eval.json");
    assert!(setting.infer("eval", &[&QUICK[..], &["--out", out.to_str().unwrap()]].concat()).status.success());
    let site = setting.path("site");
    fs::create_dir(&site).unwrap();
    let report = |options: &[&str]| {
        let results = setting.path("results");
        let mut words = vec![OsStr::new("--artifacts"), results.as_os_str(), OsStr::new("--out"), site.as_os_str()];
        words.extend(options.iter().map(OsStr::new));
        setting.report(&words)
    };
    for name in ["index.html", "report.md", "report.json"] {
        let path = site.join(name);
        fs::write(&path, "theirs").unwrap();
        refused(&report(&[]), "was not written by Kiln", &path, b"theirs");
        assert_eq!(fs::read_dir(&site).unwrap().count(), 1);
        fs::remove_file(&path).unwrap();
    }
    for options in [&[][..], &[], &["--force"]] {
        let output = report(options);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}
