//! `infer eval mnist`.

use crate::setting::{DIGITS, Setting, text};
use serde_json::Value;

const QUICK: [&str; 4] = ["--seconds", "0.05", "--batches", "3"];

fn report(setting: &Setting) -> Value {
    serde_json::from_slice(&std::fs::read(setting.path("eval.json")).unwrap()).unwrap()
}

#[test]
fn both_engines_agree_and_the_report_says_how_fast_they_are() {
    let setting = Setting::new();
    let output = setting.infer("eval", &QUICK);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for part in ["Validation on 40 test digits", "same digit: 40 of 40", "burn ", "ort:cpu ", "with 1 thread", "Passed"]
    {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }

    let report = report(&setting);
    assert_eq!(report["passed"], true);
    let validation = &report["validation"];
    assert_eq!((&validation["images"], &validation["agreeing"]), (&DIGITS.into(), &DIGITS.into()));
    // Nothing was trained, so the digits are wrong, but equally so.
    assert_eq!(validation["engines"][0]["correct"], validation["engines"][1]["correct"]);
    let confusion: u64 = validation["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(confusion, DIGITS as u64);
    // Two programs that add in different orders differ a little, and in float32 only a little.
    let difference = validation["difference"]["max_absolute"].as_f64().unwrap();
    assert!(difference > 0.0 && difference < 1e-5, "{difference}");

    let timing = report["timing"].as_array().unwrap();
    let batches: Vec<u64> = timing.iter().map(|entry| entry["batch"].as_u64().unwrap()).collect();
    assert_eq!(batches, [1, 3]);
    for entry in timing {
        for engine in entry["engines"].as_array().unwrap() {
            let samples: Vec<f64> =
                engine["samples_ms"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            assert_eq!(engine["latency_ms"]["samples"], samples.len());
            let p50 = engine["latency_ms"]["p50"].as_f64().unwrap();
            // Nearest rank: at most half of the samples are below the median, and at most half above.
            assert!(samples.iter().filter(|&&sample| sample < p50).count() * 2 <= samples.len());
            assert!(samples.iter().filter(|&&sample| sample > p50).count() * 2 <= samples.len());
            let rate = engine["images_per_second"].as_f64().unwrap();
            assert!((rate * p50 / 1e3 - entry["batch"].as_f64().unwrap()).abs() < 1e-6);
        }
    }
    assert_eq!(report["placement"][1]["placement"]["parts"][0]["provider"], "CPUExecutionProvider");
    let fingerprint = &report["fingerprint"];
    assert_eq!(fingerprint["files"]["model"]["sha256"], artifact::sha256_file(setting.model()).unwrap().to_string());
    assert_eq!(
        fingerprint["files"]["weights"]["sha256"],
        artifact::sha256_file(setting.weights()).unwrap().to_string()
    );
    assert!(fingerprint["library"]["version"].as_str().unwrap().starts_with("1."));
    assert!(setting.leftovers().is_empty());
}

#[test]
fn json_goes_to_standard_output_as_it_goes_to_the_file() {
    let setting = Setting::new();
    let output = setting.infer("eval", &[&QUICK[..], &["--json", "--limit", "7", "--threads", "2"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(output.stdout, std::fs::read(setting.path("eval.json")).unwrap());
    let report = report(&setting);
    assert_eq!(report["validation"]["images"], 7);
    assert_eq!(report["settings"]["threads"], 2);
}

#[test]
fn digits_that_differ_are_shown_and_fail() {
    let setting = Setting::new();
    let other = setting.other_weights();
    let output = setting.infer("eval", &[&QUICK[..], &["--weights", other.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("images that differ") && table.contains("FAILED: the digits differ."), "{table}");
    let report = report(&setting);
    assert_eq!(report["passed"], false);
    let disagreements = report["validation"]["disagreements"].as_array().unwrap();
    assert!(!disagreements.is_empty());
    assert_eq!(report["validation"]["agreeing"], DIGITS - disagreements.len());
    for item in disagreements {
        assert_ne!(item["digits"][0], item["digits"][1]);
    }
}

#[test]
fn bad_files_are_one_clear_sentence_and_the_last_report_stays() {
    let setting = Setting::new();
    std::fs::write(setting.path("eval.json"), "the last report").unwrap();
    let failure = |options: &[&str]| setting.failure("eval", &[&QUICK[..], options].concat());

    let message = failure(&["--model", "no/such.onnx"]);
    assert!(message.contains("cargo xtask export mnist") && message.contains("no/such.onnx"), "{message}");
    let message = failure(&["--weights", "no/such.safetensors"]);
    assert!(message.contains("cargo xtask train") && message.contains("no/such.safetensors"), "{message}");
    let message = failure(&["--data", "no/such"]);
    assert!(message.contains("cargo xtask fetch mnist") && message.contains("no/such"), "{message}");
    let message = failure(&["--limit", "41"]);
    assert!(message.contains("--limit 41") && message.contains("40 test images"), "{message}");

    let half = |name: &str, path: &std::path::Path| {
        let whole = std::fs::read(path).unwrap();
        let cut = setting.path(name);
        std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
        cut.to_str().unwrap().to_owned()
    };
    let message = failure(&["--model", &half("cut.onnx", &setting.model())]);
    assert!(message.contains("ort:cpu cannot load") && message.contains("cut.onnx"), "{message}");
    let message = failure(&["--weights", &half("cut.safetensors", &setting.weights())]);
    assert!(message.contains("cut.safetensors"), "{message}");

    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/types.onnx");
    let message = failure(&["--model", other]);
    assert!(message.contains("it is not an MNIST network: it takes (float: float [batch, 2], "), "{message}");

    assert_eq!(std::fs::read(setting.path("eval.json")).unwrap(), b"the last report");
    assert!(setting.leftovers().is_empty(), "{:?}", setting.leftovers());
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_work() {
    let setting = Setting::new();
    let below_a_file = setting.model().join("eval.json");
    let message = setting.failure("eval", &["--seconds", "3600", "--out", below_a_file.to_str().unwrap()]);
    assert!(message.contains("mnist.onnx"), "{message}");
}

#[test]
fn bad_numbers_are_refused() {
    let setting = Setting::new();
    for options in [
        ["--seconds", "0"],
        ["--seconds", "NaN"],
        ["--batches", "0"],
        ["--batches", "1,x"],
        ["--limit", "0"],
        ["--threads", "0"],
    ] {
        let message = setting.failure("eval", &options);
        assert!(message.contains(options[0]), "{message}");
    }
}
