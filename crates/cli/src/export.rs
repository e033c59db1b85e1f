//! `export`: trained weights in, a verified ONNX file out.

use std::path::{Path, PathBuf};

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
  cargo xtask export --hf-dir ~/models/my-bert-qa --task question-answering --opset 11")]
pub struct ExportArgs {
    /// The network.
    #[arg(value_enum, required_unless_present = "hf_dir")]
    pub model: Option<ExportModel>,
    /// The trained weights: safetensors or PyTorch's own format, under PyTorch's names. For BERT, a Hugging Face folder or
    /// a weight file beside its config.json.
    ///
    /// [default: artifacts/mnist/model.safetensors, datasets/alexnet/alexnet-owt-7be5be79.pth, datasets/bert-qa]
    #[arg(long, value_name = "PATH")]
    pub weights: Option<PathBuf>,
    /// A Hugging Face folder: config.json and weights.
    #[arg(long, value_name = "FOLDER", conflicts_with = "weights")]
    pub hf_dir: Option<PathBuf>,
    /// What the network of the folder does; question answering unless something else is named.
    #[arg(long, value_enum, requires = "hf_dir")]
    pub task: Option<ExportTask>,
    /// Take random weights from this seed instead of trained ones. The file says so, and what it computes means nothing.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["weights", "hf_dir"])]
    pub random_init: Option<u64>,
    /// The config.json of a BERT with random weights; BERT-large's shape without it.
    #[arg(long, value_name = "FILE", requires = "random_init")]
    pub config: Option<PathBuf>,
    /// The version of the ONNX operator set.
    #[arg(long, value_name = "N", default_value_t = 11)]
    pub opset: i64,
    /// Where the ONNX file goes.
    ///
    /// [default: artifacts/mnist/mnist.onnx, artifacts/alexnet/alexnet.onnx, artifacts/bert-qa/bert-qa.onnx]
    #[arg(long, value_name = "FILE")]
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

/// A network that can be exported by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportModel {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist,
    /// torchvision's AlexNet.
    Alexnet,
    /// BERT for question answering.
    BertQa,
}

/// What a network from a Hugging Face folder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportTask {
    /// Start and end logits for the answer to a question.
    QuestionAnswering,
}

impl ExportModel {
    /// Where its weights lie unless the user says otherwise.
    pub fn default_weights(self) -> &'static Path {
        Path::new(match self {
            Self::Mnist => "artifacts/mnist/model.safetensors",
            Self::Alexnet => "datasets/alexnet/alexnet-owt-7be5be79.pth",
            Self::BertQa => "datasets/bert-qa",
        })
    }

    /// Where its ONNX file goes unless the user says otherwise.
    pub fn default_out(self) -> &'static Path {
        Path::new(match self {
            Self::Mnist => "artifacts/mnist/mnist.onnx",
            Self::Alexnet => "artifacts/alexnet/alexnet.onnx",
            Self::BertQa => "artifacts/bert-qa/bert-qa.onnx",
        })
    }
}
