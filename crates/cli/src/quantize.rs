//! `quantize`: a float model in, one of 8-bit integers out.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::path::{reading, writing};
use crate::sandbox::SandboxArgs;

/// Write a model that computes with 8-bit integers, and measure what that costs and saves.
///
/// The result is compared with the float model on the samples of --inputs before it gets its name. With --max-drop the nodes that
/// do the most harm stay in float until it is good enough.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask quantize cats.onnx --out cats.int8.onnx --inputs samples/
  cargo xtask quantize mnist --max-drop 0.1% --metric accuracy             on the digits of its training
  cargo xtask quantize bert.onnx --out bert.int8.onnx --method dynamic     needs no samples
  cargo xtask quantize bert.onnx --out bert.int8.onnx --method dynamic --per-token    the same answer in every batch
  cargo xtask quantize cats.onnx --out cats.int8.onnx --inputs samples/ --max-drop 1%
  cargo xtask quantize cats.onnx --out cats.int8.onnx --inputs samples/ --format qdq
  cargo xtask quantize cats.onnx --out cats.int8.onnx --ranges cats.ranges.json --inputs samples/
  cargo xtask quantize cats.onnx --out cats.int8.onnx --inputs samples/ --cpu any

A sample is a .safetensors file with an input of the model for each name, a .npy file for a model of one input, or a folder with
input_0.pb, input_1.pb, ... as ONNX's own tests have them. The exit status is 0 if the file was written and is good enough for
--max-drop. Otherwise it is 1, and the best file stands beside it under a name that says so.")]
pub struct QuantizeArgs {
    /// The float model: an ONNX file of opset 11 or more. With xtask also the name of a network, whose file and data are then taken.
    #[arg(value_name = "FILE|NETWORK", value_parser = reading())]
    pub model: PathBuf,
    /// Where the quantised model goes [default: beside the float model, as NAME.int8.onnx]
    #[arg(long, value_name = "FILE", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// Samples: files, or folders that hold them. They give the ranges, and the result is judged on them.
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub inputs: Vec<PathBuf>,
    /// Take so many of the samples only, evenly spread.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Where ranges come from.
    #[arg(long, value_enum, default_value_t = QuantizeMethod::Auto)]
    pub method: QuantizeMethod,
    /// With the dynamic method: steps for each row of an input, a token, and not for all together. An answer then does not depend on
    /// what else is in the batch, and is nearer to that of the float model; it takes longer.
    #[arg(long)]
    pub per_token: bool,
    /// How integers stand in the file of the static method.
    #[arg(long, value_enum, default_value_t = QuantizeFormat::Qoperator)]
    pub format: QuantizeFormat,
    /// One scale for a whole weight; otherwise each output channel has its own.
    #[arg(long)]
    pub per_tensor: bool,
    /// The processors that the file is for.
    #[arg(long, value_enum, default_value_t = Processor::This)]
    pub cpu: Processor,
    /// How a range is chosen from the values that were seen.
    #[arg(long, value_enum, default_value_t = Calibration::Auto)]
    pub calibration: Calibration,
    /// How many per cent of the values are inside of a range of --calibration percentile.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.99)]
    pub percentile: f64,
    /// A file of ranges, which may be edited: read if it is there, and written otherwise.
    #[arg(long, value_name = "FILE", value_parser = writing())]
    pub ranges: Option<PathBuf>,
    /// The input of zeros and ones that says which positions are padding, which then counts for nothing [default: attention_mask, if
    /// there is an input of that name]
    #[arg(long, value_name = "NAME")]
    pub mask: Option<String>,
    /// How much worse than the float model the result may be, on the samples: a share, as in 0.001, or per cent, as in 0.1%.
    #[arg(long, value_name = "SHARE")]
    pub max_drop: Option<Share>,
    /// What --max-drop is a drop of [default: agreement for one row of values an item, cosine for others]
    #[arg(long, value_enum)]
    pub metric: Option<QuantizeMetric>,
    /// Leave these nodes in float, by their names or those of their first outputs.
    #[arg(long, value_name = "NODE")]
    pub keep: Vec<String>,
    /// Seconds for which the result and the float model are timed side by side on the first sample; 0 leaves it out.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub seconds: f64,
    /// Where the report goes [default: the name of --out with the ending .json]
    #[arg(long, value_name = "FILE", value_parser = writing())]
    pub report: Option<PathBuf>,
    /// Print the report as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// The confinement of engines.
    #[command(flatten)]
    pub sandbox: SandboxArgs,
}

impl QuantizeArgs {
    /// Where the quantised model goes.
    pub fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| self.model.with_extension("int8.onnx"))
    }
}

/// Where the ranges of values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuantizeMethod {
    /// From samples, once: the file has them as constants.
    Static,
    /// From each input as it comes: products with a constant matrix alone, as transformers have them.
    Dynamic,
    /// Static for a model with convolutions, dynamic for others.
    Auto,
}

/// How integers stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuantizeFormat {
    /// Operators of floats between QuantizeLinear and DequantizeLinear, for any runtime. Per channel it needs opset 13, to which the
    /// model is raised.
    Qdq,
    /// Operators of integers, for ONNX Runtime, at the opset of the model.
    Qoperator,
}

/// Processors by how they add up products of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Processor {
    /// Those like the one that this runs on.
    This,
    /// Those that add up without loss: with VNNI, or no x86. Weights have 8 bits.
    Vnni,
    /// All: weights have 7 bits, so that what others add up in 16 bits is exact.
    Any,
}

/// How a range is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Calibration {
    /// The smallest and the largest value.
    Minmax,
    /// All values but the outermost ones.
    Percentile,
    /// The least Kullback-Leibler divergence.
    Entropy,
    /// The least mean squared error.
    Mse,
    /// Each of these is tried on the samples; the one with the least noise in the outputs is taken.
    Auto,
}

/// What a result is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuantizeMetric {
    /// The share of items whose largest output is the float model's.
    Agreement,
    /// The mean cosine between the outputs of an item and the float model's.
    Cosine,
    /// The share of items whose largest output is at the place of their label: a tensor `labels` in each .safetensors file.
    Accuracy,
}

/// A share, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, divisor) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        let share = number.trim().parse::<f64>().map(|number| number / divisor).ok();
        share
            .filter(|share| (0.0..=1.0).contains(share))
            .map(Self)
            .ok_or_else(|| format!("{text} is no share: give a number from 0 to 1, or per cent as in 0.1%"))
    }
}
