//! `fetch`: data sets, weights and libraries, from the sources that their manifests name.

use std::path::PathBuf;

use crate::path::{reading, reading_or};
use catalogue::NetworkId;
use clap::Args;

/// Bring data sets, weights and libraries here, verified by their SHA-256.
///
/// What is there and intact is left alone. The sources of a manifest are tried in order; one that does not answer costs
/// a few seconds.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask fetch                        MNIST and the ONNX Runtime library
  cargo xtask fetch mnist
  cargo xtask fetch onnxruntime-gpu cuda tensorrt   all that an NVIDIA GPU with its driver needs, 5 GB
  cargo xtask fetch --list                 what can be fetched, and what is here
  cargo xtask fetch mnist --from ~/Downloads   files had by hand, plain or as .gz")]
pub struct FetchArgs {
    /// Names of manifests in the datasets folder.
    #[arg(value_name = "NAME", default_values = [NetworkId::ALL[0].card().name, "onnxruntime"])]
    pub names: Vec<String>,
    /// Take the files from this folder and ask no source.
    #[arg(long, value_name = "FOLDER", conflicts_with = "list", value_parser = reading())]
    pub from: Option<PathBuf>,
    /// Show what can be fetched, and what is here; fetch nothing.
    #[arg(long)]
    pub list: bool,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// The folder with the manifests, beside which the files are put.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", value_parser = reading_or("datasets"))]
    pub datasets: PathBuf,
}
