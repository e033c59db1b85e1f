//! `export`: trained weights in, a verified ONNX file out.

use std::path::PathBuf;

use crate::path::{reading, writing};
use catalogue::NetworkId;
use clap::{Args, ValueEnum};

/// Export a trained network to ONNX, verified under ONNX Runtime before it is kept.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask export mnist                 opset 11, to artifacts/mnist/mnist.onnx
  cargo xtask export mnist --opset 17 --out mnist17.onnx
  cargo xtask export mnist --weights runs/seed2/model.safetensors --out seed2.onnx
  cargo xtask export alexnet               torchvision's weights, fetched if they can be had
  cargo xtask export alexnet --weights ~/Downloads/alexnet.pth
  cargo xtask export bert-qa --weights ~/models/my-bert-qa
  cargo xtask export bert-qa --random-init 1    BERT-large's shape; its answers mean nothing
  cargo xtask export --hf-dir ~/models/my-bert-qa --task question-answering --opset 11
  cargo xtask export encoder --hf-dir ~/models/sst2 --out out/sst2    any encoder, for the task of its config.json
  cargo xtask export encoder --hf-dir ~/models/bert --task fill-mask --opset 17 --out out/bert
  cargo xtask export encoder --hf-dir ~/models/mpnet --task sentence-embeddings --out mpnet.onnx    the file alone

A folder for --out gets what other programs look for: onnx/model.onnx, config.json, the tokenizer's files and the pooling.")]
pub struct ExportArgs {
    /// The network.
    #[arg(value_enum, required_unless_present = "hf_dir")]
    pub network: Option<NetworkId>,
    /// A Hugging Face folder: config.json and weights.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["weights", "random_init"], value_parser = reading())]
    pub hf_dir: Option<PathBuf>,
    /// What the network of the folder is for [default: what modules.json or the architectures in config.json say]
    #[arg(long, value_enum)]
    pub task: Option<ExportTask>,
    /// What the axes of an encoder's file are called: batch_size and sequence_length as by optimum, or batch and sequence as by the
    /// article [default: optimum, for BERT for question answering article]
    #[arg(long, value_enum)]
    pub axes: Option<ExportAxes>,
    /// The config.json of a network with random weights; the shape of its published weights without it.
    #[arg(long, value_name = "FILE", requires = "random_init", value_parser = reading())]
    pub config: Option<PathBuf>,
    /// The file.
    #[command(flatten)]
    pub file: ExportOptions,
}

/// Where weights come from and a file goes, for any network.
#[derive(Debug, Clone, Args)]
pub struct ExportOptions {
    /// The trained weights: safetensors or PyTorch's own format, under PyTorch's names. For a network with a configuration, a
    /// Hugging Face folder or a weight file beside its config.json [default: where they are trained or fetched to]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// Take random weights from this seed instead of trained ones. The file says so, and what it computes means nothing.
    #[arg(long, value_name = "SEED", conflicts_with = "weights")]
    pub random_init: Option<u64>,
    /// The version of the ONNX operator set.
    #[arg(long, value_name = "N", default_value_t = 11)]
    pub opset: i64,
    /// Where the ONNX file goes; of an encoder, unless it ends in .onnx, the folder for the file and all that belongs to it
    /// [default: artifacts/NETWORK/NETWORK.onnx, artifacts/encoder]
    #[arg(long, value_name = "PATH", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// Put the weights in a file of their own beside the ONNX file; from 2 GiB on they are put there anyhow.
    #[arg(long)]
    pub external: bool,
    /// Replace a file of weights beside the ONNX file that is not that of an earlier export.
    #[arg(long)]
    pub force: bool,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// The code's revision, for the record.
    #[arg(long, hide = true)]
    pub revision: Option<String>,
}

/// What a network from a Hugging Face folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportTask {
    /// Start and end logits for the answer to a question.
    QuestionAnswering,
    /// Logits for each text: labels, several labels, or numbers.
    TextClassification,
    /// Logits for each token, such as those of names.
    TokenClassification,
    /// Logits over the vocabulary, for what a mask stands for.
    FillMask,
    /// The last layer's hidden states.
    FeatureExtraction,
    /// One vector for each text.
    SentenceEmbeddings,
}

/// What the axes of a file are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportAxes {
    /// batch_size and sequence_length.
    Optimum,
    /// batch and sequence.
    Article,
}

impl ExportTask {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
