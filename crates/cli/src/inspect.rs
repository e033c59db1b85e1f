//! `inspect`: what a file is, and whether Kiln would open it.

use std::path::PathBuf;

use crate::path::reading;
use clap::Args;

/// Show what a model, a weight file or a bundle holds, and whether Kiln would open it.
///
/// It tells inputs, outputs, opsets, operators, sizes, files with further values, what the file says of itself, and what is unusual.
/// The checks are those that every command makes before it opens a file. No runtime is loaded, and nothing in the file is run.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask inspect model.onnx
  cargo xtask inspect weights.safetensors      or .pth, .bin, an index of shards, a Hugging Face folder
  cargo xtask inspect artifacts/bundle/mnist   a bundle, every hash compared
  cargo xtask inspect model.onnx --json

The exit status is 0 if Kiln would open it, and 1 if it refuses; the reason is told.")]
pub struct InspectArgs {
    /// An ONNX file, a weight file, or a folder with weights or a bundle.
    #[arg(value_name = "FILE", value_parser = reading())]
    pub path: PathBuf,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}
