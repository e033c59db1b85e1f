//! `predict`: what an exported network and the native framework make of an input.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::train::{positive, threads};

/// Show what a network makes of an input, under ONNX Runtime and in Burn.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask predict mnist --index 100    test image 100, which is a 6
  cargo xtask predict mnist --image photo.png
  cargo xtask predict alexnet --image dog.jpg --top 5
  cargo xtask predict bert-qa --question \"Who was Jim Henson?\" --context \"Jim Henson was a puppeteer\"")]
pub struct PredictArgs {
    /// The network.
    #[command(subcommand)]
    pub network: PredictNetwork,
}

/// A network that can be tried by its name.
#[derive(Debug, Clone, Subcommand)]
pub enum PredictNetwork {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist(PredictMnistArgs),
    /// torchvision's AlexNet: labels for pictures.
    Alexnet(PredictAlexnetArgs),
    /// BERT for question answering.
    BertQa(PredictBertQaArgs),
}

/// Show which digit an image shows.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask predict mnist --index 100    test image 100, which is a 6
  cargo xtask predict mnist --image photo.png")]
pub struct PredictMnistArgs {
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

/// Show what pictures show.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask predict alexnet --image dog.jpg
  cargo xtask predict alexnet --image holiday/ --top 1 --engine ort:cpu
  cargo xtask predict alexnet --image a.png --image b.png --json")]
pub struct PredictAlexnetArgs {
    /// A picture (PNG, JPEG, GIF, BMP, WebP) or a folder of pictures; may be given several times.
    #[arg(long = "image", value_name = "PATH", required = true)]
    pub images: Vec<PathBuf>,
    /// How many labels to show for a picture.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = positive)]
    pub top: usize,
    /// How the network is run.
    #[command(flatten)]
    pub engines: Engines,
    /// The ONNX file.
    #[arg(long, value_name = "FILE", default_value = "artifacts/alexnet/alexnet.onnx")]
    pub model: PathBuf,
    /// The weights that the ONNX file was made from, for Burn.
    #[arg(long, value_name = "FILE", default_value = "datasets/alexnet/alexnet-owt-7be5be79.pth")]
    pub weights: PathBuf,
    /// The names of the classes.
    #[arg(long, value_name = "FILE", default_value = "datasets/imagenet-labels/labels.json")]
    pub labels: PathBuf,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Find the answer to a question in a text.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask predict bert-qa              the article's question
  cargo xtask predict bert-qa --question \"When was it built?\" --context-file tower.txt --top 3
  cargo xtask predict bert-qa --jsonl questions.jsonl --json     lines of {\"question\": …, \"context\": …}")]
pub struct PredictBertQaArgs {
    /// The question.
    #[arg(long, value_name = "TEXT", default_value = "Who was Jim Henson ?", conflicts_with = "jsonl")]
    pub question: String,
    /// The text that holds the answer.
    #[arg(long, value_name = "TEXT", default_value = "Jim Henson was a puppeteer", conflicts_with = "jsonl")]
    pub context: String,
    /// The file that holds the text, instead of --context.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["context", "jsonl"])]
    pub context_file: Option<PathBuf>,
    /// A file of many questions: a JSON object with `question` and `context` in each line.
    #[arg(long, value_name = "FILE")]
    pub jsonl: Option<PathBuf>,
    /// How many answers to show for a question.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    pub top: usize,
    /// How long an answer may be, in tokens.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = positive)]
    pub max_answer_tokens: usize,
    /// Take the most likely start and the most likely end, each by itself, as the article does.
    #[arg(long, conflicts_with_all = ["top", "max_answer_tokens"])]
    pub as_article: bool,
    /// How the network is run.
    #[command(flatten)]
    pub engines: Engines,
    /// The ONNX file.
    #[arg(long, value_name = "FILE", default_value = "artifacts/bert-qa/bert-qa.onnx")]
    pub model: PathBuf,
    /// The Hugging Face folder that the ONNX file was made from: configuration and tokenizer, and for Burn and candle
    /// the weights.
    #[arg(long, value_name = "FOLDER", default_value = "datasets/bert-qa")]
    pub hf_dir: PathBuf,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// How a network is run.
#[derive(Debug, Clone, Args)]
pub struct Engines {
    /// What runs the network, separated by commas: burn, candle (BERT only), tract, ort:cpu, ort:cuda, ort:tensorrt,
    /// ort:dnnl, ort:openvino, ort:xnnpack.
    #[arg(long = "engine", value_name = "NAME,…", value_delimiter = ',', default_value = "burn,ort:cpu")]
    pub names: Vec<String>,
    /// Threads inside one operation; all cores by default.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}
