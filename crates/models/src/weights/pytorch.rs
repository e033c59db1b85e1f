//! Reading of PyTorch's `.pth` and `.bin` files: zip, legacy stream and tar.
//!
//! The pickle inside is interpreted as data: the reader rebuilds tensors, dictionaries and lists, and keeps every other
//! object opaque. Nothing in the file can name code that runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{BoolStore, Bytes, DType};
use burn_store::pytorch_reader::{DType as PyTorchDType, PytorchReader};
use zip::ZipArchive;

use super::WeightsError;
use super::checkpoint::StoredTensor;

/// How a zip file begins.
const ZIP: &[u8] = b"PK\x03\x04";

pub(super) fn open(path: &Path) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    check_sums(path)?;
    let reader = PytorchReader::new(path)
        .map_err(|error| WeightsError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
    let tensors: BTreeMap<String, StoredTensor> = reader
        .into_tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let (_, dtype, shape, read) = tensor.into_parts();
            let path = path.to_owned();
            let read = move || {
                let bytes = read()
                    .map_err(|error| WeightsError::Malformed { path: path.clone(), reason: error.to_string() })?;
                Ok(Bytes::from_bytes_vec(bytes))
            };
            let dtype = burn_dtype(dtype);
            let stored = StoredTensor { dtype, shape, read: Arc::new(read) };
            (name, stored)
        })
        .collect();
    if tensors.is_empty() {
        return Err(WeightsError::Malformed { path: path.to_owned(), reason: "it holds no tensors".to_owned() });
    }
    Ok(tensors)
}

/// Compares every entry of a zip file with its checksum, which the reader of tensors does not do. The older formats have none.
fn check_sums(path: &Path) -> Result<(), WeightsError> {
    let unreadable = |source| WeightsError::Io { path: path.to_owned(), source };
    let malformed = |reason: String| WeightsError::Malformed { path: path.to_owned(), reason };
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(unreadable)?);
    if !file.fill_buf().map_err(unreadable)?.starts_with(ZIP) {
        return Ok(());
    }
    let mut archive = ZipArchive::new(file).map_err(|error| malformed(error.to_string()))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| malformed(error.to_string()))?;
        if let Err(error) = io::copy(&mut entry, &mut io::sink()) {
            return Err(malformed(format!("{} in it: {error}", entry.name().unwrap_or_default())));
        }
    }
    Ok(())
}

fn burn_dtype(dtype: PyTorchDType) -> DType {
    match dtype {
        PyTorchDType::F64 => DType::F64,
        PyTorchDType::F32 => DType::F32,
        PyTorchDType::F16 => DType::F16,
        PyTorchDType::BF16 => DType::BF16,
        PyTorchDType::I64 => DType::I64,
        PyTorchDType::I32 => DType::I32,
        PyTorchDType::I16 => DType::I16,
        PyTorchDType::I8 => DType::I8,
        PyTorchDType::U64 => DType::U64,
        PyTorchDType::U32 => DType::U32,
        PyTorchDType::U16 => DType::U16,
        PyTorchDType::U8 => DType::U8,
        PyTorchDType::Bool => DType::Bool(BoolStore::Native),
    }
}
