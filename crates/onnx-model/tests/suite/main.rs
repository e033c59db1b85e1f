//! The ONNX format, from outside.

mod agreement;
mod schema;
mod text;
