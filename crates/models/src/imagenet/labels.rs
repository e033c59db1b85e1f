//! The names of classes, and the most probable ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::text_file;

/// The names of the classes, in the order of the logits.
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
    /// The content does not name every class.
    #[error("{} is not a list of labels: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Labels {
    /// Reads the names of so many classes: a JSON object from class number to name, `{"0": "tench", …}`, a JSON list, or a text
    /// with a name in each line.
    ///
    /// # Errors
    /// When the file cannot be read, or does not name each of the classes.
    pub fn read(path: &Path, classes: usize) -> Result<Self, LabelsError> {
        let malformed = |reason: String| LabelsError::Malformed { path: path.to_owned(), reason };
        let text = text_file::read(path).map_err(|source| LabelsError::Io { path: path.to_owned(), source })?;
        let names = names(&text, classes).map_err(malformed)?;
        if let Some(class) = names.iter().position(|name| name.trim().is_empty()) {
            return Err(malformed(format!("class {class} has no label")));
        }
        match names.len() == classes {
            true => Ok(Self(names)),
            false => Err(malformed(format!("{} labels, not {classes}", names.len()))),
        }
    }

    /// How many names a file holds; `None` if it cannot be read as one.
    pub fn count(path: &Path) -> Option<usize> {
        let text = text_file::read(path).ok()?;
        Some(names(&text, usize::MAX).ok()?.len()).filter(|count| *count > 0)
    }

    /// The class of a name, whatever the case of its letters and whether spaces or underscores part its words; `None` if there is
    /// none, or more than one.
    pub fn class(&self, name: &str) -> Option<usize> {
        let plain = |name: &str| name.replace('_', " ").to_lowercase();
        let name = plain(name);
        let mut found = (0..).zip(&self.0).filter(|(_, other)| plain(other) == name).map(|(class, _)| class);
        found.next().filter(|_| found.next().is_none())
    }

    /// The name of a class with spaces between its words: 208 is `Labrador retriever`.
    pub fn name(&self, class: usize) -> Option<String> {
        self.0.get(class).map(|name| name.replace('_', " "))
    }
}

/// The names in a file, in the order of the classes.
fn names(text: &[u8], classes: usize) -> Result<Vec<String>, String> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{') => {
            let mut names: BTreeMap<usize, String> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
            if names.len() != classes {
                return Ok(names.into_values().collect());
            }
            let name = |class| names.remove(&class).ok_or_else(|| format!("class {class} has no label"));
            (0..classes).map(name).collect()
        }
        Some(b'[') => serde_json::from_slice(text).map_err(|error| error.to_string()),
        _ => {
            let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
            Ok(text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect())
        }
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
    best(softmax(logits), count)
}

/// As [`top`], of probabilities themselves.
pub fn best(probabilities: impl IntoIterator<Item = f64>, count: usize) -> Vec<Prediction> {
    let all = (0..).zip(probabilities).map(|(class, probability)| Prediction { class, probability });
    let mut predictions: Vec<Prediction> = all.collect();
    predictions.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    predictions.truncate(count);
    predictions
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials = logits.iter().map(|logit| f64::from(logit - largest).exp());
    let exponentials: Vec<f64> = exponentials.collect();
    let total: f64 = exponentials.iter().sum();
    exponentials.iter().map(|exponential| exponential / total).collect()
}
