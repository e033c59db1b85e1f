//! The result of an export.

use std::io::Write;
use std::path::Path;

use onnx_model::{Model, SaveOptions, WrittenFile};

use crate::error::ExportError;
use crate::report::ExportReport;
use crate::signature::Signature;

/// A checked ONNX model, not yet written.
#[derive(Clone, Debug)]
pub struct ExportedModel {
    pub(crate) model: Model,
    pub(crate) report: ExportReport,
    /// What was declared of the inputs.
    #[cfg_attr(not(feature = "verify"), expect(dead_code, reason = "verification alone reads it"))]
    pub(crate) signature: Signature,
}

impl ExportedModel {
    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model, by value.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// What was captured, simplified, lowered and checked.
    pub fn report(&self) -> &ExportReport {
        &self.report
    }

    /// The bytes of the `.onnx` file; the same module always gives the same bytes.
    ///
    /// # Errors
    /// When the file would be 2 GiB or more: [`save`](Self::save) then writes the weights beside it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        Ok(self.model.encode()?)
    }

    /// Writes the bytes of the `.onnx` file to `out`, straight from where the module keeps its weights, and returns
    /// their number.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes), and those of `out`.
    pub fn write_to(&self, out: &mut impl Write) -> Result<u64, ExportError> {
        Ok(self.model.write_to(out)?)
    }

    /// Writes the file. Weights of 2 GiB or more go into a file of their own beside it. Returned are the files with
    /// their lengths and SHA-256.
    ///
    /// # Errors
    /// When the file cannot be written; nothing half-written stays behind.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Vec<WrittenFile>, ExportError> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the file with a choice of where the weights go.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<Vec<WrittenFile>, ExportError> {
        Ok(self.model.save_with(path, options)?)
    }
}
