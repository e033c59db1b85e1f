//! The ONNX format, from outside.

mod schema;
mod text;
