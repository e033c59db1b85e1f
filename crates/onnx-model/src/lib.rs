//! The ONNX format: messages, builder, operator schemas, checker, printer, external data.

mod check;
mod codec;
mod data_type;
mod external;
mod graph;
mod infer;
mod load;
mod model;
mod node;
mod proto;
mod save;
pub mod schema;
mod tensor;
mod text;
mod value;

pub use check::{CheckError, Place, Problem};
pub use data_type::{DataType, Element};
pub use external::ExternalError;
pub use graph::Graph;
pub use infer::Types;
pub use load::{LoadError, LoadOptions};
pub use model::{LAST_OPSET, Model, ir_version_for_opset};
pub use node::{Attribute, Node};
pub use proto::{DecodeError, EncodeError};
pub use save::{External, SaveError, SaveOptions};
pub use tensor::{ExternalData, Tensor, TensorData, TensorError};
pub use value::{Dim, TensorType, ValueInfo};
