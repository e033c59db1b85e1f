//! Types and values in float64.

use bytes::Bytes;

use onnx_model::{DataType, Element, Tensor, TensorData, TensorError, TensorType, ValueInfo};

/// The element type in float64.
pub fn dtype(dtype: DataType) -> DataType {
    match dtype {
        DataType::F32 | DataType::F16 | DataType::BF16 => DataType::F64,
        other => other,
    }
}

/// The number of an element type, as attributes hold it, in float64.
pub fn number(number: i64) -> i64 {
    let known = i32::try_from(number).ok().and_then(DataType::from_number);
    known.map_or(number, |found| dtype(found).number().into())
}

/// A value's type in float64.
pub fn value_info(value: &ValueInfo) -> ValueInfo {
    let ty = value.ty.as_ref().map(|ty| TensorType { dtype: dtype(ty.dtype), shape: ty.shape.clone() });
    ValueInfo { ty, ..value.clone() }
}

/// A tensor in float64, with the same values.
///
/// # Errors
/// When its values have not been read.
pub fn tensor(tensor: &Tensor) -> Result<Tensor, TensorError> {
    let bytes = match tensor.dtype {
        DataType::F32 => widened::<f32>(tensor)?,
        DataType::F16 => widened::<half::f16>(tensor)?,
        DataType::BF16 => widened::<half::bf16>(tensor)?,
        _ => return Ok(tensor.clone()),
    };
    Ok(Tensor { dtype: DataType::F64, data: TensorData::Bytes(bytes), ..tensor.clone() })
}

fn widened<E: Element + Into<f64>>(tensor: &Tensor) -> Result<Bytes, TensorError> {
    let mut bytes = Vec::with_capacity(tensor.bytes()?.len() / size_of::<E>() * size_of::<f64>());
    for element in tensor.to_vec::<E>()? {
        bytes.extend_from_slice(&element.into().to_le_bytes());
    }
    Ok(bytes.into())
}
