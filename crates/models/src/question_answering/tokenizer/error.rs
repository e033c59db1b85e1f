//! Why a folder gives no tokenizer.

use std::path::PathBuf;

/// Why a folder gives no tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The folder has neither form of a tokenizer.
    #[error("{} holds neither tokenizer.json nor vocab.txt", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file is not what its name promises.
    #[error("{} is not a usable tokenizer file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting asks for what is not done here.
    #[error("{}: {setting} = {found} is not followed; supported: {supported}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would be followed.
        supported: &'static str,
    },
}
