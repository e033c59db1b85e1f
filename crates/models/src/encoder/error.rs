//! Why a folder gives no encoder.

use std::path::PathBuf;

use crate::weights::WeightsError;

/// Why a folder gives no encoder.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file is not what its name promises.
    #[error("{} is not a usable configuration: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The network is of another kind.
    #[error("the model type is {found:?}, which is no encoder here; supported: {}", super::Family::listed())]
    OtherFamily {
        /// Its `model_type`, or its `architectures` if it has none; empty if it has neither.
        found: String,
    },
    /// The configuration does not tell what the network is for.
    #[error("architectures = {found:?} names no task that is supported; say with --task which one it is")]
    NoTask {
        /// The classes.
        found: String,
    },
    /// A setting has a value that is not implemented.
    #[error("{setting} = {found} is not supported; supported: {supported}")]
    Unsupported {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would be.
        supported: &'static str,
    },
    /// The numbers contradict each other.
    #[error("{reason}")]
    Inconsistent {
        /// Which, and how.
        reason: String,
    },
    /// The weights of a part that has a file of its own.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// What a named file says cannot be had.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<EncoderError>,
    },
}

impl EncoderError {
    pub(super) fn unsupported(setting: &'static str, found: impl ToString, supported: &'static str) -> Self {
        Self::Unsupported { setting, found: found.to_string(), supported }
    }

    pub(super) fn inconsistent(reason: impl Into<String>) -> Self {
        Self::Inconsistent { reason: reason.into() }
    }
}
