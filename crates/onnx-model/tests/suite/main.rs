//! The ONNX format, from outside.

mod agreement;
mod codec;
mod errors;
mod files;
mod functions;
mod hostile;
mod properties;
mod schema;
mod shapes;
mod survey;
mod text;
mod types;
mod wire;
