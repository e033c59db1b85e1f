//! The ONNX format, without a machine learning framework, a runtime or a protobuf compiler.
//!
//! - **Types**: [`Model`], [`Graph`], [`Node`], [`Tensor`] are plain data with builders. Tensors share their bytes
//!   ([`bytes::Bytes`]); nothing here copies weights.
//! - **Files**: [`Model::save`] and [`Model::load`], with the weights inside or in one aligned file beside the model.
//!   Files are written whole or not at all, and the same model gives the same bytes. Files from strangers give errors,
//!   and lead to nothing outside of their folder.
//! - **Operators**: [`schema`] has the signature of every operator of opsets 7 to 28.
//! - **Checks**: [`Model::check`] finds what breaks a rule of ONNX, with the node and the reason, and infers the type
//!   and symbolic shape of every value.
//! - **Strangers**: [`Survey::of`] looks at a file before anything opens it: a description or a refusal, without the weights.
//! - **Text**: `Display` prints a graph line by line, for people and for snapshot tests.
//!
//! # A first model
//!
//! ```
//! use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
//!
//! let weight = Tensor::from_slice("fc.weight", [2, 3], &[1.0f32, 0.0, 0.0, 0.0, 1.0, 0.0])?;
//! let graph = Graph::new("net")
//!     .input(ValueInfo::new("x", DataType::F32, [Dim::from("batch"), Dim::from(3)]))
//!     .initializer(weight)
//!     .node(Node::new("Gemm").named("fc").inputs(["x", "fc.weight"]).output("y").attribute("transB", 1i64))
//!     .output(ValueInfo::new("y", DataType::F32, [Dim::from("batch"), Dim::from(2)]));
//! let model = Model::new(11, graph);
//!
//! let types = model.check()?;
//! assert_eq!(types["y"].to_string(), "float[batch, 2]");
//!
//! let folder = tempfile::tempdir()?;
//! model.save(folder.path().join("net.onnx"))?;
//! assert_eq!(Model::load(folder.path().join("net.onnx"))?, model);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a mistake looks like
//!
//! ```
//! use onnx_model::{DataType, Dim, Graph, Model, Node, ValueInfo};
//!
//! let gelu = Graph::new("net")
//!     .input(ValueInfo::new("x", DataType::F32, [Dim::from("batch")]))
//!     .node(Node::new("Gelu").named("encoder.act").input("x").output("y"))
//!     .output(ValueInfo::new("y", DataType::F32, [Dim::from("batch")]));
//! let error = Model::new(17, gelu).check().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     r#"Gelu node "encoder.act" of graph "net": there is no operator Gelu at opset 17; it came with opset 20"#,
//! );
//! ```
//!
//! # Symbolic shapes
//!
//! A size is a number, an expression over the named axes of the inputs ([`Dim::Symbol`]), or unknown. A contradiction
//! is an error only when no sizes of the named axes, from 1 up, could resolve it: joining `batch` and `3` is allowed,
//! joining `seq` and `seq + 1` is not. The elements of small integer tensors are followed too, so a `Reshape` whose
//! target is computed with `Shape`, `Gather` and `Concat` is understood.
//!
//! # Limits
//!
//! - Functions defined in the model stand, once it is read, where they were called.
//! - Not read: training information, sequence, map, optional and sparse types, strings
//!   that are no UTF-8 in attributes, six-bit floats. Each gives an error that names it.
//! - Not kept: quantisation annotations, device placement, and notes on single values and tensors.
//! - Operators of foreign domains are taken on trust.
//! - A hostile file can make its reader use more memory than it has bytes, up to 60 times its size, and functions can stand for
//!   131,072 nodes; bound the size of what you accept.

mod check;
mod codec;
mod confine;
mod data_type;
mod external;
mod graph;
mod load;
mod model;
mod node;
mod problem;
mod proto;
mod save;
pub mod schema;
pub mod shapes;
mod sort;
mod stage;
mod survey;
mod tensor;
mod text;
mod value;

pub use confine::ExternalError;
pub use data_type::{DataType, Element};
pub use graph::Graph;
pub use load::{LoadError, LoadOptions};
pub use model::{LAST_OPSET, Model, ir_version_for_opset};
pub use node::{Attribute, Node};
pub use problem::{CheckError, Place, Problem};
pub use proto::{DecodeError, EncodeError};
pub use save::{External, SaveError, SaveOptions};
pub use shapes::Types;
pub use stage::{Staged, WrittenFile};
pub use survey::{DataFile, Survey, SurveyError};
pub use tensor::{ExternalData, Tensor, TensorData, TensorError};
pub use value::{Dim, TensorType, ValueInfo};
