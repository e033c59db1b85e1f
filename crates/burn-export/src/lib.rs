//! Exports any Burn module to ONNX, with proven dynamic axes.
