//! From the messages to the plain types.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::decode_tensor::tensor;
use super::messages::{self as proto, attribute_type as kind};
use crate::{Attribute, DataType, Dim, Graph, Model, Node, TensorError, TensorType, ValueInfo};

/// A file that is no model, or one that uses what this crate does not know.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no protobuf message of this kind: cut off, not text where text belongs, or nested too deeply.
    #[error("this is no ONNX model: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// Something that the format demands is absent.
    #[error("{place} has no {what}")]
    Missing {
        /// What contains it.
        place: String,
        /// What is absent.
        what: &'static str,
    },
    /// Part of the format that this crate does not read: training, functions, sequences, sparse tensors.
    #[error("{place} uses {what}, which is not supported")]
    Unsupported {
        /// What contains it.
        place: String,
        /// What is not supported.
        what: String,
    },
    /// A number that stands for no element type.
    #[error("{place} has element type {number}, which is none")]
    DataType {
        /// The tensor or value.
        place: String,
        /// The number in the file.
        number: i32,
    },
    /// A size below zero.
    #[error("{place} has a dimension of {size}")]
    Dimension {
        /// The tensor or value.
        place: String,
        /// The size in the file.
        size: i64,
    },
    /// The same key twice where each may stand once.
    #[error("{place} has {key:?} more than once")]
    Duplicate {
        /// What contains it.
        place: String,
        /// The key.
        key: String,
    },
    /// An attribute whose value is absent, of another type than it says, or no text.
    #[error("attribute {attribute:?} of {node} {problem}")]
    Attribute {
        /// The node.
        node: String,
        /// The attribute.
        attribute: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Where a tensor's values lie is not said properly.
    #[error("the external data of tensor {tensor:?} has a bad {key}: {value:?}")]
    External {
        /// The tensor.
        tensor: String,
        /// The entry.
        key: &'static str,
        /// Its text.
        value: String,
    },
    /// A tensor that stores its values in several ways, or in a way that its type does not use.
    #[error("tensor {tensor:?} stores its values in {fields}, which does not go with {dtype}")]
    Storage {
        /// The tensor.
        tensor: String,
        /// The fields in use.
        fields: String,
        /// The element type.
        dtype: DataType,
    },
    /// A tensor's values contradict its type or shape.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// Reads a model; tensors share `bytes`.
pub fn decode_model(bytes: Bytes) -> Result<Model, DecodeError> {
    let message = proto::Model::decode(bytes)?;
    let place = || "the model".to_owned();
    let unsupported = |what: &str| Err(DecodeError::Unsupported { place: place(), what: what.to_owned() });
    if !message.functions.is_empty() {
        return unsupported("functions of its own");
    }
    if !message.training_info.is_empty() {
        return unsupported("training information");
    }
    let mut opset_imports = BTreeMap::new();
    for import in message.opset_import {
        let domain = import.domain.unwrap_or_default();
        let version = import.version.ok_or_else(|| DecodeError::Missing { place: place(), what: "opset version" })?;
        if opset_imports.insert(domain.clone(), version).is_some() {
            return Err(DecodeError::Duplicate { place: place(), key: format!("operator set {domain}") });
        }
    }
    let graph_message = message.graph.ok_or_else(|| DecodeError::Missing { place: place(), what: "graph" })?;
    Ok(Model {
        ir_version: message.ir_version.ok_or_else(|| DecodeError::Missing { place: place(), what: "IR version" })?,
        opset_imports,
        producer_name: message.producer_name,
        producer_version: message.producer_version,
        domain: message.domain,
        model_version: message.model_version,
        doc: message.doc_string,
        metadata: entries(message.metadata_props, &place())?,
        graph: graph(graph_message)?,
    })
}

// The depth is bounded: prost refuses messages nested more than 100 deep.
fn graph(message: proto::Graph) -> Result<Graph, DecodeError> {
    let place = format!("graph {:?}", message.name);
    if !message.sparse_initializer.is_empty() {
        return Err(DecodeError::Unsupported { place, what: "sparse initialisers".to_owned() });
    }
    Ok(Graph {
        nodes: message.node.into_iter().map(node).collect::<Result<_, _>>()?,
        inputs: message.input.into_iter().map(value_info).collect::<Result<_, _>>()?,
        outputs: message.output.into_iter().map(value_info).collect::<Result<_, _>>()?,
        initializers: message.initializer.into_iter().map(tensor).collect::<Result<_, _>>()?,
        value_infos: message.value_info.into_iter().map(value_info).collect::<Result<_, _>>()?,
        doc: message.doc_string,
        metadata: entries(message.metadata_props, &place)?,
        name: message.name,
    })
}

fn node(message: proto::Node) -> Result<Node, DecodeError> {
    let place = match message.name.as_str() {
        "" => format!("a {} node without a name", message.op_type),
        name => format!("{} node {name:?}", message.op_type),
    };
    if !message.overload.is_empty() {
        return Err(DecodeError::Unsupported { place, what: "an overload of a function".to_owned() });
    }
    let mut attributes = BTreeMap::new();
    for item in message.attribute {
        let key = item.name.clone();
        if attributes.insert(key.clone(), attribute(item, &place)?).is_some() {
            return Err(DecodeError::Duplicate { place, key });
        }
    }
    Ok(Node {
        metadata: entries(message.metadata_props, &place)?,
        name: message.name,
        op_type: message.op_type,
        domain: message.domain,
        inputs: message.input,
        outputs: message.output,
        attributes,
        doc: message.doc_string,
    })
}

fn attribute(message: proto::Attribute, node: &str) -> Result<Attribute, DecodeError> {
    let name = message.name.clone();
    let bad = |problem| DecodeError::Attribute { node: node.to_owned(), attribute: name.clone(), problem };
    let unsupported =
        |what: &str| DecodeError::Unsupported { place: format!("attribute {name:?} of {node}"), what: what.to_owned() };
    if !message.ref_attr_name.is_empty() {
        return Err(unsupported("a reference to a function's attribute"));
    }
    let used = [
        (kind::FLOAT, message.f.is_some()),
        (kind::INT, message.i.is_some()),
        (kind::STRING, message.s.is_some()),
        (kind::TENSOR, message.t.is_some()),
        (kind::GRAPH, message.g.is_some()),
        (kind::FLOATS, !message.floats.is_empty()),
        (kind::INTS, !message.ints.is_empty()),
        (kind::STRINGS, !message.strings.is_empty()),
        (kind::TENSORS, !message.tensors.is_empty()),
        (kind::GRAPHS, !message.graphs.is_empty()),
    ];
    let mut used = used.into_iter().filter(|(_, used)| *used).map(|(kind, _)| kind);
    let ty = match (message.r#type, used.next(), used.next()) {
        (_, _, Some(_)) => return Err(bad("has more than one value")),
        // Files of IR version 1 did not say the type.
        (0, Some(found), None) => found,
        (0, None, None) => return Err(bad("has no value")),
        (said, Some(found), None) if said != found => return Err(bad("says another type than its value has")),
        (said, _, None) => said,
    };
    let text = |bytes: Bytes| String::from_utf8(bytes.into()).map_err(|_| bad("is no UTF-8 text"));
    let absent = || bad("has no value");
    Ok(match ty {
        kind::FLOAT => Attribute::Float(message.f.ok_or_else(absent)?),
        kind::INT => Attribute::Int(message.i.ok_or_else(absent)?),
        kind::STRING => Attribute::String(text(message.s.ok_or_else(absent)?)?),
        kind::TENSOR => Attribute::Tensor(tensor(*message.t.ok_or_else(absent)?)?),
        kind::GRAPH => Attribute::Graph(Box::new(graph(*message.g.ok_or_else(absent)?)?)),
        kind::FLOATS => Attribute::Floats(message.floats),
        kind::INTS => Attribute::Ints(message.ints),
        kind::STRINGS => Attribute::Strings(message.strings.into_iter().map(text).collect::<Result<_, _>>()?),
        kind::TENSORS => Attribute::Tensors(message.tensors.into_iter().map(tensor).collect::<Result<_, _>>()?),
        kind::GRAPHS => Attribute::Graphs(message.graphs.into_iter().map(graph).collect::<Result<_, _>>()?),
        other => return Err(unsupported(&format!("attribute type {other}"))),
    })
}

fn value_info(message: proto::ValueInfo) -> Result<ValueInfo, DecodeError> {
    let place = format!("value {:?}", message.name);
    let ty = match message.r#type.and_then(|ty| ty.value) {
        None => None,
        Some(proto::TypeValue::Tensor(ty)) => Some(tensor_type(ty, &place)?),
        Some(other) => {
            let what = match other {
                proto::TypeValue::Sequence(_) => "a sequence type",
                proto::TypeValue::Map(_) => "a map type",
                proto::TypeValue::Opaque(_) => "an opaque type",
                proto::TypeValue::SparseTensor(_) => "a sparse tensor type",
                _ => "an optional type",
            };
            return Err(DecodeError::Unsupported { place, what: what.to_owned() });
        }
    };
    Ok(ValueInfo { name: message.name, ty, doc: message.doc_string })
}

