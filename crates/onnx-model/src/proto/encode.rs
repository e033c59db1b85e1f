//! From the plain types to the messages.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::messages::{self as proto, attribute_type as kind};
use crate::{Attribute, Dim, Graph, Model, Node, Tensor, TensorData, TensorError, TensorType, ValueInfo};

/// A model that cannot be written as protobuf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A tensor's values contradict its type or shape.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A size does not fit in the format's signed 64 bits.
    #[error("{value:?} has a dimension of {size}, more than the format can express")]
    Dimension {
        /// The tensor or value.
        value: String,
        /// The size.
        size: u64,
    },
    /// Protobuf readers refuse messages of 2 GiB and more.
    #[error("the model takes {bytes} bytes, and protobuf ends at 2 GiB: save it with external data")]
    TooLarge {
        /// The size of the message.
        bytes: u64,
    },
}

/// The model without its graph.
pub fn model(model: &Model) -> proto::Model {
    let opset = |(domain, version): (&String, &i64)| proto::OperatorSetId {
        domain: Some(domain.clone()),
        version: Some(*version),
    };
    proto::Model {
        ir_version: Some(model.ir_version),
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        domain: model.domain.clone(),
        model_version: model.model_version,
        doc_string: model.doc.clone(),
        graph: None,
        opset_import: model.opset_imports.iter().map(opset).collect(),
        metadata_props: entries(&model.metadata),
        training_info: Vec::new(),
        functions: Vec::new(),
    }
}

/// The graph without its initialisers.
pub fn graph_frame(graph: &Graph) -> Result<proto::Graph, EncodeError> {
    Ok(proto::Graph {
        node: graph.nodes.iter().map(|item| bytes(node(item)?)).collect::<Result<_, _>>()?,
        name: graph.name.clone(),
        initializer: Vec::new(),
        doc_string: graph.doc.clone(),
        input: graph.inputs.iter().map(|item| bytes(value_info(item)?)).collect::<Result<_, _>>()?,
        output: graph.outputs.iter().map(|item| bytes(value_info(item)?)).collect::<Result<_, _>>()?,
        value_info: graph.value_infos.iter().map(|item| bytes(value_info(item)?)).collect::<Result<_, _>>()?,
        sparse_initializer: Vec::new(),
        metadata_props: entries(&graph.metadata),
    })
}

/// A subgraph, whole.
fn graph(graph: &Graph) -> Result<proto::Graph, EncodeError> {
    let initializer = graph.initializers.iter().map(|item| bytes(tensor(item)?)).collect::<Result<_, _>>()?;
    Ok(proto::Graph { initializer, ..graph_frame(graph)? })
}

fn bytes(message: impl prost::Message) -> Result<Bytes, EncodeError> {
    Ok(message.encode_to_vec().into())
}

fn node(node: &Node) -> Result<proto::Node, EncodeError> {
    Ok(proto::Node {
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        name: node.name.clone(),
        op_type: node.op_type.clone(),
        attribute: node
            .attributes
            .iter()
            .map(|(name, value)| bytes(attribute(name, value)?))
            .collect::<Result<_, _>>()?,
        doc_string: node.doc.clone(),
        domain: node.domain.clone(),
        overload: String::new(),
        metadata_props: entries(&node.metadata),
    })
}

