//! `cargo xtask run` and `status` on real MNIST, with a training of ten steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use end_to_end::{fail, program, run, succeed};
use serde_json::Value;

const STAGES: [&str; 6] = ["fetch/mnist", "fetch/onnxruntime", "mnist/train", "mnist/export", "mnist/eval", "report"];
const OUTPUTS: [&str; 5] = ["model.safetensors", "metrics.jsonl", "config.json", "mnist.onnx", "eval.json"];

/// A pipeline with a folder of its own.
struct Pipeline {
    folder: tempfile::TempDir,
}

impl Pipeline {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, name: &str, options: &[&str]) -> Command {
        let mut command = program("xtask");
        command.arg(name).arg("--artifacts").arg(self.folder.path());
        command.args(["--limit=640", "--test-batch-size=500", "--seconds=0.05"]).args(options);
        if !options.iter().any(|option| option.starts_with("--epochs")) {
            command.arg("--epochs=1");
        }
        command.env_remove("ORT_DYLIB_PATH");
        command
    }

    /// Runs, and returns the stages that did not turn out to be up to date.
    fn run(&self, options: &[&str]) -> Vec<String> {
        let output = succeed(&mut self.command("run", options));
        if output.contains("Nothing to do") {
            return Vec::new();
        }
        STAGES
            .into_iter()
            .filter(|stage| output.contains(&format!("{stage}: runs because")))
            .map(str::to_owned)
            .collect()
    }

    /// The reasons of each stale stage.
    fn stale(&self, options: &[&str]) -> BTreeMap<String, Vec<Value>> {
        let mut command = self.command("status", options);
        let rows: Vec<Value> = serde_json::from_str(&succeed(command.arg("--json"))).unwrap();
        assert_eq!(rows.iter().map(|row| row["stage"].as_str().unwrap()).collect::<Vec<_>>(), STAGES);
        rows.into_iter()
            .filter(|row| row["stale"] == true)
            .map(|row| (row["stage"].as_str().unwrap().to_owned(), row["reasons"].as_array().unwrap().clone()))
            .collect()
    }

    fn stale_stages(&self, options: &[&str]) -> Vec<String> {
        // In the order of the pipeline.
        let stale = self.stale(options);
        STAGES.into_iter().filter(|stage| stale.contains_key(*stage)).map(str::to_owned).collect()
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join("mnist").join(name)
    }

    fn written(&self, name: &str) -> SystemTime {
        fs::metadata(self.output(name)).unwrap().modified().unwrap()
    }
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn only_stale_stages_run_again() {
    let pipeline = Pipeline::new();
    assert_eq!(pipeline.stale_stages(&[]), STAGES);
    assert_eq!(pipeline.run(&[]), STAGES);
    for name in OUTPUTS {
        assert!(pipeline.output(name).is_file(), "{name} is not there");
    }
    for name in ["index.html", "report.md", "report.json"] {
        assert!(pipeline.folder.path().join("report").join(name).is_file(), "{name} is not there");
    }
    let leftovers: Vec<_> = fs::read_dir(pipeline.folder.path().join("mnist"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !OUTPUTS.contains(&name.as_str()) && name != "timings.jsonl")
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");

    assert_eq!(pipeline.run(&[]), [""; 0]);
    assert_eq!(pipeline.stale_stages(&[]), [""; 0]);

    // A lost file, an edited one, a truncated one: its stage and those after it, each for a reason that is told.
    let trained = pipeline.written("model.safetensors");
    truncate(&pipeline.output("mnist.onnx"));
    assert_eq!(pipeline.stale_stages(&[]), ["mnist/export", "mnist/eval", "report"]);
    let reasons = pipeline.stale(&[]);
    assert_eq!(reasons["mnist/export"][0]["kind"], "output_changed");
    assert_eq!(reasons["mnist/eval"][0]["kind"], "after");
    assert_eq!(pipeline.run(&[]), ["mnist/export", "mnist/eval", "report"]);
    assert_eq!(pipeline.written("model.safetensors"), trained, "the weights were written again");

    fs::remove_file(pipeline.output("eval.json")).unwrap();
    assert_eq!(pipeline.run(&[]), ["mnist/eval", "report"]);
    let mut metrics = fs::read_to_string(pipeline.output("metrics.jsonl")).unwrap();
    metrics.push('\n');
    fs::write(pipeline.output("metrics.jsonl"), metrics).unwrap();
    assert_eq!(pipeline.stale_stages(&[]), ["mnist/train", "mnist/export", "mnist/eval", "report"]);

    // Another recipe.
    let reasons = pipeline.stale(&["--seed=2"]);
    assert!(reasons["mnist/train"].iter().any(|reason| reason["name"] == "--seed" && reason["now"] == 2));
    let before = fs::read(pipeline.output("model.safetensors")).unwrap();
    assert_eq!(pipeline.run(&["--seed=2"]), ["mnist/train", "mnist/export", "mnist/eval", "report"]);
    assert_ne!(fs::read(pipeline.output("model.safetensors")).unwrap(), before);
}

#[test]
fn two_runs_at_once_take_turns() {
    let pipeline = Pipeline::new();
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut command = pipeline.command("run", &[]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    let idle = outputs.iter().filter(|output| output.contains("Nothing to do")).count();
    assert_eq!(idle, 1, "{outputs:#?}");
    assert_eq!(pipeline.stale_stages(&[]), [""; 0]);
}

#[test]
fn a_killed_run_goes_on() {
    let pipeline = Pipeline::new();
    let mut first = pipeline.command("run", &["--epochs=50"]).stdout(Stdio::null()).spawn().unwrap();
    let checkpoint = pipeline.output("checkpoint.safetensors");
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint was written");
        std::thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(pipeline.stale_stages(&["--epochs=50"]), ["mnist/train", "mnist/export", "mnist/eval", "report"]);
    // Another recipe does not go on from that checkpoint, and is not stopped by it either.
    assert_eq!(pipeline.run(&[]), ["mnist/train", "mnist/export", "mnist/eval", "report"]);
    assert_eq!(pipeline.stale_stages(&[]), [""; 0]);
}

#[test]
fn a_failed_stage_fails_the_run_and_leaves_what_was_there() {
    let pipeline = Pipeline::new();
    // A file where the results should go.
    fs::write(pipeline.folder.path().join("mnist"), "in the way").unwrap();
    let ended = run(&mut pipeline.command("run", &[]));
    assert!(!ended.succeeded);
    assert!(ended.errors.contains("mnist/train failed"), "{}", ended.errors);
    assert_eq!(fs::read_to_string(pipeline.folder.path().join("mnist")).unwrap(), "in the way");

    fs::write(pipeline.folder.path().join("pipeline.lock"), "{").unwrap();
    let errors = fail(&mut pipeline.command("run", &[]));
    assert!(errors.contains("remove it, and every stage runs anew"), "{errors}");
}
