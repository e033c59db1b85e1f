//! The names of the ImageNet classes, and the most probable ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::CLASSES;
use crate::text_file;

/// The names of the 1,000 classes, in the order of the logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels(Vec<String>);

/// Why a label file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The content is not JSON from class numbers to names.
    #[error("{} is not a list of labels: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Labels {
    /// Reads a JSON object from class number to name, `{"0": "tench", …}`.
    ///
    /// # Errors
    /// When the file cannot be read, or does not name each of the 1,000 classes.
    pub fn read(path: &Path) -> Result<Self, LabelsError> {
        let malformed = |reason: String| LabelsError::Malformed { path: path.to_owned(), reason };
        let text = text_file::read(path).map_err(|source| LabelsError::Io { path: path.to_owned(), source })?;
        let mut names: BTreeMap<usize, String> =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if names.len() != CLASSES {
            return Err(malformed(format!("{} labels, not {CLASSES}", names.len())));
        }
        (0..CLASSES)
            .map(|class| {
                let name = names.remove(&class);
                name.ok_or_else(|| malformed(format!("class {class} has no label")))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The name of a class with spaces between its words: 208 is `Labrador retriever`.
    pub fn name(&self, class: usize) -> Option<String> {
        self.0.get(class).map(|name| name.replace('_', " "))
    }
}

/// A class and how probable the network holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The class number.
    pub class: usize,
    /// From 0 to 1, by softmax over all classes.
    pub probability: f64,
}

/// The `count` most probable classes, best first; of equals, the lower class number.
pub fn top(logits: &[f32], count: usize) -> Vec<Prediction> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials = logits.iter().map(|logit| f64::from(logit - largest).exp());
    let exponentials: Vec<f64> = exponentials.collect();
    let total: f64 = exponentials.iter().sum();
    let mut predictions: Vec<Prediction> = exponentials
        .iter()
        .enumerate()
        .map(|(class, exponential)| Prediction { class, probability: exponential / total })
        .collect();
    predictions.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    predictions.truncate(count);
    predictions
}
