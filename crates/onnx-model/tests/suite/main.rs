//! The ONNX format, from outside.

mod agreement;
mod codec;
mod files;
mod hostile;
mod properties;
mod schema;
mod text;
