//! The ONNX format: messages, builder, operator schemas, checker, printer, external data.

mod data_type;
mod graph;
mod model;
mod node;
mod tensor;
mod value;

pub use data_type::{DataType, Element};
pub use graph::Graph;
pub use model::{LAST_OPSET, Model, ir_version_for_opset};
pub use node::{Attribute, Node};
pub use tensor::{ExternalData, Tensor, TensorData, TensorError};
pub use value::{Dim, TensorType, ValueInfo};
