//! The ONNX format, from outside.

mod text;
