//! Reading of safetensors files through a memory map.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{AllocationProperty, BoolStore, Bytes, DType};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use super::WeightsError;
use super::checkpoint::StoredTensor;
use crate::contain::contain;

/// The tensors, and what the file says of itself.
type Opened = (BTreeMap<String, StoredTensor>, BTreeMap<String, String>);

pub(super) fn open(path: &Path) -> Result<Opened, WeightsError> {
    let malformed = |reason: String| WeightsError::Malformed { path: path.to_owned(), reason };
    let io = |source| WeightsError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // SAFETY: the map is read-only and private to this process. As with every memory map, the file must not be truncated
    // while it is in use; artifacts are replaced by rename, which leaves an open file whole.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    // `SafeTensors` checks that the ranges are in order, without gaps, match shape and type, and end at the file's end.
    let (header, metadata) = contain(|| SafeTensors::read_metadata(&map))
        .map_err(malformed)?
        .map_err(|error| malformed(error.to_string()))?;
    let data_start = header + size_of::<u64>();
    let map = bytes::Bytes::from_owner(map);
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let (start, end) = info.data_offsets;
        let data = map.slice(data_start + start..data_start + end);
        let dtype = burn_dtype(info.dtype).ok_or_else(|| WeightsError::ElementType {
            path: path.to_owned(),
            dtype: format!("{:?} ({name})", info.dtype),
        })?;
        let read = move || Ok(share(&data, dtype));
        tensors.insert(name, StoredTensor { dtype, shape: info.shape.clone(), read: Arc::new(read) });
    }
    let said = metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok((tensors, said))
}

/// The mapped bytes themselves where their address suits the element type, else a copy.
fn share(data: &bytes::Bytes, dtype: DType) -> Bytes {
    if data.as_ptr().addr().is_multiple_of(dtype.size()) {
        Bytes::from_shared(data.clone(), AllocationProperty::File)
    } else {
        Bytes::from_bytes_vec(data.to_vec())
    }
}

fn burn_dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
