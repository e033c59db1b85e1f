//! Reading models from disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use artifact::FileError;

use crate::confine::{ExternalError, Place};
use crate::external;
use crate::proto::MAX_PROTOBUF_BYTES;
use crate::{DecodeError, Model};

/// A model that was not read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is no model.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The weights in other files were not read.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How [`Model::load_with`] treats a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether weights in other files are read; `true` by default. Otherwise they stay
    /// [`External`](crate::TensorData::External).
    pub external_data: bool,
    /// The most bytes of weights that are read from other files; 64 GiB by default.
    pub max_external_bytes: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { external_data: true, max_external_bytes: 64 << 30 }
    }
}

impl Model {
    /// Reads an `.onnx` file, and the weights that it keeps in other files of the same folder.
    ///
    /// The file may come from a stranger: whatever it says, nothing outside its folder is read, links are not followed but
    /// those of a model hub's cache, and memory stays within a multiple of the files' sizes.
    ///
    /// # Errors
    /// When the file is no model, or its weights are not where it says.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// [`load`](Self::load) with options.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(FileError::new("open", path))?;
        file.take(MAX_PROTOBUF_BYTES + 1).read_to_end(&mut bytes).map_err(FileError::new("read", path))?;
        if bytes.len() as u64 > MAX_PROTOBUF_BYTES {
            let large = io::Error::new(io::ErrorKind::FileTooLarge, "no ONNX file has 2 GiB or more");
            return Err(FileError::new("read", path)(large).into());
        }
        let mut model = Self::decode(bytes)?;
        if options.external_data {
            external::read(&mut model.graph, &Place::of(path), options.max_external_bytes)?;
        }
        Ok(model)
    }
}
