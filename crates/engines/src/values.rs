//! Values of ONNX Runtime: from tensors of ours, and back.

use ort::session::SessionInputValue;
use ort::value::{
    DynTensor, DynTensorValueType, DynValue, Sequence, Tensor as TensorValue, TensorElementType, TensorRef, ValueType,
};

use crate::each;
use crate::engine::{Container, Dimension, EngineError, TensorInfo};
use crate::session::run_error;
use crate::tensor::{ElementType, Elements, NamedTensor, Tensor};

/// Takes the tensors of the container called `name` out of the others, in their order.
pub fn take<'a>(name: &str, inputs: &mut Vec<&'a NamedTensor>) -> Vec<&'a Tensor> {
    let mut found = Vec::new();
    while let Some(index) = inputs.iter().position(|input| input.name == Container::place(name, found.len())) {
        found.push(&inputs.swap_remove(index).tensor);
    }
    found
}

/// A container of these tensors, which are copied.
///
/// # Errors
/// When there are none, which the library's interface has no value for, or they are of several types.
pub fn contain(engine: &str, name: &str, container: Container, tensors: &[&Tensor]) -> Result<DynValue, EngineError> {
    let refused = |reason: &str| {
        Err(EngineError::Input { engine: engine.to_owned(), name: name.to_owned(), reason: reason.to_owned() })
    };
    let failed = |error: ort::Error| run_error(engine, &error);
    match (container, tensors) {
        (Container::Sequence(_), []) => refused("it is an empty sequence, which this engine's interface cannot take"),
        (_, []) => refused("it is left out, which this engine's interface has no value for"),
        (Container::Optional(_), [tensor]) => Ok(owned(tensor).map_err(failed)?.into_dyn()),
        (Container::Optional(_), _) => refused("it takes one tensor"),
        _ => {
            let values: Vec<DynTensor> =
                tensors.iter().map(|tensor| owned(tensor)).collect::<ort::Result<_>>().map_err(failed)?;
            Ok(Sequence::new(values).map_err(failed)?.into_dyn())
        }
    }
}

/// Copies the tensors of a container out of the library; `None` if it is not there.
///
/// # Errors
/// When they are of a type that is not handled.
pub fn contained(engine: &str, name: &str, value: &DynValue) -> Result<Option<Vec<Tensor>>, EngineError> {
    let failed = |error: ort::Error| run_error(engine, &error);
    match value.dtype() {
        ValueType::Tensor { .. } => Ok(Some(vec![extract(engine, name, value)?])),
        ValueType::Sequence(_) => {
            let tensors = value.try_extract_sequence::<DynTensorValueType>().map_err(failed)?;
            tensors
                .into_iter()
                .map(|tensor| extract(engine, name, &tensor.into_dyn()))
                .collect::<Result<_, _>>()
                .map(Some)
        }
        ValueType::Map { .. } | ValueType::Optional(_) => Ok(None),
    }
}

/// A value that borrows the elements of `tensor`; `None` for text, which the library keeps in a form of its own.
///
/// # Errors
/// When the library takes none.
pub fn borrowed(tensor: &Tensor) -> ort::Result<Option<SessionInputValue<'_>>> {
    let shape = tensor.shape();
    Ok(each!(
        tensor.elements(),
        elements => Some(TensorRef::from_array_view((shape, elements.as_slice()))?.into()),
        _texts => None
    ))
}

/// A value with elements of its own.
///
/// # Errors
/// When the library takes none, or a text holds a zero byte.
pub fn owned(tensor: &Tensor) -> ort::Result<DynTensor> {
    let shape = tensor.shape();
    Ok(each!(
        tensor.elements(),
        elements => TensorValue::from_array((shape, elements.clone()))?.upcast(),
        texts => TensorValue::from_string_array((shape, texts.as_slice()))?.upcast()
    ))
}

