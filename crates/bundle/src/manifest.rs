//! What belongs together, by hash.

use std::collections::BTreeMap;

use artifact::{Digest, sha256_bytes};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use engines::engine::Signature;

/// The only version of the manifest that is understood.
pub const FORMAT: u32 = 1;

/// The largest difference of an answer from the expected one, relative to the largest value of the same output. Float32
/// summed in another order stays far below; half precision does not.
pub const TOLERANCE: f64 = 1e-4;

/// What a bundle is and what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The network: `mnist`.
    pub name: String,
    /// What wrote the bundle.
    pub code: Code,
    /// The model file.
    pub model: ModelEntry,
    /// The SHA-256 of each data file that the weights were trained on, by the model's own record.
    pub data: BTreeMap<String, String>,
    /// The SHA-256 of the weights that the model was exported from, by the model's own record.
    pub weights: Option<String>,
    /// The evaluation of the model.
    pub evidence: Evidence,
    /// The times of that evaluation.
    pub timing: Timing,
    /// The example.
    pub example: Example,
    /// The most items in a batch that Triton may put together.
    pub max_batch_size: usize,
    /// The file with the names of the classes, beside `config.pbtxt`.
    pub labels: Option<String>,
    /// Every file but the manifest and the checksums.
    pub files: BTreeMap<String, FileEntry>,
}

/// What code made the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The program that wrote the bundle.
    pub bundled_by: String,
    /// The revision of that program, if it is known.
    pub bundled_at: Option<String>,
    /// The revision that exported the model, by the model's own record.
    pub exported_at: Option<String>,
    /// The revision that trained the weights, by the model's own record.
    pub trained_at: Option<String>,
}

/// The model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// The file.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// The files beside it that hold its weights.
    pub external: Vec<String>,
    /// What it takes and gives.
    pub signature: Signature,
    /// What it says about itself.
    pub metadata: BTreeMap<String, String>,
}

/// The evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The file.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// The SHA-256 of the model that was evaluated: the one of this bundle.
    pub model_sha256: Digest,
}

/// The times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The SHA-256 of the field `timing` of the evaluation, as JSON without spaces.
    pub sha256: Digest,
    /// The median of each engine at each batch size, in milliseconds.
    pub p50_ms: Vec<MedianTime>,
}

/// The median time of an engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MedianTime {
    /// The engine.
    pub engine: String,
    /// Items in a run.
    pub batch: u64,
    /// Milliseconds.
    pub p50_ms: f64,
}

/// The example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it is made of: a file, a question, or that it was made up.
    #[serde(default)]
    pub about: String,
    /// The request.
    pub request: String,
    /// The response.
    pub response: String,
    /// What computed the response.
    pub computed_by: String,
    /// [`TOLERANCE`] when the bundle was written.
    pub relative_tolerance: f64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
}

/// What an evaluation says that a bundle depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Whether it passed.
    pub passed: bool,
    /// The SHA-256 of the model that was evaluated.
    pub model: Digest,
    /// The times.
    pub timing: Timing,
}

impl Judgement {
    /// Reads an evaluation.
    ///
    /// # Errors
    /// A sentence that says what is missing in it.
    pub fn of(evaluation: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(evaluation).map_err(|error| format!("is no evaluation: {error}"))?;
        let passed = value.get("passed").and_then(Value::as_bool).ok_or("does not say whether it passed")?;
        let model = value.pointer("/fingerprint/files/model/sha256").and_then(Value::as_str);
        let model = model.and_then(|text| text.parse().ok()).ok_or("does not say which model was evaluated")?;
        let timing = value.get("timing").ok_or("holds no times")?;
        let batches = timing.as_array().map_or(std::slice::from_ref(timing), Vec::as_slice);
        let p50_ms = batches.iter().flat_map(medians).collect();
        Ok(Self { passed, model, timing: Timing { sha256: sha256_bytes(timing.to_string().as_bytes()), p50_ms } })
    }
}

fn medians(batch: &Value) -> Vec<MedianTime> {
    let size = batch.get("batch").and_then(Value::as_u64);
    let engines = batch.get("engines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let median = |engine: &Value| {
        Some(MedianTime {
            engine: engine.get("engine")?.as_str()?.to_owned(),
            batch: size?,
            p50_ms: engine.pointer("/latency_ms/p50")?.as_f64()?,
        })
    };
    engines.iter().filter_map(median).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_without_what_a_bundle_needs_is_refused() {
        let model = sha256_bytes(b"model");
        let whole = format!(
            r#"{{"passed": true, "fingerprint": {{"files": {{"model": {{"sha256": "{model}"}}}}}},
                "timing": [{{"batch": 2, "engines": [{{"engine": "ort:cpu", "latency_ms": {{"p50": 1.5}}}}]}}]}}"#
        );
        let judgement = Judgement::of(whole.as_bytes()).unwrap();
        assert_eq!((judgement.passed, judgement.model), (true, model));
        let expected = MedianTime { engine: "ort:cpu".to_owned(), batch: 2, p50_ms: 1.5 };
        assert_eq!(judgement.timing.p50_ms, [expected]);
        for (part, complaint) in [
            ("passed", "whether it passed"),
            ("model", "which model"),
            ("timing", "no times"),
            ("{", "is no evaluation"),
        ] {
            let error = Judgement::of(whole.replacen(part, "x", 1).as_bytes()).unwrap_err();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
