//! Weights in, verified ONNX out.

fn main() {}