fn attribute(name: &str, value: &Attribute) -> Result<proto::Attribute, EncodeError> {
    let text = |text: &String| Bytes::from(text.clone());
    let named = |r#type| proto::Attribute { name: name.to_owned(), r#type, ..Default::default() };
    Ok(match value {
        Attribute::Float(value) => proto::Attribute { f: Some(*value), ..named(kind::FLOAT) },
        Attribute::Int(value) => proto::Attribute { i: Some(*value), ..named(kind::INT) },
        Attribute::String(value) => proto::Attribute { s: Some(text(value)), ..named(kind::STRING) },
        Attribute::Tensor(value) => proto::Attribute { t: Some(Box::new(tensor(value)?)), ..named(kind::TENSOR) },
        Attribute::Graph(value) => proto::Attribute { g: Some(Box::new(graph(value)?)), ..named(kind::GRAPH) },
        Attribute::Floats(values) => proto::Attribute { floats: values.clone(), ..named(kind::FLOATS) },
        Attribute::Ints(values) => proto::Attribute { ints: values.clone(), ..named(kind::INTS) },
        Attribute::Strings(values) => {
            proto::Attribute { strings: values.iter().map(text).collect(), ..named(kind::STRINGS) }
        }
        Attribute::Tensors(values) => {
            let tensors = values.iter().map(|item| bytes(tensor(item)?)).collect::<Result<_, _>>()?;
            proto::Attribute { tensors, ..named(kind::TENSORS) }
        }
        Attribute::Graphs(values) => {
            let graphs = values.iter().map(|item| bytes(graph(item)?)).collect::<Result<_, _>>()?;
            proto::Attribute { graphs, ..named(kind::GRAPHS) }
        }
    })
}

/// A tensor by itself.
pub fn encode_tensor(of: &Tensor) -> Result<Vec<u8>, EncodeError> {
    Ok(prost::Message::encode_to_vec(&tensor(of)?))
}

/// A tensor; its bytes are shared with the model.
pub fn tensor(tensor: &Tensor) -> Result<proto::Tensor, EncodeError> {
    tensor.validate()?;
    let dims = tensor.dims.iter().map(|size| signed(*size, &tensor.name)).collect::<Result<_, _>>()?;
    let mut message = proto::Tensor {
        dims,
        data_type: Some(tensor.dtype.number()),
        name: tensor.name.clone(),
        doc_string: tensor.doc.clone(),
        ..Default::default()
    };
    match &tensor.data {
        TensorData::Bytes(bytes) => message.raw_data = Some(bytes.clone()),
        TensorData::Strings(strings) => message.string_data = strings.clone(),
        TensorData::External(file) => {
            message.data_location = Some(1);
            let mut put = |key: &str, value: String| message.external_data.push(entry(key, &value));
            put("location", file.location.clone());
            put("offset", file.offset.to_string());
            if let Some(length) = file.length {
                put("length", length.to_string());
            }
        }
    }
    Ok(message)
}

fn value_info(value: &ValueInfo) -> Result<proto::ValueInfo, EncodeError> {
    let ty = value.ty.as_ref().map(|ty| tensor_type(&value.name, ty)).transpose()?;
    Ok(proto::ValueInfo {
        name: value.name.clone(),
        r#type: ty.map(|ty| proto::Type { value: Some(proto::TypeValue::Tensor(ty)) }),
        doc_string: value.doc.clone(),
    })
}

fn tensor_type(name: &str, ty: &TensorType) -> Result<proto::TensorType, EncodeError> {
    let dimension = |dim: &Dim| {
        Ok::<_, EncodeError>(proto::Dimension {
            value: match dim {
                Dim::Known(size) => Some(proto::DimensionValue::DimValue(signed(*size, name)?)),
                Dim::Symbol(symbol) => Some(proto::DimensionValue::DimParam(symbol.clone())),
                Dim::Unknown => None,
            },
        })
    };
    let shape = |dims: &Vec<Dim>| {
        Ok::<_, EncodeError>(proto::Shape { dim: dims.iter().map(dimension).collect::<Result<_, _>>()? })
    };
    Ok(proto::TensorType { elem_type: Some(ty.dtype.number()), shape: ty.shape.as_ref().map(shape).transpose()? })
}

fn signed(size: u64, value: &str) -> Result<i64, EncodeError> {
    i64::try_from(size).map_err(|_| EncodeError::Dimension { value: value.to_owned(), size })
}

fn entries(map: &BTreeMap<String, String>) -> Vec<proto::Entry> {
    map.iter().map(|(key, value)| entry(key, value)).collect()
}

fn entry(key: &str, value: &str) -> proto::Entry {
    proto::Entry { key: Some(key.to_owned()), value: Some(value.to_owned()) }
}