/// Copies a tensor of the library out of it.
///
/// # Errors
/// When it is none, or of a type that is not handled.
pub fn extract(engine: &str, name: &str, value: &DynValue) -> Result<Tensor, EngineError> {
    let unsupported = |found: String| EngineError::Output { engine: engine.to_owned(), name: name.to_owned(), found };
    let kind = value.dtype().to_string();
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        return Err(unsupported(kind));
    };
    let shape: Vec<usize> = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
    macro_rules! copied {
        ($element:ty) => {
            value.try_extract_tensor::<$element>().map(|(_, elements)| Elements::from(elements.to_vec()))
        };
    }
    let elements = match ty {
        TensorElementType::Float32 => copied!(f32),
        TensorElementType::Float64 => copied!(f64),
        TensorElementType::Float16 => copied!(half::f16),
        TensorElementType::Bfloat16 => copied!(half::bf16),
        TensorElementType::Int64 => copied!(i64),
        TensorElementType::Int32 => copied!(i32),
        TensorElementType::Int16 => copied!(i16),
        TensorElementType::Int8 => copied!(i8),
        TensorElementType::Uint64 => copied!(u64),
        TensorElementType::Uint32 => copied!(u32),
        TensorElementType::Uint16 => copied!(u16),
        TensorElementType::Uint8 => copied!(u8),
        TensorElementType::Bool => copied!(bool),
        TensorElementType::String => value.try_extract_strings().map(|(_, texts)| Elements::from(texts)),
        _ => return Err(unsupported(kind)),
    };
    let elements = elements.map_err(|error| run_error(engine, &error))?;
    Tensor::new(shape, elements).map_err(|error| unsupported(error.to_string()))
}

/// What an input or output is declared as.
pub fn tensor_info(name: &str, kind: &ValueType) -> TensorInfo {
    let ValueType::Tensor { ty, shape, dimension_symbols } = kind else {
        let (other, container) = (Some(kind_name(kind)), container(kind));
        return TensorInfo { name: name.to_owned(), element: None, other, container, shape: Vec::new() };
    };
    let dimension = |(&size, symbol): (&i64, &String)| match usize::try_from(size) {
        Ok(size) => Dimension::Fixed(size),
        Err(_) if symbol.is_empty() => Dimension::Unknown,
        Err(_) => Dimension::Named(symbol.clone()),
    };
    let element = element_type(*ty);
    let other = element.is_none().then(|| element_name(*ty));
    let shape = shape.iter().zip(dimension_symbols.iter()).map(dimension).collect();
    TensorInfo { name: name.to_owned(), element, other, container: None, shape }
}

/// What holds tensors of a type that is handled.
fn container(kind: &ValueType) -> Option<Container> {
    let tensor = |kind: &ValueType| match kind {
        ValueType::Tensor { ty, .. } => element_type(*ty),
        _ => None,
    };
    match kind {
        ValueType::Sequence(inner) => tensor(inner).map(Container::Sequence),
        ValueType::Optional(inner) => match &**inner {
            ValueType::Sequence(inner) => tensor(inner).map(Container::OptionalSequence),
            inner => tensor(inner).map(Container::Optional),
        },
        _ => None,
    }
}

fn element_type(ty: TensorElementType) -> Option<ElementType> {
    match ty {
        TensorElementType::Float32 => Some(ElementType::Float),
        TensorElementType::Float64 => Some(ElementType::Double),
        TensorElementType::Float16 => Some(ElementType::Float16),
        TensorElementType::Bfloat16 => Some(ElementType::Bfloat16),
        TensorElementType::Int64 => Some(ElementType::Int64),
        TensorElementType::Int32 => Some(ElementType::Int32),
        TensorElementType::Int16 => Some(ElementType::Int16),
        TensorElementType::Int8 => Some(ElementType::Int8),
        TensorElementType::Uint64 => Some(ElementType::Uint64),
        TensorElementType::Uint32 => Some(ElementType::Uint32),
        TensorElementType::Uint16 => Some(ElementType::Uint16),
        TensorElementType::Uint8 => Some(ElementType::Uint8),
        TensorElementType::Bool => Some(ElementType::Bool),
        TensorElementType::String => Some(ElementType::String),
        _ => None,
    }
}

/// ONNX's name of an element type; those that are not handled are called here as there, but for capitals.
fn element_name(ty: TensorElementType) -> String {
    element_type(ty).map_or_else(|| format!("{ty:?}").to_lowercase(), |element| element.to_string())
}

/// ONNX's name of a type: `tensor(string)`, `sequence(tensor(float))`.
fn kind_name(kind: &ValueType) -> String {
    match kind {
        ValueType::Tensor { ty, .. } => format!("tensor({})", element_name(*ty)),
        ValueType::Sequence(inner) => format!("sequence({})", kind_name(inner)),
        ValueType::Optional(inner) => format!("optional({})", kind_name(inner)),
        ValueType::Map { key, value } => format!("map({}, tensor({}))", element_name(*key), element_name(*value)),
    }
}
