//! What a network is made of, for the metadata of its file.

use std::collections::BTreeMap;
use std::path::Path;

use artifact::{Digest, FileError, sha256_file};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Training's record of a run, beside its weights; in a Hugging Face folder the network's configuration has the second name.
const RECORDS: [&str; 2] = ["training.json", "config.json"];

/// Training's record of each epoch, beside its weights.
const METRICS_FILE: &str = "metrics.jsonl";

/// The part of a run's record that is kept.
#[derive(Deserialize)]
struct Run {
    config: Recipe,
    data: BTreeMap<String, Digest>,
    #[serde(default)]
    revision: Option<String>,
    weights: Weights,
}

#[derive(Deserialize)]
struct Recipe {
    seed: u64,
    epochs: usize,
}

#[derive(Deserialize)]
struct Weights {
    sha256: Digest,
}

/// What is kept of an epoch's record: the figures of the test digits, or of the questions held out.
const METRICS: [&str; 6] = ["test_loss", "test_correct", "test_total", "exact_match", "f1", "questions"];

/// The entries for weights from a file: their SHA-256, the revision of the exporting code, and, if training's records lie
/// beside the weights and are of these weights, the data's SHA-256, seed, epochs and result.
///
/// Nothing in them depends on time or place, so that the same weights give the same bytes.
///
/// # Errors
/// When the weights cannot be read. Records that are missing, or of something else, are left out.
pub fn of(weights: &Path, revision: Option<&str>) -> Result<BTreeMap<String, String>, FileError> {
    let digest = sha256_file(weights)?;
    let mut entries = BTreeMap::from([("weights.sha256".to_owned(), digest.to_string())]);
    if let Some(revision) = revision {
        entries.insert("code.revision".to_owned(), revision.to_owned());
    }
    let folder = weights.parent().unwrap_or(Path::new(""));
    let Some(run) = read_run(folder).filter(|run| run.weights.sha256 == digest) else {
        return Ok(entries);
    };
    for (file, digest) in run.data {
        entries.insert(format!("dataset.sha256.{file}"), digest.to_string());
    }
    entries.insert("training.seed".to_owned(), run.config.seed.to_string());
    entries.insert("training.epochs".to_owned(), run.config.epochs.to_string());
    if let Some(revision) = run.revision {
        entries.insert("training.revision".to_owned(), revision);
    }
    if let Some(epoch) = read_last_epoch(folder, run.config.epochs) {
        let known = METRICS.into_iter().filter_map(|name| Some((name, epoch.get(name)?)));
        entries.extend(known.map(|(name, value)| (format!("metrics.{name}"), value.to_string())));
    }
    Ok(entries)
}

fn read_run(folder: &Path) -> Option<Run> {
    let read = |name: &str| serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok();
    RECORDS.into_iter().find_map(read)
}

/// The record of the last epoch, if there is one for every epoch of the run.
fn read_last_epoch(folder: &Path, epochs: usize) -> Option<Map<String, Value>> {
    let text = std::fs::read_to_string(folder.join(METRICS_FILE)).ok()?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() != epochs {
        return None;
    }
    serde_json::from_str(lines.last()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(weights: &Digest) -> String {
        let data = artifact::sha256_bytes(b"data");
        format!(
            r#"{{"config": {{"seed": 3, "epochs": 2, "gamma": 0.7}}, "data": {{"images": "{data}"}},
                "revision": "abc", "weights": {{"file": "model.safetensors", "sha256": "{weights}"}}}}"#
        )
    }

    const METRICS: &str = "{\"epoch\": 1, \"test_loss\": 0.5, \"test_correct\": 1, \"test_total\": 10}\n\
                           {\"epoch\": 2, \"test_loss\": 0.25, \"test_correct\": 9, \"test_total\": 10}\n";

    #[test]
    fn records_are_kept_only_of_the_same_weights() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("model.safetensors");
        std::fs::write(&weights, b"weights").unwrap();
        let digest = artifact::sha256_bytes(b"weights");
        let keys = |entries: &BTreeMap<String, String>| entries.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&of(&weights, None).unwrap()), ["weights.sha256"]);

        std::fs::write(folder.path().join("config.json"), run(&artifact::sha256_bytes(b"other weights"))).unwrap();
        assert_eq!(keys(&of(&weights, Some("r1")).unwrap()), ["code.revision", "weights.sha256"]);

        std::fs::write(folder.path().join("config.json"), run(&digest)).unwrap();
        std::fs::write(folder.path().join("metrics.jsonl"), METRICS).unwrap();
        let entries = of(&weights, Some("r1")).unwrap();
        let value = |key: &str| entries.get(key).map(String::as_str);
        assert_eq!(value("weights.sha256"), Some(digest.to_string().as_str()));
        assert_eq!(value("dataset.sha256.images"), Some(artifact::sha256_bytes(b"data").to_string().as_str()));
        assert_eq!((value("training.seed"), value("training.revision")), (Some("3"), Some("abc")));
        assert_eq!((value("metrics.test_correct"), value("metrics.test_loss")), (Some("9"), Some("0.25")));
    }

    #[test]
    fn an_unfinished_history_is_no_result() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("model.safetensors");
        std::fs::write(&weights, b"weights").unwrap();
        std::fs::write(folder.path().join("config.json"), run(&artifact::sha256_bytes(b"weights"))).unwrap();
        let first = METRICS.lines().next().unwrap();
        std::fs::write(folder.path().join("metrics.jsonl"), first).unwrap();
        let entries = of(&weights, None).unwrap();
        assert!(entries.contains_key("training.seed") && !entries.contains_key("metrics.test_loss"));
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        assert_eq!(of(&weights, None).unwrap().len(), 1);
    }

    #[test]
    fn missing_weights_are_named() {
        let message = of(Path::new("no/such.safetensors"), None).unwrap_err().to_string();
        assert!(message.contains("no/such.safetensors"), "{message}");
    }
}