fn tensor_type(message: proto::TensorType, place: &str) -> Result<TensorType, DecodeError> {
    let dim = |dimension: proto::Dimension| match dimension.value {
        None => Ok::<_, DecodeError>(Dim::Unknown),
        Some(proto::DimensionValue::DimParam(name)) if name.is_empty() => Ok(Dim::Unknown),
        Some(proto::DimensionValue::DimParam(name)) => Ok(Dim::Symbol(name)),
        Some(proto::DimensionValue::DimValue(size)) => Ok(Dim::Known(unsigned(size, place)?)),
    };
    let shape = message.shape.map(|shape| shape.dim.into_iter().map(dim).collect::<Result<Vec<_>, _>>()).transpose()?;
    Ok(TensorType { dtype: data_type(message.elem_type, place)?, shape })
}

pub fn data_type(number: Option<i32>, place: &str) -> Result<DataType, DecodeError> {
    let number = number.unwrap_or(0);
    DataType::from_number(number).ok_or_else(|| DecodeError::DataType { place: place.to_owned(), number })
}

pub fn unsigned(size: i64, place: &str) -> Result<u64, DecodeError> {
    u64::try_from(size).map_err(|_| DecodeError::Dimension { place: place.to_owned(), size })
}

fn entries(entries: Vec<proto::Entry>, place: &str) -> Result<BTreeMap<String, String>, DecodeError> {
    let mut map = BTreeMap::new();
    for entry in entries {
        let key = entry.key.unwrap_or_default();
        if map.insert(key.clone(), entry.value.unwrap_or_default()).is_some() {
            return Err(DecodeError::Duplicate { place: place.to_owned(), key: format!("the note {key}") });
        }
    }
    Ok(map)
}
