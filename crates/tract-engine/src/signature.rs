//! What a model declares, from the file itself.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Size;
use tract_onnx::pb::type_proto::Value as Kind;
use tract_onnx::pb::{ModelProto, ValueInfoProto};

use engines::engine::{Dimension, Signature, TensorInfo};
use engines::session::Metadata;
use engines::tensor::ElementType;

/// Inputs and outputs; an input with a value of its own is a weight.
pub fn of(proto: &ModelProto) -> Signature {
    let graph = proto.graph.as_ref();
    let weight = |name: &str| graph.is_some_and(|graph| graph.initializer.iter().any(|tensor| tensor.name == name));
    let inputs = graph.iter().flat_map(|graph| &graph.input).filter(|input| !weight(&input.name)).map(info);
    let outputs = graph.iter().flat_map(|graph| &graph.output).map(info);
    Signature { inputs: inputs.collect(), outputs: outputs.collect() }
}

fn info(declared: &ValueInfoProto) -> TensorInfo {
    let kind = declared.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(Kind::TensorType(tensor)) = kind else {
        let other = Some("no tensor".to_owned());
        return TensorInfo { name: declared.name.clone(), element: None, other, container: None, shape: Vec::new() };
    };
    let element = DataType::try_from(tensor.elem_type).ok().and_then(|kind| match kind {
        DataType::Float => Some(ElementType::Float),
        DataType::Double => Some(ElementType::Double),
        DataType::Float16 => Some(ElementType::Float16),
        DataType::Bfloat16 => Some(ElementType::Bfloat16),
        DataType::Int64 => Some(ElementType::Int64),
        DataType::Int32 => Some(ElementType::Int32),
        DataType::Int16 => Some(ElementType::Int16),
        DataType::Int8 => Some(ElementType::Int8),
        DataType::Uint64 => Some(ElementType::Uint64),
        DataType::Uint32 => Some(ElementType::Uint32),
        DataType::Uint16 => Some(ElementType::Uint16),
        DataType::Uint8 => Some(ElementType::Uint8),
        DataType::Bool => Some(ElementType::Bool),
        DataType::String => Some(ElementType::String),
        _ => None,
    });
    let dimension = |size: &Option<Size>| match size {
        Some(Size::DimValue(size)) => usize::try_from(*size).map_or(Dimension::Unknown, Dimension::Fixed),
        Some(Size::DimParam(name)) if !name.is_empty() => Dimension::Named(name.clone()),
        _ => Dimension::Unknown,
    };
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let shape = dimensions.map(|dim| dimension(&dim.value)).collect();
    let kind = DataType::try_from(tensor.elem_type).map(|kind| kind.as_str_name().to_lowercase());
    let other = kind.ok().filter(|_| element.is_none());
    TensorInfo { name: declared.name.clone(), element, other, container: None, shape }
}

/// What the file says about itself.
pub fn metadata(proto: &ModelProto) -> Metadata {
    Metadata {
        producer: proto.producer_name.clone(),
        graph: proto.graph.as_ref().map(|graph| graph.name.clone()).unwrap_or_default(),
        description: proto.doc_string.clone(),
        entries: proto.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect(),
    }
}
