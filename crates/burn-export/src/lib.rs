//! Exports any Burn module to ONNX, with proven dynamic axes.

mod axis;
mod capture;
mod elements;
mod emit;
mod equivalence;
mod error;
mod exported;
mod exporter;
mod graph;
mod lower;
mod opset;
mod pipeline;
mod program;
mod report;
mod simplify;
mod symbolic;

pub use axis::Axis;
pub use capture::{InputSource, ModelInputs, ModelOutputs, OutputSink};
pub use error::ExportError;
pub use exported::ExportedModel;
pub use exporter::OnnxExporter;
pub use opset::Opset;
pub use report::ExportReport;
