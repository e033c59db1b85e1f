//! How the weights were trained, from training's records beside them.

use std::path::Path;

use artifact::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an epoch came to: a line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Which, from one.
    pub epoch: usize,
    /// The mean loss over what was learnt from.
    pub train_loss: f64,
    /// The same for each part of the epoch, if that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<f64>,
    /// What was found after it.
    #[serde(flatten)]
    pub found: Found,
}

/// What was found after an epoch, by what was not learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Found {
    /// Classes.
    Recognised {
        /// The mean loss.
        test_loss: f64,
        /// Items recognised.
        test_correct: usize,
        /// How many there were.
        test_total: usize,
    },
    /// Answers.
    Answered {
        /// Answers that are exactly right, in percent.
        exact_match: f64,
        /// The mean F1, in percent.
        f1: f64,
        /// How many questions there were.
        questions: usize,
    },
}

/// The records of a run, the first that is one: a Hugging Face folder has the network's own configuration under the second name.
const RECORDS: [&str; 2] = ["training.json", "config.json"];

#[derive(Deserialize)]
struct Run {
    weights: Weights,
    #[serde(default)]
    config: Value,
}

#[derive(Deserialize)]
struct Weights {
    sha256: Digest,
}

/// The epochs of the training that made these weights. Empty if there are no records beside them, or the records are of
/// other weights: nothing that is reported may be of something else.
pub fn history(weights: &Path, sha256: &Digest) -> Vec<Epoch> {
    if run(weights, sha256).is_none() {
        return Vec::new();
    }
    let metrics = std::fs::read_to_string(weights.with_file_name("metrics.jsonl")).unwrap_or_default();
    metrics.lines().map(serde_json::from_str).collect::<Result<_, _>>().unwrap_or_default()
}

/// The command that made these weights of the network `name`; `None` if there is no record of them.
pub fn command(name: &str, weights: &Path, sha256: &Digest) -> Option<String> {
    let config = run(weights, sha256)?.config;
    let is = |place: &str| config.pointer(place).is_some_and(|value| !value.is_null());
    let fine_tuned = is("/warm_up");
    let mut text = match fine_tuned {
        true => format!("cargo xtask train {name} --squad FILE"),
        false => "cargo xtask train".to_owned(),
    };
    if is("/augmentation") {
        text += " --recipe modern";
    }
    let all = [
        ("--epochs", "/epochs"),
        ("--batch-size", "/batch_size"),
        ("--lr", "/learning_rate"),
        ("--gamma", "/schedule/gamma"),
        ("--seed", "/seed"),
        ("--limit", "/limit"),
    ];
    let own = [
        ("--hold-out", "/hold_out"),
        ("--warm-up", "/warm_up"),
        ("--weight-decay", "/optimizer/weight_decay"),
        ("--clip", "/clip"),
        ("--dropout", "/dropout"),
        ("--length", "/length"),
        ("--stride", "/stride"),
    ];
    for (option, place) in all.into_iter().chain(own.into_iter().filter(|_| fine_tuned)) {
        if let Some(value) = config.pointer(place).filter(|value| value.is_number()) {
            text += &format!(" {option} {value}");
        }
    }
    if config.get("dry_run") == Some(&Value::Bool(true)) {
        text += " --dry-run";
    }
    Some(text)
}

/// The record of the training, if it is of these weights.
fn run(weights: &Path, sha256: &Digest) -> Option<Run> {
    let read = |name: &str| serde_json::from_slice(&std::fs::read(weights.with_file_name(name)).ok()?).ok();
    RECORDS.into_iter().find_map(read).filter(|run: &Run| run.weights.sha256 == *sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_that_of_the_same_weights() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("model.safetensors");
        let (this, other) = (artifact::sha256_bytes(b"this"), artifact::sha256_bytes(b"other"));
        assert!(history(&weights, &this).is_empty());
        let config = format!(
            r#"{{"config": {{"epochs": 2, "learning_rate": 1.0, "limit": null}}, "weights": {{"file": "model.safetensors", "sha256": "{this}"}}}}"#
        );
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let line =
            r#"{"epoch":1,"learning_rate":1.0,"train_loss":0.5,"test_loss":0.25,"test_correct":9,"test_total":10}"#;
        std::fs::write(folder.path().join("metrics.jsonl"), format!("{line}\n{line}\n")).unwrap();
        let epochs = history(&weights, &this);
        let found = Found::Recognised { test_loss: 0.25, test_correct: 9, test_total: 10 };
        assert_eq!((epochs.len(), epochs[0].found), (2, found));
        assert!(history(&weights, &other).is_empty());
        assert_eq!(command("net", &weights, &this).as_deref(), Some("cargo xtask train --epochs 2 --lr 1.0"));
        assert_eq!(command("net", &weights, &other), None);

        // A Hugging Face folder has another file of that name.
        std::fs::rename(folder.path().join("config.json"), folder.path().join("training.json")).unwrap();
        std::fs::write(folder.path().join("config.json"), r#"{"hidden_size": 384}"#).unwrap();
        let line = r#"{"epoch":1,"train_loss":0.5,"exact_match":51.0,"f1":63.6,"questions":10,"losses":[0.75,0.25]}"#;
        std::fs::write(folder.path().join("metrics.jsonl"), line).unwrap();
        let epochs = history(&weights, &this);
        let found = Found::Answered { exact_match: 51.0, f1: 63.6, questions: 10 };
        assert_eq!((epochs[0].found, epochs[0].losses.as_slice()), (found, [0.75, 0.25].as_slice()));
        std::fs::write(folder.path().join("metrics.jsonl"), "{").unwrap();
        assert!(history(&weights, &this).is_empty());
    }
}
