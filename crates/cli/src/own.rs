//! The commands of a program with a network of one's own.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bundle::BundleOptions;
use crate::eval::MeasureArgs;
use crate::export::ExportOptions;
use crate::path::{reading, writing};
use crate::predict::Engines;
use crate::report::ReportArgs;
use crate::train::positive;

/// A network with its commands.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct OwnArgs {
    /// What is done.
    #[command(subcommand)]
    pub command: OwnCommand,
}

/// What can be done with a network of one's own.
#[derive(Debug, Clone, Subcommand)]
pub enum OwnCommand {
    /// Export the network to ONNX, verified under ONNX Runtime before it is kept.
    #[command(after_help = "\
Examples:
  cargo run --release -- export
  cargo run --release -- export --weights new.safetensors --opset 17 --out new.onnx")]
    Export(ExportOptions),
    /// Validate the ONNX file beside Burn, on made-up inputs and on the items of the task, and time both.
    #[command(after_help = "\
Examples:
  cargo run --release -- eval
  cargo run --release -- eval --data other.csv --batches 1,64 --compare artifacts/NETWORK/eval.json

The exit status is 0 only if every engine gives Burn's result for every item, and deviates no further from the network in float64
than float32 does.")]
    Eval(Box<OwnEvalArgs>),
    /// Show what the engines make of the items, side by side.
    #[command(after_help = "\
Examples:
  cargo run --release -- predict
  cargo run --release -- predict --data new.csv --first 100 --engine ort:cpu --json

The exit status is 0 only if every engine gave an answer to everything, and all gave the same.")]
    Predict(OwnPredictArgs),
    /// Write a folder ready to ship, or check one.
    #[command(after_help = "\
Examples:
  cargo run --release -- bundle
  cargo run --release -- bundle --verify artifacts/bundle/NETWORK")]
    Bundle(OwnBundleArgs),
    /// Write one page over the evaluations that are there.
    #[command(after_help = "\
Example:
  cargo run --release -- report --check    and fail if an evaluation failed")]
    Report(ReportArgs),
    /// Serve one engine to another process of this program.
    #[command(hide = true)]
    Worker {
        /// The most memory that it may hold, in bytes.
        #[arg(long)]
        memory: Option<u64>,
        /// Leave it all its rights.
        #[arg(long)]
        no_sandbox: bool,
    },
}

/// How a network of one's own is evaluated.
#[derive(Debug, Clone, Args)]
pub struct OwnEvalArgs {
    /// Where the items of the task lie [default: as the program says]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub data: Option<PathBuf>,
    /// The ONNX file [default: artifacts/NETWORK/NETWORK.onnx]
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub model: Option<PathBuf>,
    /// The weights that the ONNX file was made from, for Burn [default: as the program says]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// Where the report goes, as JSON with every sample [default: artifacts/NETWORK/eval.json]
    #[arg(long, value_name = "FILE", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// How it is measured.
    #[command(flatten)]
    pub measure: MeasureArgs,
}

/// What a network of one's own is asked about.
#[derive(Debug, Clone, Args)]
pub struct OwnPredictArgs {
    /// Where the items of the task lie [default: as the program says]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub data: Option<PathBuf>,
    /// Only the first N items.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = positive)]
    pub first: usize,
    /// How the network is run.
    #[command(flatten)]
    pub engines: Engines,
    /// The ONNX file [default: artifacts/NETWORK/NETWORK.onnx]
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub model: Option<PathBuf>,
    /// The weights that the ONNX file was made from, for Burn [default: as the program says]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What goes into the bundle of a network of one's own.
#[derive(Debug, Clone, Args)]
pub struct OwnBundleArgs {
    /// Check this bundle whole; write nothing.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["out", "onnx", "evaluation", "data", "weights"], value_parser = reading())]
    pub verify: Option<PathBuf>,
    /// Where the items of the task lie, the first of which is the example [default: as the program says]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub data: Option<PathBuf>,
    /// The weights that the ONNX file was made from [default: as the program says]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// The folder.
    #[command(flatten)]
    pub folder: BundleOptions,
}
