//! Elements of constants: Burn's types as ONNX's, and numbers as bytes.

use burn::tensor::DType;
use half::{bf16, f16};
use onnx_model::DataType;

use crate::error::ExportError;

/// ONNX's name for Burn's element type.
pub(crate) fn data_type(dtype: DType, what: impl FnOnce() -> String) -> Result<DataType, ExportError> {
    Ok(match dtype {
        DType::F64 => DataType::F64,
        DType::F32 | DType::Flex32 => DataType::F32,
        DType::F16 => DataType::F16,
        DType::BF16 => DataType::BF16,
        DType::I64 => DataType::I64,
        DType::I32 => DataType::I32,
        DType::I16 => DataType::I16,
        DType::I8 => DataType::I8,
        DType::U64 => DataType::U64,
        DType::U32 => DataType::U32,
        DType::U16 => DataType::U16,
        DType::U8 => DataType::U8,
        DType::Bool(_) => DataType::Bool,
        other => return Err(ExportError::ElementType { what: what(), dtype: other }),
    })
}

/// Whether the type is one of real numbers.
pub(crate) fn is_float(dtype: DataType) -> bool {
    matches!(dtype, DataType::F64 | DataType::F32 | DataType::F16 | DataType::BF16)
}

/// One number as an element of a type; out of range numbers saturate as Rust's `as` does.
pub(crate) fn element(dtype: DataType, real: f64, whole: i64) -> Vec<u8> {
    match dtype {
        DataType::F64 => real.to_le_bytes().to_vec(),
        DataType::F32 => (real as f32).to_le_bytes().to_vec(),
        DataType::F16 => f16::from_f64(real).to_le_bytes().to_vec(),
        DataType::BF16 => bf16::from_f64(real).to_le_bytes().to_vec(),
        DataType::I64 => whole.to_le_bytes().to_vec(),
        DataType::I32 => (whole as i32).to_le_bytes().to_vec(),
        DataType::I16 => (whole as i16).to_le_bytes().to_vec(),
        DataType::I8 => (whole as i8).to_le_bytes().to_vec(),
        DataType::U64 => (whole as u64).to_le_bytes().to_vec(),
        DataType::U32 => (whole as u32).to_le_bytes().to_vec(),
        DataType::U16 => (whole as u16).to_le_bytes().to_vec(),
        _ => vec![whole as u8],
    }
}

/// The elements as numbers; `None` for types that are not numbers.
pub(crate) fn read(dtype: DataType, bytes: &[u8]) -> Option<Vec<f64>> {
    fn all<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    Some(match dtype {
        DataType::F64 => all(bytes, f64::from_le_bytes),
        DataType::F32 => all(bytes, |chunk| f32::from_le_bytes(chunk).into()),
        DataType::F16 => all(bytes, |chunk| f16::from_le_bytes(chunk).into()),
        DataType::BF16 => all(bytes, |chunk| bf16::from_le_bytes(chunk).into()),
        DataType::I64 => all(bytes, |chunk| i64::from_le_bytes(chunk) as f64),
        DataType::I32 => all(bytes, |chunk| i32::from_le_bytes(chunk).into()),
        DataType::I16 => all(bytes, |chunk| i16::from_le_bytes(chunk).into()),
        DataType::I8 => all(bytes, |chunk: [u8; 1]| i8::from_le_bytes(chunk).into()),
        DataType::U64 => all(bytes, |chunk| u64::from_le_bytes(chunk) as f64),
        DataType::U32 => all(bytes, |chunk| u32::from_le_bytes(chunk).into()),
        DataType::U16 => all(bytes, |chunk| u16::from_le_bytes(chunk).into()),
        DataType::U8 | DataType::Bool => bytes.iter().map(|byte| f64::from(*byte)).collect(),
        _ => return None,
    })
}

/// Moves elements of `width` bytes so that axis `i` of the result is axis `permutation[i]` of the input.
pub(crate) fn permute(bytes: &[u8], shape: &[usize], permutation: &[usize], width: usize) -> Vec<u8> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let sizes: Vec<usize> = permutation.iter().map(|axis| shape[*axis]).collect();
    let steps: Vec<usize> = permutation.iter().map(|axis| strides[*axis] * width).collect();
    let mut result = Vec::with_capacity(bytes.len());
    walk(bytes, &sizes, &steps, 0, width, &mut result);
    result
}

fn walk(bytes: &[u8], sizes: &[usize], steps: &[usize], offset: usize, width: usize, result: &mut Vec<u8>) {
    match (sizes.split_first(), steps.split_first()) {
        (Some((size, sizes)), Some((step, steps))) => {
            for index in 0..*size {
                walk(bytes, sizes, steps, offset + index * step, width, result);
            }
        }
        _ => result.extend_from_slice(bytes.get(offset..offset + width).unwrap_or_default()),
    }
}
