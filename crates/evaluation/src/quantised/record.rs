//! The report that `quantize` writes beside a file: what the file was made from, and what it was held to.

use std::path::{Path, PathBuf};

use artifact::{Digest, sha256_file};
use serde::Deserialize;

use super::Tried;
use super::fidelity::Metric;

/// What a report says that an evaluation needs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    /// The float model.
    pub float: Mark,
    /// The quantised model.
    pub quantized: Mark,
    /// What a drop is one of.
    pub metric: Option<Metric>,
    /// The limit that was set.
    pub gate: Option<Gate>,
    /// The models that were tried.
    #[serde(default)]
    pub curve: Vec<Tried>,
    /// The samples.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
}

/// A file with its hash.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Mark {
    /// Where it was.
    pub path: PathBuf,
    /// The SHA-256 of the ONNX file.
    pub sha256: Digest,
}

/// A limit on the drop of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Gate {
    /// The largest drop that is good enough.
    pub max_drop: f64,
}

impl Record {
    /// The report beside a model: of its name with the ending `.json`, and of that very file. `None` if there is none.
    pub fn beside(model: &Path) -> Option<Self> {
        let bytes = std::fs::read(model.with_extension("json")).ok()?;
        let record: Self = serde_json::from_slice(&bytes).ok()?;
        (sha256_file(model).ok()? == record.quantized.sha256).then_some(record)
    }

    /// The float model, if it is still there: where it was, or beside the quantised one; and what is said if another file is.
    pub fn float(&self, model: &Path) -> Result<PathBuf, String> {
        let beside = self.float.path.file_name().map(|name| model.with_file_name(name));
        let places: Vec<PathBuf> = [Some(self.float.path.clone()), beside].into_iter().flatten().collect();
        let is_it = |path: &&PathBuf| sha256_file(path).is_ok_and(|found| found == self.float.sha256);
        match (places.iter().find(is_it), places.iter().find(|path| path.is_file())) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(other)) => {
                Err(format!("{} is no longer the file that the quantised one was made from", other.display()))
            }
            (None, None) => {
                Err(format!("the float model that it was made from is not at {} any more", self.float.path.display()))
            }
        }
    }

    /// At most `count` of the samples that are still there, evenly spread.
    pub fn samples(&self, count: usize) -> Vec<PathBuf> {
        let there: Vec<&PathBuf> = self
            .inputs
            .iter()
            .filter(|path| path.exists() && path.extension().is_none_or(|ending| ending != "npy"))
            .collect();
        let taken = count.min(there.len());
        (0..taken).filter_map(|index| there.get(index * there.len() / taken).map(|path| (*path).clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_only_for_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("m.int8.onnx"), "integers").unwrap();
        std::fs::write(at("m.onnx"), "floats").unwrap();
        let write = |of: &str| {
            let (quantized, float) = (sha256_file(at(of)).unwrap(), sha256_file(at("m.onnx")).unwrap());
            let text = format!(
                r#"{{"quantized": {{"path": "m.int8.onnx", "sha256": "{quantized}"}}, "metric": "cosine", "gate": {{"max_drop": 0.02}},
                "float": {{"path": "elsewhere/m.onnx", "sha256": "{float}"}}, "inputs": ["gone.safetensors"]}}"#
            );
            std::fs::write(at("m.int8.json"), text).unwrap();
        };
        assert_eq!(Record::beside(&at("m.int8.onnx")), None);
        write("m.onnx");
        assert_eq!(Record::beside(&at("m.int8.onnx")), None);
        write("m.int8.onnx");
        let record = Record::beside(&at("m.int8.onnx")).unwrap();
        assert_eq!((record.metric, record.gate), (Some(Metric::Cosine), Some(Gate { max_drop: 0.02 })));
        assert_eq!(record.float(&at("m.int8.onnx")), Ok(at("m.onnx")));
        assert!(record.samples(8).is_empty());
        std::fs::write(at("m.onnx"), "others").unwrap();
        assert!(record.float(&at("m.int8.onnx")).unwrap_err().contains("is no longer the file"));
    }
}
