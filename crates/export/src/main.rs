//! Weights in, verified ONNX out.

fn main() {}

#[cfg(test)]
mod keep;
#[cfg(test)]
mod provenance;
