//! `infer report`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::page::{assert_accessible, assert_renders, assert_well_formed};
use crate::setting::{Setting, text};

/// A folder of results: MNIST, and the same file once more as a model from anywhere.
fn evaluated() -> Setting {
    let setting = Setting::new();
    let model = setting.model();
    let mnist = setting.path("results/mnist/eval.json");
    let output = setting.infer("eval", &["--seconds", "0.05", "--batches", "1,3", "--out", mnist.to_str().unwrap()]);
    assert!(mnist.is_file(), "{}", text(&output.stderr));
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.workspace()).args(["eval", "--seconds", "0.05", "--onnx"]).arg(model);
    let output = command.arg("--out").arg(setting.path("results/report/onnx.json")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    setting
}

fn report(setting: &Setting, options: &[&str]) -> Output {
    let results = setting.path("results");
    let mut words = vec![OsStr::new("--artifacts"), results.as_os_str()];
    words.extend(options.iter().map(OsStr::new));
    setting.report(&words)
}

fn written(setting: &Setting, name: &str) -> String {
    let path: PathBuf = setting.path("results/report").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn one_page_shows_every_network_and_a_browser_renders_it() {
    let setting = evaluated();
    let output = report(&setting, &["--check"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let page = written(&setting, "index.html");
    assert_well_formed(&page);
    assert_accessible(&page);
    for part in [
        "All 2 evaluations passed.",
        ">MNIST CNN</a></h3>",
        "Fastest at batch 1",
        "correct",
        "<h3>Confusion</h3>",
        "data:image/png;base64,",
        "Throughput in images a second",
        "<h3>Where it ran</h3>",
        "SHA-256",
        "cargo xtask eval mnist <span class=\"word\">--model</span> ",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert_renders(&setting.path("results/report/index.html"));

    let markdown = written(&setting, "report.md");
    for part in ["# Kiln", "## MNIST CNN", "### Timing", "| ort:cpu | 3 |", "cargo xtask report"] {
        assert!(markdown.contains(part), "{part} is missing in\n{markdown}");
    }
    let summary: Value = serde_json::from_str(&written(&setting, "report.json")).unwrap();
    assert_eq!((&summary["passed"], &summary["networks"][0]["id"]), (&true.into(), &"mnist".into()));
    let evaluation = std::fs::read(setting.path("results/mnist/eval.json")).unwrap();
    let digest = artifact::sha256_bytes(&evaluation).to_string();
    assert_eq!(summary["networks"][0]["evaluation_sha256"], digest.as_str());
    assert!(summary["networks"][0]["fastest"]["p50_ms"].as_f64().unwrap() > 0.0);
    assert!(setting.leftovers().is_empty());
}

#[test]
fn what_failed_and_what_cannot_be_read_comes_first_and_check_says_no() {
    let setting = evaluated();
    let mnist = setting.path("results/mnist/eval.json");
    let mut evaluation: Value = serde_json::from_slice(&std::fs::read(&mnist).unwrap()).unwrap();
    evaluation["passed"] = false.into();
    evaluation["engines"][1]["error"] = "ort:cpu failed: <smoke>".into();
    std::fs::write(&mnist, evaluation.to_string()).unwrap();
    artifact::write_atomic(setting.path("results/bert-qa/eval.json"), "{").unwrap();
    assert!(report(&setting, &[]).status.success());
    let output = report(&setting, &["--check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["unreadable"].as_array().unwrap().len(), 1);
    let page = written(&setting, "index.html");
    assert_well_formed(&page);
    assert_accessible(&page);
    assert!(page.contains("MNIST CNN: ort:cpu failed: &lt;smoke&gt;"));
    assert!(page.contains("bert-qa/eval.json is no evaluation of this version"));
    assert!(page.find("Failed.").unwrap() < page.find("id=\"network-mnist\"").unwrap());
}

#[test]
fn without_an_evaluation_there_is_no_report_but_a_hint() {
    let setting = Setting::new();
    std::fs::create_dir(setting.path("results")).unwrap();
    let output = report(&setting, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cargo xtask run"), "{}", text(&output.stderr));
    assert!(!setting.path("results/report").exists());
}

#[test]
fn mlperfs_scenarios_are_on_the_page_and_in_the_document() {
    let setting = Setting::new();
    let out = setting.path("results/mnist/eval.json");
    let options = ["--seconds", "0.05", "--batches", "1", "--scenario", "single-stream,offline", "--out"];
    let output = setting.infer("eval", &[&options[..], &[out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(report(&setting, &[]).status.success());
    let (page, markdown) = (written(&setting, "index.html"), written(&setting, "report.md"));
    assert_well_formed(&page);
    assert_accessible(&page);
    for (part, lacks) in
        [("MLPerf's scenarios", "MLPerf asks for 600 s"), ("single-stream", "p90 bound"), ("offline", "it had ")]
    {
        for text in [&page, &markdown] {
            assert!(text.contains(part) && text.contains(lacks), "{part} or {lacks} is missing in\n{text}");
        }
    }
    assert!(
        page.contains("<span class=\"word\">--scenario</span> single-stream,offline"),
        "no command for the scenarios"
    );
}

/// The chapters of AlexNet and BERT, with everything that they can show: made of MNIST's evaluation in their form, since the
/// networks themselves are large.
#[test]
fn chapters_of_other_networks_render_with_all_that_they_can_hold() {
    let setting = evaluated();
    let scenarios = |engine: &str| {
        json!({"scenario": "single-stream", "engine": engine, "batch": 1, "items": 20, "seconds": 1.5, "items_per_second": 13.3,
               "latency_ms": null, "p90_bound_ms": null, "shortfalls": ["it lasted 1.5 s, and MLPerf asks for 600 s"]})
    };
    let mnist = std::fs::read(setting.path("results/mnist/eval.json")).unwrap();
    let evaluation = |network: &str, items: &str| {
        let mut value: Value = serde_json::from_slice(&mnist).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.remove("figures");
        fields.insert("network".to_owned(), network.into());
        fields.insert("items".to_owned(), items.into());
        fields.insert("random_init".to_owned(), 41.into());
        fields.insert("command".to_owned(), format!("cargo xtask eval {network} --seconds 0.05").into());
        fields.insert("scenarios".to_owned(), json!([scenarios("burn"), scenarios("ort:cpu")]));
        let engines = fields["engines"].as_array_mut().unwrap();
        engines[0]["metrics"] = json!([{"name": "exact match", "value": 80.5}, {"name": "F1", "value": 88.25}]);
        let differing =
            json!([{"item": "a/very/long/path/to/a <picture>.jpg", "reference": "tench", "found": "goldfish"}]);
        engines[1]["agreement"] =
            json!({"items": 9, "same": 8, "also_same": {"same top 5": 9}, "differing": differing});
        value
    };
    for (network, items) in [("alexnet", "pictures"), ("bert-qa", "questions")] {
        let path = setting.path(&format!("results/{network}/eval.json"));
        artifact::write_atomic(path, evaluation(network, items).to_string()).unwrap();
    }
    let output = report(&setting, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = written(&setting, "index.html");
    assert_well_formed(&page);
    assert_accessible(&page);
    assert_renders(&setting.path("results/report/index.html"));
    let markdown = written(&setting, "report.md");
    for part in [
        "random (seed 41)",
        "8 of 9 pictures",
        "same top 5",
        "goldfish",
        "The worst of all outputs",
        "What these runs lack",
        "80.50 %",
    ] {
        assert!(page.contains(part), "{part} is missing");
        // The document has the remarks themselves.
        assert!(markdown.contains(part) || part.starts_with("What"), "{part} is missing in\n{markdown}");
    }
}
