//! The ONNX format, from outside.

mod agreement;
mod codec;
mod errors;
mod files;
mod hostile;
mod properties;
mod schema;
mod shapes;
mod text;
mod types;
