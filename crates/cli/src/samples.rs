//! `samples`: what a network is asked about, as inputs in files.

use std::path::PathBuf;

use catalogue::NetworkId;
use clap::Args;

use crate::path::{reading, writing};
use crate::task::TaskArgs;
use crate::train::positive;

/// Write what a network is asked about as inputs: digits, pictures, questions or texts, ready for `quantize --inputs` and
/// `eval --onnx --inputs`.
///
/// Of the digits those of the training are taken, so that the test digits stay unseen, with their classes as `labels`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask samples mnist --out samples/mnist
  cargo xtask samples efficientnet-lite0 --image photographs/ --out samples/photographs
  cargo xtask samples bert-qa --squad dev-v1.1.json --limit 200 --out samples/questions
  cargo xtask quantize artifacts/mnist/mnist.onnx --out mnist.int8.onnx --inputs samples/mnist

Each item is a .safetensors file with a tensor for each input. A folder of samples that is there already is replaced, and any other is
not.")]
pub struct SamplesArgs {
    /// The network.
    #[arg(value_name = "NETWORK")]
    pub network: NetworkId,
    /// The folder that the files go to.
    #[arg(long, value_name = "FOLDER", value_parser = writing())]
    pub out: PathBuf,
    /// At most so many items, evenly spread.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = SamplesArgs::COUNT)]
    pub limit: usize,
    /// The weights, beside which configuration and tokenizer lie [default: where they are trained or fetched to]
    #[arg(long, visible_alias = "hf-dir", value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// Questions: SQuAD 1.1 or 2.0 in its own format.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub squad: Option<PathBuf>,
    /// The data.
    #[command(flatten)]
    pub task: TaskArgs,
}

impl SamplesArgs {
    /// Items unless the user says otherwise.
    pub const COUNT: usize = 128;
}
