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
    /// The mean loss over the training images.
    pub train_loss: f64,
    /// The mean loss over the test images.
    pub test_loss: f64,
    /// Test images recognised.
    pub test_correct: usize,
    /// How many there were.
    pub test_total: usize,
}

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

/// The command that made these weights; `None` if there is no record of them.
pub fn command(weights: &Path, sha256: &Digest) -> Option<String> {
    let config = run(weights, sha256)?.config;
    let modern = config.get("augmentation").is_some_and(|augmentation| !augmentation.is_null());
    let mut text = "cargo xtask train".to_owned();
    if modern {
        text += " --recipe modern";
    }
    let options = [
        ("--epochs", "/epochs"),
        ("--batch-size", "/batch_size"),
        ("--lr", "/learning_rate"),
        ("--gamma", "/schedule/gamma"),
        ("--seed", "/seed"),
        ("--limit", "/limit"),
    ];
    for (option, place) in options {
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
    let bytes = std::fs::read(weights.with_file_name("config.json")).ok()?;
    serde_json::from_slice(&bytes).ok().filter(|run: &Run| run.weights.sha256 == *sha256)
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
        assert_eq!((epochs.len(), epochs[0].test_loss, epochs[0].test_correct), (2, 0.25, 9));
        assert!(history(&weights, &other).is_empty());
        assert_eq!(command(&weights, &this).as_deref(), Some("cargo xtask train --epochs 2 --lr 1.0"));
        assert_eq!(command(&weights, &other), None);
        std::fs::write(folder.path().join("metrics.jsonl"), "{").unwrap();
        assert!(history(&weights, &this).is_empty());
    }
}
