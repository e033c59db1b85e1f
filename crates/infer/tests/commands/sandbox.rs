//! How far workers are confined, as the commands tell it.

use std::process::Command;

use serde_json::Value;

use crate::setting::{Setting, text};

fn evaluate(setting: &Setting, options: &[&str]) -> (String, String, Value) {
    let out = setting.path("onnx.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args([
        "eval",
        "--seconds",
        "0.02",
        "--engines",
        "ort:cpu,tract",
        "--onnx",
    ]);
    let output = command.arg(setting.model()).arg("--out").arg(&out).args(options).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    (text(&output.stdout), text(&output.stderr), serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap())
}

/// What this machine's kernel can do, by what `doctor` found.
fn doctor(setting: &Setting) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    let output = command.current_dir(setting.workspace()).args(["doctor", "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every engine does its work confined: loads its library, counts processors, starts threads, writes and reads its profile.
#[test]
fn reports_and_doctor_tell_what_the_kernel_took_away() {
    let setting = Setting::new();
    let confinement = doctor(&setting)["confinement"].clone();
    let whole = confinement["landlock"].as_u64() > Some(0) && confinement["seccomp"] == true;
    let (shown, _, report) = evaluate(&setting, &["--threads", "2"]);
    for engine in report["engines"].as_array().unwrap() {
        assert_eq!(engine["sandbox"]["kernel"], confinement, "{engine}");
        assert!(engine["placement"]["parts"][0]["nodes"].as_u64() > Some(0), "{engine}");
    }
    assert_eq!(shown.matches(" of CPU time, confined\n").count(), if whole { 3 } else { 0 }, "{shown}");
    assert_eq!(shown.contains("confined in part"), !whole, "{shown}");
    let page = setting.page("onnx", "onnx.json");
    assert!(page.contains("confined"), "{page}");
}

#[test]
fn that_workers_are_not_confined_is_said_aloud() {
    let setting = Setting::new();
    let (shown, warned, report) = evaluate(&setting, &["--no-sandbox"]);
    assert!(warned.contains("warning: the processes of engines are not confined (--no-sandbox)"), "{warned}");
    assert!(shown.contains("Note: tract was not confined, as --no-sandbox asks."), "{shown}");
    assert_eq!(shown.matches(" of CPU time, NOT CONFINED\n").count(), 3, "{shown}");
    assert_eq!(report["engines"][1]["sandbox"], "off");
    assert!(report["command"].as_str().unwrap().contains(" --no-sandbox"), "{}", report["command"]);
    let output = setting.infer("predict", &["--index", "0", "--no-sandbox"]);
    assert!(text(&output.stderr).contains("not confined (--no-sandbox)"), "{}", text(&output.stderr));
}

/// Nothing is left in the temporary folder, where the workers' own folders lie.
#[test]
fn workers_leave_nothing_behind() {
    let setting = Setting::new();
    let place = setting.path("temporary");
    std::fs::create_dir(&place).unwrap();
    let mut command = setting.command("eval", &["--seconds", "0.02", "--batches", "1"]);
    let output = command.env("TMPDIR", &place).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
}
