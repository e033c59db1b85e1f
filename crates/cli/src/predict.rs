//! `predict`: one image through the exported network and through Burn.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Show what the network makes of one image, under ONNX Runtime and in Burn.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask predict mnist --index 100    test image 100, which is a 6
  cargo xtask predict mnist --image photo.png")]
pub struct PredictArgs {
    /// The network.
    #[arg(value_enum)]
    pub network: PredictNetwork,
    /// Which test image, counted from 0.
    #[arg(long, value_name = "N", required_unless_present = "image", conflicts_with = "image")]
    pub index: Option<usize>,
    /// An image file (PNG, JPEG, GIF, BMP, WebP): one digit, light on dark or dark on light.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// The ONNX file.
    #[arg(long, value_name = "FILE", default_value = "artifacts/mnist/mnist.onnx")]
    pub model: PathBuf,
    /// The weights that the ONNX file was made from, for Burn.
    #[arg(long, value_name = "FILE", default_value = "artifacts/mnist/model.safetensors")]
    pub weights: PathBuf,
    /// The folder with the test images.
    #[arg(long, value_name = "FOLDER", default_value = "datasets/mnist")]
    pub data: PathBuf,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A network that can be tried by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PredictNetwork {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist,
}
