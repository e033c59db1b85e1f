//! Files that can be trusted.
//!
//! A file that this workspace reads is either checked against a SHA-256 that a manifest declares, or was written here
//! in one step. A file that it writes is complete or absent: [`AtomicFile`] writes beside the target, syncs and renames. It
//! costs nobody a file: [`Outputs`] is the rule that every command asks.
//!
//! Paths are always passed in; nothing here looks for the workspace. There is no machine learning in this crate.

pub mod atomic;
mod claim;
pub mod digest;
pub mod fault;
pub mod interrupt;
pub mod lfs;
#[cfg(feature = "manifest")]
pub mod manifest;
pub mod outputs;
pub mod pipeline;
pub mod process;
pub mod runtime;
mod staging;

pub use atomic::{AtomicFile, AtomicFolder, check_replaceable, file_place, rename, write_atomic};
pub use claim::claim;
pub use digest::{Digest, Hasher, HashingWriter, sha256_bytes, sha256_file};
pub use outputs::{GENERATOR, OutputError, Outputs, is_ours};
pub use staging::sweep;

use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed, with what was being done and to which path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// What was attempted, in the infinitive: `"read"`, `"create"`.
    pub action: &'static str,
    /// The file or folder concerned.
    pub path: PathBuf,
    /// The reason that the operating system gave.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: `File::open(p).map_err(FileError::new("open", p))`.
    pub fn new(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.as_ref().to_path_buf(), source }
    }
}
