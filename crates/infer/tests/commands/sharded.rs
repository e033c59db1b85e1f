//! `predict` and `eval` with `--shard` and `--merge`: parts of digits, and what becomes of them.

use std::path::Path;

use crate::setting::{DIGITS, Setting, text};

/// Predicts the digits in so many parts and puts them together.
fn merged(setting: &Setting, count: u32) -> Vec<u8> {
    let folder = setting.path(&format!("parts-{count}"));
    for index in 0..count {
        let output = predict(setting, &folder, &format!("{index}/{count}"), &[]);
        assert!(output.contains("is written: ") && output.ends_with(" 0 without an answer\n"), "{output}");
    }
    let all = setting.path(&format!("all-{count}.jsonl"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    command.args(["predict", "--merge"]).arg(&folder).arg("--out").arg(&all);
    let output = command.output().unwrap();
    let expected = format!("{DIGITS} items of {count} parts, 0 without an answer: {}\n", all.display());
    assert_eq!((text(&output.stdout), text(&output.stderr)), (expected, String::new()));
    std::fs::read(all).unwrap()
}

fn predict(setting: &Setting, folder: &Path, shard: &str, options: &[&str]) -> String {
    let output = setting.infer("predict", &[&["--shard", shard, "--out", folder.to_str().unwrap()], options].concat());
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn parts_are_together_what_one_is() {
    let setting = Setting::new();
    let one = merged(&setting, 1);
    // 40 digits are three batches of 16.
    for count in [2, 3, 5] {
        assert_eq!(merged(&setting, count), one, "{count}");
    }
    let lines = text(&one);
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), DIGITS + 2);
    // Each is what the digit gets by itself.
    let output = setting.infer("predict", &["--index", "7", "--json", "--engine", "ort:cpu"]);
    let alone: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let reading = &alone["readings"][0];
    assert_eq!(lines[8]["digit"], reading["digit"].to_string());
    let probability = &reading["probabilities"][reading["digit"].as_u64().unwrap() as usize];
    let [together, alone] = [&lines[8]["probability"], probability].map(|value| value.as_f64().unwrap());
    assert!((together / alone - 1.0).abs() < 1e-5, "{together} {alone}");
}

#[test]
fn a_part_that_is_whole_is_left_and_a_damaged_one_is_made_anew() {
    let setting = Setting::new();
    let folder = setting.path("parts");
    predict(&setting, &folder, "0/2", &[]);
    let path = folder.join("part-00000-of-00002.jsonl");
    let whole = std::fs::read(&path).unwrap();
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert!(predict(&setting, &folder, "0/2", &[]).contains("is there and whole: "));
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let said = predict(&setting, &folder, "0/2", &[]);
    assert!(said.contains("is cut or was changed; it is made anew") && said.contains("is written: "), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    // A number of parts that changes midway leaves nothing that could be put together.
    predict(&setting, &folder, "0/3", &[]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_infer"));
    let output = command.args(["predict", "--merge"]).arg(&folder).output().unwrap();
    assert!(text(&output.stderr).contains("holds parts of 2 and parts of 3"), "{}", text(&output.stderr));
    // Somebody else's file, and a part of other options.
    std::fs::write(&path, b"my thesis\n").unwrap();
    assert!(predict(&setting, &folder, "0/2", &[]).contains("is no part of a prediction"));
    assert_eq!(std::fs::read(&path).unwrap(), b"my thesis\n");
    let said = predict(&setting, &folder, "0/3", &["--threads", "2"]);
    assert!(said.contains("is of another run: its threads is 1, and here it is 2"), "{said}");
}

/// Both write the same part: whoever is last leaves it whole.
#[test]
fn two_copies_of_a_part_at_the_same_time_end_with_one_whole_file() {
    let setting = Setting::new();
    let alone = setting.path("alone");
    predict(&setting, &alone, "1/2", &[]);
    let folder = setting.path("parts");
    let copies: Vec<_> = (0..4)
        .map(|_| {
            let options = ["--shard", "1/2", "--out", folder.to_str().unwrap()];
            setting.command("predict", &options).stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut copy in copies {
        assert!(copy.wait().unwrap().success());
    }
    let name = "part-00001-of-00002.jsonl";
    assert_eq!(std::fs::read(folder.join(name)).unwrap(), std::fs::read(alone.join(name)).unwrap());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn what_is_no_part_is_refused_before_anything_runs() {
    let setting = Setting::new();
    let out = setting.path("parts");
    let out = out.to_str().unwrap();
    for (options, expected) in [
        (vec!["--shard", "3/3", "--out", out], "there is no part 3 of 3"),
        (vec!["--shard", "0/2"], "--out <PATH>"),
        (vec!["--out", out], "--shard <I/N>|--merge <FOLDER>"),
        (
            vec!["--shard", "0/2", "--out", out, "--engine", "burn"],
            "--shard takes one --engine that runs the ONNX file",
        ),
        (vec!["--shard", "0/2", "--out", out, "--index", "1"], "cannot be used with"),
        (vec!["--shard", "0/2", "--out", out, "--list", out], "--list is for pictures"),
    ] {
        let message = setting.failure("predict", &options);
        assert!(message.contains(expected), "{message}");
    }
    assert!(!Path::new(out).exists());
}

/// The metrics of all parts are made of all answers, and so those of a single evaluation to the last bit.
#[test]
fn an_evaluation_in_parts_has_the_metrics_of_a_single_one() {
    let setting = Setting::new();
    let evaluated = |count: u32| {
        let folder = setting.path(&format!("evaluation-{count}"));
        let folder = folder.to_str().unwrap();
        for index in 0..count {
            let shard = format!("{index}/{count}");
            let output = setting.infer("eval", &["--shard", &shard, "--out", folder]);
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        let merged = Path::new(folder).join("evaluation.json");
        let output = setting.infer("eval", &["--merge", folder, "--out", merged.to_str().unwrap()]);
        assert!(text(&output.stdout).contains(" parts\n"), "{output:?}");
        std::fs::read(merged).unwrap()
    };
    let one = evaluated(1);
    assert_eq!(evaluated(3), one);
    let one: serde_json::Value = serde_json::from_slice(&one).unwrap();
    let report = setting.path("single.json");
    setting.infer("eval", &["--batches", "1", "--seconds", "0.01", "--out", report.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let engines = report["engines"].as_array().unwrap();
    let single = engines.iter().find(|engine| engine["engine"] == "ort:cpu").unwrap();
    assert_eq!(single["metrics"], one["metrics"]);
    assert!(one["metrics"][0]["of"] == DIGITS);
    // Other data than that of the parts, and parts of something else.
    let folder = setting.path("evaluation-3");
    let folder = folder.to_str().unwrap();
    let message = setting.failure("eval", &["--merge", folder, "--limit", "7"]);
    assert!(message.contains("are of other data"), "{message}");
    let predictions = setting.path("predictions");
    predict(&setting, &predictions, "0/1", &[]);
    let message = setting.failure("eval", &["--merge", predictions.to_str().unwrap()]);
    assert!(message.contains("holds parts of a prediction"), "{message}");
}
