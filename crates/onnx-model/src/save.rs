//! Writing models to disk.

use std::io::Write;
use std::path::{Path, PathBuf};

use artifact::{FileError, OutputError};

use crate::Model;
use crate::proto::{EncodeError, Layout};
use crate::stage::{Staged, WrittenFile};

/// A model that was not written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The model cannot be written as protobuf.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The writer failed.
    #[error("the model cannot be written: {0}")]
    Write(#[source] std::io::Error),
    /// The path has no file name that could stand in the model.
    #[error("{} has no file name in Unicode, after which the file of weights could be named", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file of weights would take the place of a file that does not belong to the model that is replaced.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Whether the weights go to a file of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum External {
    /// Only when the `.onnx` file would otherwise reach 2 GiB, where protobuf ends.
    #[default]
    WhenNeeded,
    /// Always, as far as a tensor is [large enough](SaveOptions::external_from).
    Always,
    /// Never; a model of 2 GiB or more is an error.
    Never,
}

/// How [`Model::save_with`] writes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveOptions {
    /// Whether the weights go to a file of their own: `<model>.data`.
    pub external: External,
    /// Tensors below this number of bytes stay in the model; 1024 by default. Runtimes want to see small constants,
    /// such as the target of a `Reshape`, while they work out shapes.
    pub external_from: u64,
    /// Each tensor begins at a multiple of this many bytes; 4096 by default, so that runtimes can map the file.
    pub alignment: u64,
    /// Replace a file `<model>.data` even if it is not that of a model of the same producer at the same place; false by
    /// default.
    pub force: bool,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { external: External::WhenNeeded, external_from: 1024, alignment: 4096, force: false }
    }
}

impl Model {
    /// Writes the bytes of the `.onnx` file to `out`, straight from where the tensors lie, and returns their number.
    ///
    /// The same bytes as those of [`encode`](Self::encode), which takes as much memory again. For their SHA-256 wrap
    /// `out` in an `artifact::HashingWriter`.
    ///
    /// # Errors
    /// When a tensor contradicts its shape, the result would be 2 GiB or more, or `out` fails; some bytes may then
    /// have been written.
    pub fn write_to(&self, out: &mut impl Write) -> Result<u64, SaveError> {
        let layout = Layout::new(self)?;
        layout.fits()?;
        layout.write(out).map_err(SaveError::Write)?;
        Ok(layout.len())
    }

    /// Writes the model to `path`; weights go to `<path>.data` when the file would otherwise reach 2 GiB.
    ///
    /// Files appear whole or not at all, and the same model gives the same bytes. Returned are the files with their
    /// lengths and SHA-256.
    ///
    /// # Errors
    /// When a tensor contradicts its shape, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Vec<WrittenFile>, SaveError> {
        self.save_with(path, &SaveOptions::default())
    }

    /// [`save`](Self::save) with options.
    ///
    /// With external data two files are written. The weights come first, and a model that was at `path` is removed
    /// before they replace the ones it refers to: a reader never finds a model with the weights of another. A file of that name
    /// that is not the model's is an error, unless [`force`](SaveOptions::force) is set.
    ///
    /// # Errors
    /// As for [`save`](Self::save).
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<Vec<WrittenFile>, SaveError> {
        self.stage(path, options).and_then(Staged::commit)
    }
}
