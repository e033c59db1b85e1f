//! Exports any Burn module to ONNX, with proven dynamic axes.
//!
//! Burn records the forward pass; this crate turns the recording into the graph that an expert would write by hand,
//! for opsets 11 to 28, and checks it.
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor, activation::relu};
//! use burn_export::{Axis, OnnxExporter, Opset};
//!
//! #[derive(Module, Debug)]
//! struct Net { hidden: Linear, out: Linear }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("net.onnx");
//! let device = Device::flex();
//! let net = Net { hidden: LinearConfig::new(4, 8).init(&device), out: LinearConfig::new(8, 2).init(&device) };
//! let model = OnnxExporter::new()
//!     .opset(Opset::V11)
//!     .input("x", [Axis::dynamic("batch"), Axis::fixed(4)])
//!     .output("logits")
//!     .export(&net, |net, x: Tensor<2>| net.out.forward(relu(net.hidden.forward(x))))?;
//! model.save(path)?; // Gemm, Relu, Gemm
//! # assert_eq!(model.model().graph.nodes.len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Dynamic axes
//!
//! `forward` is recorded at several sizes of every named axis. Each size, bound and constant in the recordings becomes
//! an expression over the names that fits all of them; what does not is an error, never a baked number.
//!
//! ```
//! use burn::nn::conv::{Conv2d, Conv2dConfig};
//! use burn::tensor::{Device, Tensor};
//! use burn_export::{Axis, OnnxExporter};
//!
//! let conv: Conv2d = Conv2dConfig::new([3, 8], [3, 3]).with_stride([2, 2]).init(&Device::flex());
//! let model = OnnxExporter::new()
//!     .input("image", [
//!         Axis::dynamic("batch"),
//!         Axis::fixed(3),
//!         Axis::dynamic("height").range(3..),
//!         Axis::dynamic("width").range(3..),
//!     ])
//!     .output("features")
//!     .export(&conv, |conv, image: Tensor<4>| conv.forward(image))?;
//! let features = &model.model().graph.outputs[0];
//! assert!(features.ty.as_ref().is_some_and(|ty| ty.to_string().contains("floor((height + 1)/2)")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A transformer
//!
//! Any number of inputs and outputs; masks and positions that follow an axis become operators.
//!
//! ```
//! use burn::nn::attention::generate_autoregressive_mask;
//! use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
//! use burn::tensor::{Device, Tensor};
//! use burn_export::{Axis, OnnxExporter};
//!
//! let encoder: TransformerEncoder = TransformerEncoderConfig::new(8, 16, 2, 1).init(&Device::flex());
//! let model = OnnxExporter::new()
//!     .input("x", [Axis::dynamic("batch"), Axis::dynamic("position"), Axis::fixed(8)])
//!     .output("hidden")
//!     .export(&encoder, |encoder: &TransformerEncoder, x: Tensor<3>| {
//!         let [batch, positions, _] = x.dims();
//!         let mask = generate_autoregressive_mask(batch, positions, &x.device());
//!         encoder.forward(TransformerEncoderInput::new(x).mask_attn(mask))
//!     })?;
//! println!("{}", model.report());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is exported
//!
//! The module in inference form, as [`Module::valid`](burn::module::Module::valid) makes it, whatever device it is on: from an
//! autodiff device too. Dropout is gone, and batch norms use their running statistics.
//!
//! # Proof
//!
//! With the feature `verify`, `ExportedModel::verify` runs the file under ONNX Runtime and the module in float32 and float64 at
//! given or chosen sizes, and says how far both are off. A `forward` that makes real numbers of its own has no float64: there the
//! limit is a thousandth of the largest value of float32, and the proof says so. `ExportedModel::save_with_tests` writes the file
//! with test data in the layout of ONNX's own tests. The library is the one that `ORT_DYLIB_PATH` names, else the one that
//! `cargo xtask fetch onnxruntime` brought into the repository that this crate was built from, else the system's.
//!
//! # When an export is refused
//!
//! The error names the operation, the shapes of its inputs, its module path, and what to change.
//! [`OnnxExporter::export_with_report`] also tells what had been done by then, stage by stage.
//!
//! # Limits
//!
//! In short: `forward` must not look at values or branch on sizes; loops over an axis need a fixed length, but for Burn's own
//! recurrent layers; gradients, random numbers, quantised tensors and collective operations are refused by name. `docs/limits.md` has the whole list with
//! the reasons and what to do, `docs/operators.md` every operation by opset, and `examples/` a small network, dynamic axes
//! and a transformer.

/// The example of the page about the crate is compiled with the tests.
#[cfg(all(doctest, feature = "verify"))]
#[doc = include_str!("../README.md")]
struct Readme;

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
mod paths;
mod pipeline;
mod program;
mod proof;
mod report;
mod signature;
mod simplify;
mod symbolic;
#[cfg(feature = "verify")]
mod verify;

pub use axis::Axis;
pub use capture::{InputSource, ModelInputs, ModelOutputs, OutputSink};
pub use error::{ExportError, FailedOperation};
pub use exported::ExportedModel;
pub use exporter::OnnxExporter;
pub use onnx_model::{External, SaveOptions, WrittenFile};
pub use opset::Opset;
pub use report::{ExportReport, FailedExport, Stage};
#[cfg(feature = "verify")]
pub use verify::{Proof, Sizes, VerifyError, in_float64};
