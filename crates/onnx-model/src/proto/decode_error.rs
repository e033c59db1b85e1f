//! What can be wrong with a file.

use crate::{DataType, TensorError};

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
    /// Part of the format that this crate does not read: training, sequences, sparse tensors.
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
