//! Tensors from here to tract and back.

use half::f16;
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{Datum, DatumType, Tensor as TractTensor, TractError};

use crate::engine::{NAME, reason};
use engines::engine::{EngineError, TensorInfo};
use engines::tensor::{ElementType, Elements, Tensor};

/// A copy that tract can work on.
pub fn to_tract(tensor: &Tensor) -> Result<TractTensor, TractError> {
    let shape = tensor.shape();
    match tensor.elements() {
        Elements::BF16(_) => Err(TractError::msg("tract has no bfloat16")),
        Elements::F32(elements) => TractTensor::from_shape(shape, elements),
        Elements::F64(elements) => TractTensor::from_shape(shape, elements),
        Elements::F16(elements) => TractTensor::from_shape(shape, elements),
        Elements::I64(elements) => TractTensor::from_shape(shape, elements),
        Elements::I32(elements) => TractTensor::from_shape(shape, elements),
        Elements::I16(elements) => TractTensor::from_shape(shape, elements),
        Elements::I8(elements) => TractTensor::from_shape(shape, elements),
        Elements::U64(elements) => TractTensor::from_shape(shape, elements),
        Elements::U32(elements) => TractTensor::from_shape(shape, elements),
        Elements::U16(elements) => TractTensor::from_shape(shape, elements),
        Elements::U8(elements) => TractTensor::from_shape(shape, elements),
        Elements::Bool(elements) => TractTensor::from_shape(shape, elements),
        Elements::Text(elements) => Ok(ArrayD::from_shape_vec(shape, elements.clone())?.into()),
    }
}

/// A copy of a result, in the type that the model declares: tract keeps whole numbers as symbolic sizes.
pub fn from_tract(declared: &TensorInfo, value: &TractTensor) -> Result<Tensor, EngineError> {
    let failed = |error: TractError| EngineError::Run { engine: NAME.to_owned(), reason: reason(&error) };
    let unsupported =
        |found: String| EngineError::Output { engine: NAME.to_owned(), name: declared.name.clone(), found };
    let kind = match declared.element {
        Some(ElementType::Int64) if value.datum_type() == DatumType::TDim => DatumType::I64,
        _ => value.datum_type(),
    };
    let value = value.cast_to_dt(kind).map_err(failed)?;
    let elements = match kind {
        DatumType::F32 => elements::<f32>(&value),
        DatumType::F64 => elements::<f64>(&value),
        DatumType::F16 => elements::<f16>(&value),
        DatumType::I64 => elements::<i64>(&value),
        DatumType::I32 => elements::<i32>(&value),
        DatumType::I16 => elements::<i16>(&value),
        DatumType::I8 => elements::<i8>(&value),
        DatumType::U64 => elements::<u64>(&value),
        DatumType::U32 => elements::<u32>(&value),
        DatumType::U16 => elements::<u16>(&value),
        DatumType::U8 => elements::<u8>(&value),
        DatumType::Bool => elements::<bool>(&value),
        DatumType::String => elements::<String>(&value),
        other => return Err(unsupported(format!("of type {other:?}"))),
    };
    Tensor::new(value.shape().to_vec(), elements.map_err(failed)?).map_err(|error| unsupported(error.to_string()))
}

fn elements<T: Datum + Clone>(value: &TractTensor) -> Result<Elements, TractError>
where
    Elements: From<Vec<T>>,
{
    Ok(value.to_plain_array_view::<T>()?.iter().cloned().collect::<Vec<T>>().into())
}
