//! `predict`: what an exported network and the native framework make of an input.

use std::path::PathBuf;

use catalogue::{NetworkId, TaskKind};
use clap::Args;
use shards::Shard;

use crate::path::{reading, writing};
use crate::sandbox::SandboxArgs;
use crate::task::{FileTaskArgs, TaskArgs};
use crate::train::{positive, threads};

/// Show what a network makes of an input, under ONNX Runtime and in Burn.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask predict mnist --index 100    test image 100, which is a 6
  cargo xtask predict mnist --image photo.png
  cargo xtask predict alexnet --image dog.jpg --top 5
  cargo xtask predict alexnet --image holiday/ --top 1 --engine ort:cpu
  cargo xtask predict --onnx cats.onnx --task image-classification --labels cats.txt --image holiday/
  cargo xtask predict bert-qa              the article's question
  cargo xtask predict bert-qa --question \"When was it built?\" --context-file tower.txt --top 3
  cargo xtask predict bert-qa --jsonl questions.jsonl --json     lines of {\"question\": …, \"context\": …}
  cargo xtask predict bert-qa --jsonl questions.jsonl --shard 3/8 --out parts     the fourth of eight parts
  cargo xtask predict --merge parts --out answers.jsonl          all parts in one file
  cargo xtask predict encoder --model out/sst2 --text \"What a dull film!\"
  cargo xtask predict encoder --model out/ner --lines articles.txt --json     a line of JSON each
  cargo xtask predict encoder --model out/bert --text \"Paris is the [MASK] of France.\" --top 3
  cargo xtask predict minilm --text \"A man plays the guitar.\" --text \"Somebody makes music.\"     and their cosine

The exit status is 0 only if every engine gave an answer to everything, and all gave the same.")]
pub struct PredictArgs {
    /// The network.
    #[arg(required_unless_present_any = ["onnx", "merge"], conflicts_with = "onnx")]
    pub network: Option<NetworkId>,
    /// An ONNX file from anywhere instead, for what --task says.
    #[arg(long, value_name = "FILE", requires = "kind", conflicts_with_all = ["model", "weights"], value_parser = reading())]
    pub onnx: Option<PathBuf>,
    /// What the file is for.
    #[command(flatten)]
    pub file: FileTaskArgs,
    /// Digits: which test image, counted from 0.
    #[arg(long, value_name = "N", conflicts_with = "images")]
    pub index: Option<usize>,
    /// Questions: the question.
    #[arg(long, value_name = "TEXT", conflicts_with = "jsonl")]
    pub question: Option<String>,
    /// Questions: the text that holds the answer.
    #[arg(long, value_name = "TEXT", conflicts_with = "jsonl")]
    pub context: Option<String>,
    /// Questions: the file that holds the text, instead of --context.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["context", "jsonl"], value_parser = reading())]
    pub context_file: Option<PathBuf>,
    /// Texts: a text; may be given several times. Of two in sentence embeddings the cosine is told.
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Texts: a second text that goes with the first.
    #[arg(long, value_name = "TEXT")]
    pub text_pair: Option<String>,
    /// Texts: a file with a text in each line. With --json the answers are JSON lines.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub lines: Option<PathBuf>,
    /// Texts: cut those that are too long for the network, instead of refusing them.
    #[arg(long)]
    pub truncate: bool,
    /// Questions: a file of many: a JSON object with `question` and `context` in each line. Texts: with `text` and perhaps `text_pair`.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub jsonl: Option<PathBuf>,
    /// Questions: take the most likely start and the most likely end, each by itself, as the article does.
    #[arg(long, conflicts_with_all = ["top", "max_answer_tokens"])]
    pub as_article: bool,
    /// Pictures, questions and texts: how many labels, answers or fillings to show [default: 5 of texts, 5 labels, 1 answer]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub top: Option<usize>,
    /// Pictures, with --shard: a file with the path of a picture in each line.
    #[arg(long, value_name = "FILE", requires = "shard", value_parser = reading())]
    pub list: Option<PathBuf>,
    /// Predict one part of many items, I of N counted from 0, into a file of its own in the folder of --out: all test digits, the pictures
    /// of --image and --list, or the questions of --jsonl. /N takes I from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX. A part that
    /// is there and whole is left; all parts together are, byte for byte, what one part of one gives
    #[arg(long, value_name = "I/N", group = "parts", requires = "out", conflicts_with_all = ["index", "question", "context", "context_file"])]
    pub shard: Option<Shard>,
    /// Put the parts in a folder together into the file of --out, in the order of their items [default: FOLDER/predictions.jsonl]
    #[arg(long, value_name = "FOLDER", group = "parts", conflicts_with_all = ["network", "onnx"], value_parser = reading())]
    pub merge: Option<PathBuf>,
    /// Where parts go, or their sum.
    #[arg(long, value_name = "PATH", requires = "parts", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// The data.
    #[command(flatten)]
    pub task: TaskArgs,
    /// How the network is run.
    #[command(flatten)]
    pub engines: Engines,
    /// The ONNX file, of an encoder also the folder that `export` wrote [default: artifacts/NETWORK/NETWORK.onnx]
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub model: Option<PathBuf>,
    /// The weights that the ONNX file was made from, for Burn: a file, or a Hugging Face folder with configuration and tokenizer
    /// [default: where they are trained or fetched to]
    #[arg(long, visible_alias = "hf-dir", value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

impl PredictArgs {
    /// The options that are given, with what they are for.
    pub fn given(&self) -> Vec<(&'static str, TaskKind)> {
        // Encoders answer questions, too.
        let texts = self.network.is_some_and(|network| network.task() == TaskKind::Texts);
        let either = if texts { TaskKind::Texts } else { TaskKind::Questions };
        let all = [
            (self.index.is_some(), "--index", TaskKind::Digits),
            (self.question.is_some(), "--question", either),
            (self.context.is_some(), "--context", either),
            (self.context_file.is_some(), "--context-file", TaskKind::Questions),
            (self.jsonl.is_some(), "--jsonl", either),
            (!self.text.is_empty(), "--text", TaskKind::Texts),
            (self.text_pair.is_some(), "--text-pair", TaskKind::Texts),
            (self.lines.is_some(), "--lines", TaskKind::Texts),
            (self.truncate, "--truncate", TaskKind::Texts),
            (self.as_article, "--as-article", TaskKind::Questions),
            (self.list.is_some(), "--list", TaskKind::Pictures),
        ];
        let own = all.into_iter().filter(|(given, _, _)| *given).map(|(_, option, kind)| (option, kind));
        own.chain(self.task.given()).collect()
    }
}

/// How a network is run.
#[derive(Debug, Clone, Args)]
pub struct Engines {
    /// What runs the network, separated by commas: burn, candle (BERT only), tract, ort:cpu, ort:cuda, ort:tensorrt,
    /// ort:dnnl, ort:openvino, ort:xnnpack [default: burn,ort:cpu; for a file from anywhere ort:cpu]
    #[arg(long = "engine", visible_alias = "engines", value_name = "NAME,…", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Threads inside one operation; all cores by default.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// What engines may do.
    #[command(flatten)]
    pub sandbox: SandboxArgs,
}
