//! The layout of ONNX's own tests: a model, and folders of inputs with the outputs that they should give.

use std::path::{Path, PathBuf};

use artifact::{FileError, write_atomic};
use engines::each;
use engines::tensor::NamedTensor;
use onnx_model::Tensor;

use super::VerifyError;
use crate::error::ExportError;
use crate::exported::ExportedModel;

/// Writes the model and the tensors; gives the folders of test data.
pub(super) fn write(
    model: &ExportedModel,
    folder: &Path,
    cases: &[(String, Vec<NamedTensor>)],
    outputs: &[Vec<NamedTensor>],
) -> Result<Vec<PathBuf>, VerifyError> {
    let make = |folder: &Path| std::fs::create_dir_all(folder).map_err(FileError::new("make", folder));
    make(folder)?;
    model.save(folder.join("model.onnx"))?;
    let mut folders = Vec::new();
    for (number, ((_, inputs), outputs)) in cases.iter().zip(outputs).enumerate() {
        let set = folder.join(format!("test_data_set_{number}"));
        make(&set)?;
        for (kind, tensors) in [("input", inputs), ("output", outputs)] {
            for (place, tensor) in tensors.iter().enumerate() {
                let path = set.join(format!("{kind}_{place}.pb"));
                write_atomic(&path, &encoded(tensor)?)?;
            }
        }
        folders.push(set);
    }
    Ok(folders)
}

fn encoded(named: &NamedTensor) -> Result<Vec<u8>, ExportError> {
    let dims: Vec<u64> = named.tensor.shape().iter().map(|size| *size as u64).collect();
    let name = named.name.clone();
    let tensor = each!(
        named.tensor.elements(),
        elements => Tensor::from_slice(name, dims, elements)?,
        texts => Tensor::text(name, dims, texts)?
    );
    Ok(tensor.encode()?)
}
