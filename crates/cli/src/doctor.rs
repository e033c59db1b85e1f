//! `doctor`: which execution providers and which devices of training work on this machine.

use std::path::PathBuf;

use crate::path::reading_or;
use clap::Args;

/// Show ONNX Runtime's libraries on this machine, which execution providers work, and where `train` can train.
///
/// Each provider runs a small model on this machine; what does not work is told in the runtime's own words. A GPU's trainer is asked
/// only if it was built before, as compiling one takes minutes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask doctor
  cargo xtask doctor --json
  ORT_DYLIB_PATH=/opt/lib/libonnxruntime.so cargo xtask doctor     this library alone

The exit status is 0 only if the plain CPU provider works.")]
pub struct DoctorArgs {
    /// The folder with the fetched libraries.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", value_parser = reading_or("datasets"))]
    pub datasets: PathBuf,
    /// Print the result as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}
