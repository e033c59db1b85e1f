//! Writing models to disk.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use artifact::{AtomicFile, FileError};

use crate::proto::{EncodeError, Layout, MAX_PROTOBUF_BYTES};
use crate::{ExternalData, Model, TensorData};

/// A model that was not written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The model cannot be written as protobuf.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The path has no file name that could stand in the model.
    #[error("{} has no file name in Unicode, after which the file of weights could be named", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
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
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { external: External::WhenNeeded, external_from: 1024, alignment: 4096 }
    }
}

impl Model {
    /// Writes the model to `path`; weights go to `<path>.data` when the file would otherwise reach 2 GiB.
    ///
    /// The file appears whole or not at all, and the same model gives the same bytes.
    ///
    /// # Errors
    /// When a tensor contradicts its shape, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), SaveError> {
        self.save_with(path, &SaveOptions::default())
    }

    /// [`save`](Self::save) with options.
    ///
    /// With external data two files are written. The weights come first, and a model that was at `path` is removed
    /// before they replace the ones it refers to: a reader never finds a model with the weights of another.
    ///
    /// # Errors
    /// As for [`save`](Self::save).
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<(), SaveError> {
        let path = path.as_ref();
        let layout = Layout::new(self)?;
        let large = layout.len() > MAX_PROTOBUF_BYTES;
        match options.external {
            External::Never if large => Err(EncodeError::TooLarge { bytes: layout.len() }.into()),
            External::Always => self.save_external(path, options),
            External::WhenNeeded if large => self.save_external(path, options),
            _ => Ok(write(&layout, path)?),
        }
    }

    fn save_external(&self, path: &Path, options: &SaveOptions) -> Result<(), SaveError> {
        let no_name = || SaveError::Name { path: path.to_path_buf() };
        let location = format!("{}.data", path.file_name().and_then(|name| name.to_str()).ok_or_else(no_name)?);
        let data_path = path.with_file_name(&location);
        let mut light = self.clone();
        let mut weights = Vec::new();
        let mut end = 0u64;
        for tensor in &mut light.graph.initializers {
            tensor.validate().map_err(EncodeError::from)?;
            let TensorData::Bytes(bytes) = &tensor.data else { continue };
            let length = bytes.len() as u64;
            if length < options.external_from {
                continue;
            }
            let offset = end.next_multiple_of(options.alignment.max(1));
            weights.push((offset - end, bytes.clone()));
            end = offset + length;
            let length = Some(length);
            tensor.data = TensorData::External(ExternalData { location: location.clone(), offset, length });
        }
        if weights.is_empty() {
            return Ok(write(&Layout::new(self)?, path)?);
        }
        let layout = Layout::new(&light)?;
        if layout.len() > MAX_PROTOBUF_BYTES {
            return Err(EncodeError::TooLarge { bytes: layout.len() }.into());
        }
        let mut data = AtomicFile::create(&data_path)?;
        for (gap, bytes) in &weights {
            io::copy(&mut io::Read::take(io::repeat(0), *gap), &mut data)
                .map_err(FileError::new("write", &data_path))?;
            data.write_all(bytes).map_err(FileError::new("write", &data_path))?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::new("replace", path)(error).into());
            }
            _ => data.commit()?,
        }
        Ok(write(&layout, path)?)
    }
}

fn write(layout: &Layout, path: &Path) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path)?;
    layout.write(&mut file).map_err(FileError::new("write", path))?;
    file.commit()
}
