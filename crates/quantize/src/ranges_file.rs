//! Ranges in a file, which people may read and edit.

use std::path::{Path, PathBuf};

use artifact::{Digest, FileError, write_atomic};
use serde::{Deserialize, Serialize};

use crate::writer::Ranges;

/// The ranges of a model's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangesFile {
    /// The program and its version.
    pub generator: String,
    /// The SHA-256 of the model.
    pub model_sha256: Digest,
    /// How they were chosen.
    pub method: String,
    /// The samples that they come from.
    pub samples: usize,
    /// The ranges by the names of the values.
    pub ranges: Ranges,
}

/// A file of ranges that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RangesError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is something else.
    #[error("{} is no file of ranges: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is for another model.
    #[error("the file of ranges was made for the model {found}, and {} is {expected}; remove it to have the ranges measured anew", model.display())]
    Other {
        /// The model.
        model: PathBuf,
        /// Its SHA-256.
        expected: Digest,
        /// That of the model of the ranges.
        found: Digest,
    },
}

impl RangesFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, RangesError> {
        let text = std::fs::read(path).map_err(FileError::new("read", path))?;
        serde_json::from_slice(&text).map_err(|source| RangesError::Content { path: path.to_owned(), source })
    }

    /// Refuses ranges of another model.
    ///
    /// # Errors
    /// When they are.
    pub fn require_for(&self, sha256: &Digest, model: &Path) -> Result<(), RangesError> {
        match self.model_sha256 == *sha256 {
            true => Ok(()),
            false => Err(RangesError::Other { model: model.to_owned(), expected: *sha256, found: self.model_sha256 }),
        }
    }
}

/// Writes ranges, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, file: &RangesFile) -> Result<(), FileError> {
    let text = serde_json::to_string_pretty(file).map_err(|error| FileError::new("write", path)(error.into()))?;
    write_atomic(path, text + "\n")
}
