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
use super::pickle::negated;
use super::recognise::ZIP;
use crate::contain::contain;

/// Magic number, version, machine, and the tensors: the pickles at the head of a legacy file.
const LEGACY_PICKLES: usize = 4;

pub(super) fn open(path: &Path) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    let malformed = |reason| WeightsError::Malformed { path: path.to_owned(), reason };
    let negated = contain(|| check_archive(path)).map_err(malformed)??;
    if !negated.is_empty() {
        return Err(WeightsError::Negated { path: path.to_owned(), names: negated });
    }
    let reader = contain(|| PytorchReader::new(path)).map_err(malformed)?;
    let reader = reader.map_err(|error| explained(path, &error.to_string()))?;
    let tensors: BTreeMap<String, StoredTensor> = reader
        .into_tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let (_, dtype, shape, read) = tensor.into_parts();
            let path = path.to_owned();
            let read = move || {
                let malformed = |reason: String| WeightsError::Malformed { path: path.clone(), reason };
                let bytes = contain(&read).map_err(malformed)?.map_err(|error| malformed(error.to_string()))?;
                Ok(Bytes::from_bytes_vec(bytes))
            };
            let dtype = burn_dtype(dtype);
            let stored = StoredTensor { dtype, shape, read: Arc::new(read) };
            (name, stored)
        })
        .collect();
    if tensors.is_empty() {
        return Err(WeightsError::OtherFormat {
            path: path.to_owned(),
            what: "a file of PyTorch without any tensor".to_owned(),
            advice: SAVE.to_owned(),
        });
    }
    Ok(tensors)
}

/// What saves weights as they can be read here.
const SAVE: &str = "save the weights alone, with torch.save(network.state_dict(), \"weights.pth\")";

/// The reader's error in words that tell a damaged file from one that holds something else.
fn explained(path: &Path, error: &str) -> WeightsError {
    let other = |what: String| WeightsError::OtherFormat { path: path.to_owned(), what, advice: SAVE.to_owned() };
    if let Some((_, found)) = error.split_once("Expected a dictionary at the root of the PyTorch file, found ") {
        return other(format!("a file of PyTorch with a {found} where a dictionary of tensors belongs"));
    }
    if let Some((_, rest)) = error.split_once("unsupported Python type '") {
        let kind = rest.split('\'').next().unwrap_or_default();
        if kind.to_ascii_lowercase().contains("float8") {
            return WeightsError::ElementType { path: path.to_owned(), dtype: kind.to_owned() };
        }
        return other(format!("a file of PyTorch that holds {kind}, which takes Python to read"));
    }
    WeightsError::Malformed { path: path.to_owned(), reason: error.to_owned() }
}

/// The names of negated tensors. Every entry of a zip file is compared with its checksum on the way, which the reader of
/// tensors does not do; the older formats have none.
fn check_archive(path: &Path) -> Result<Vec<String>, WeightsError> {
    let unreadable = |source| WeightsError::Io { path: path.to_owned(), source };
    let malformed = |reason: String| WeightsError::Malformed { path: path.to_owned(), reason };
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(unreadable)?);
    if !file.fill_buf().map_err(unreadable)?.starts_with(ZIP) {
        return Ok(negated(&mut file, LEGACY_PICKLES));
    }
    let mut archive = ZipArchive::new(file).map_err(|error| malformed(error.to_string()))?;
    let mut names = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| malformed(error.to_string()))?;
        let name = entry.name().unwrap_or_default().to_string();
        let mut entry = BufReader::new(entry);
        if name.ends_with("data.pkl") {
            names = negated(&mut entry, 1);
        }
        if let Err(error) = io::copy(&mut entry, &mut io::sink()) {
            return Err(malformed(format!("{name} in it: {error}")));
        }
    }
    Ok(names)
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
