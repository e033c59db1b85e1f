//! The ONNX format: messages, builder, operator schemas, checker, printer, external data.
