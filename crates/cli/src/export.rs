//! `export`: trained weights in, a verified ONNX file out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Export a trained network to ONNX, verified under ONNX Runtime before it is kept.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask export mnist                 opset 11, to artifacts/mnist/mnist.onnx
  cargo xtask export mnist --opset 17 --out mnist17.onnx
  cargo xtask export mnist --weights runs/seed2/model.safetensors --out seed2.onnx")]
pub struct ExportArgs {
    /// The network.
    #[arg(value_enum)]
    pub model: ExportModel,
    /// The trained weights, as safetensors under PyTorch's names.
    #[arg(long, value_name = "FILE", default_value = "artifacts/mnist/model.safetensors")]
    pub weights: PathBuf,
    /// The version of the ONNX operator set.
    #[arg(long, value_name = "N", default_value_t = 11)]
    pub opset: i64,
    /// Where the ONNX file goes.
    #[arg(long, value_name = "FILE", default_value = "artifacts/mnist/mnist.onnx")]
    pub out: PathBuf,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// The code's revision, for the record.
    #[arg(long, hide = true)]
    pub revision: Option<String>,
}

/// A network that can be exported by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportModel {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist,
}
