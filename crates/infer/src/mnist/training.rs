//! How the weights were trained, from training's records beside them.

use std::path::Path;

use artifact::Digest;
use serde::{Deserialize, Serialize};

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
}

#[derive(Deserialize)]
struct Weights {
    sha256: Digest,
}

/// The epochs of the training that made these weights. Empty if there are no records beside them, or the records are of
/// other weights: nothing that is reported may be of something else.
pub fn history(weights: &Path, sha256: &Digest) -> Vec<Epoch> {
    let folder = weights.parent().unwrap_or(Path::new(""));
    let run = std::fs::read(folder.join("config.json")).ok();
    let run: Option<Run> = run.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if run.is_none_or(|run| run.weights.sha256 != *sha256) {
        return Vec::new();
    }
    let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap_or_default();
    metrics.lines().map(serde_json::from_str).collect::<Result<_, _>>().unwrap_or_default()
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
        let config = format!(r#"{{"config": {{}}, "weights": {{"file": "model.safetensors", "sha256": "{this}"}}}}"#);
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let line =
            r#"{"epoch":1,"learning_rate":1.0,"train_loss":0.5,"test_loss":0.25,"test_correct":9,"test_total":10}"#;
        std::fs::write(folder.path().join("metrics.jsonl"), format!("{line}\n{line}\n")).unwrap();
        let epochs = history(&weights, &this);
        assert_eq!((epochs.len(), epochs[0].test_loss, epochs[0].test_correct), (2, 0.25, 9));
        assert!(history(&weights, &other).is_empty());
        std::fs::write(folder.path().join("metrics.jsonl"), "{").unwrap();
        assert!(history(&weights, &this).is_empty());
    }
}
