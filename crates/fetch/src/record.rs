//! What was fetched of files whose SHA-256 nobody publishes: their first fetch decides, and every later look compares.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use artifact::{Digest, FileError, write_atomic};
use serde::{Deserialize, Serialize};

use artifact::manifest::FileEntry;

/// The name of the record in a data set's folder.
const NAME: &str = "first-fetch.json";

/// Sizes and hashes by file name, as the first fetch found them.
#[derive(Debug, Default)]
pub struct Record {
    path: PathBuf,
    files: BTreeMap<String, Recorded>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    bytes: u64,
    sha256: Digest,
}

impl Record {
    /// The record in `folder`; empty if there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(NAME);
        let unreadable = |error: io::Error| FileError::new("read", &path)(error);
        let files = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(unreadable(error)),
        };
        Ok(Self { path, files })
    }

    /// The entry with the size and the hash that the record has for it, if the manifest has none.
    pub fn complete(&self, entry: &FileEntry) -> FileEntry {
        let recorded = self.files.get(&entry.name).filter(|_| entry.sha256.is_none());
        let (bytes, sha256) = match recorded {
            Some(recorded) => (Some(recorded.bytes), Some(recorded.sha256)),
            None => (entry.bytes, entry.sha256),
        };
        FileEntry { bytes, sha256, ..entry.clone() }
    }

    /// Adds what was fetched, and writes the record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, name: &str, bytes: u64, sha256: Digest) -> Result<(), FileError> {
        self.files.insert(name.to_owned(), Recorded { bytes, sha256 });
        let text = serde_json::to_vec_pretty(&self.files)
            .map_err(|error| FileError::new("write", &self.path)(error.into()))?;
        write_atomic(&self.path, &text)
    }
}
