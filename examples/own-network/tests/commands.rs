//! The commands of a network of one's own, as its user types them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_own-network");

fn run(folder: &Path, program: &str, words: &[&str]) -> Output {
    Command::new(program).args(words).current_dir(folder).output().unwrap()
}

fn succeeds(folder: &Path, program: &str, words: &[&str]) -> String {
    let output = run(folder, program, words);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {complaint}\n{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, PROGRAM, words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_network_of_ones_own_has_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();

    let complaint = fails(folder, &["export"]);
    assert!(complaint.contains("flowers.safetensors") && complaint.contains("--bin learn"), "{complaint}");
    succeeds(folder, env!("CARGO_BIN_EXE_learn"), &[]);
    let complaint = fails(folder, &["eval"]);
    assert!(complaint.contains("cargo run --release -- export"), "{complaint}");

    let exported: Value = serde_json::from_str(&succeeds(folder, PROGRAM, &["export", "--json"])).unwrap();
    // 4 x 16 + 16 and 16 x 3 + 3.
    assert_eq!(exported["parameters"], 131);

    succeeds(folder, PROGRAM, &["eval", "--seconds", "0.1", "--batches", "1,8"]);
    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.join("artifacts/flowers/eval.json")).unwrap()).unwrap();
    assert_eq!((&report["passed"], &report["items"]), (&true.into(), &"flowers".into()));
    for engine in report["engines"].as_array().unwrap() {
        let correct = &engine["metrics"][0];
        // Two of the irises lie between their neighbours: nobody tells them all apart by these measures.
        assert!(correct["value"].as_f64().unwrap() >= 26.0 && correct["of"] == 30, "{correct}");
    }
    assert_eq!(report["engines"][1]["agreement"]["same"], 30);
    assert!(report["timing"].as_array().is_some_and(|timing| timing.len() == 2), "{}", report["timing"]);

    let words = ["predict", "--first", "3", "--json"];
    let predicted: Value = serde_json::from_str(&succeeds(folder, PROGRAM, &words)).unwrap();
    assert_eq!(predicted["items"].as_array().unwrap().len(), 3);
    assert_eq!(predicted["items"][0]["answers"]["burn"], "setosa");
    assert_eq!(predicted["items"][0]["answers"]["ort:cpu"], "setosa");

    let text = succeeds(folder, PROGRAM, &["report", "--check"]);
    assert!(text.contains("The evaluation passed."), "{text}");
    let page = std::fs::read_to_string(folder.join("artifacts/report/index.html")).unwrap();
    assert!(page.contains("versicolor"), "the confusion matrix names the species");

    succeeds(folder, PROGRAM, &["bundle"]);
    let text = succeeds(folder, PROGRAM, &["bundle", "--verify", "artifacts/bundle/flowers"]);
    assert!(text.contains("the example gives its answer"), "{text}");
    let labels = folder.join("artifacts/bundle/flowers/model_repository/flowers/labels.txt");
    assert_eq!(std::fs::read_to_string(labels).unwrap(), "setosa\nversicolor\nvirginica\n");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let words = ["export", "--random-init", "3"];
    succeeds(folder, PROGRAM, &words);

    std::fs::write(folder.join("none.csv"), "a,b,c,d,species\n").unwrap();
    let complaint = fails(folder, &["predict", "--data", "none.csv"]);
    assert!(complaint.contains("no flowers"), "{complaint}");
    std::fs::write(folder.join("bad.csv"), "a,b,c,d,species\n\n\n\n1,2,3,4,rose\n").unwrap();
    let complaint = fails(folder, &["predict", "--data", "bad.csv"]);
    assert!(complaint.contains("bad.csv:5 is not four measures and a species"), "{complaint}");
    let complaint = fails(folder, &["predict", "--engine", "candle"]);
    assert!(complaint.contains("candle"), "{complaint}");
    let text = String::from_utf8(run(folder, PROGRAM, &["predict"]).stdout).unwrap();
    assert!(text.starts_with("RANDOM WEIGHTS (seed 3)"), "{text}");
    assert_eq!(run(folder, PROGRAM, &["train"]).status.code(), Some(2));
}

/// A copy of the project elsewhere needs another path to Kiln and no other change.
#[test]
fn the_project_stands_alone() {
    assert!(!include_str!("../Cargo.toml").contains("workspace ="));
}
