//! `train bert-qa`: an encoder fine-tuned on SQuAD, by the recipe of `transformers`.

use std::path::PathBuf;

use clap::Args;

use super::{CommonRecipe, RunArgs, penalty, positive, share};
use crate::path::{reading, reading_or, writing_or};

/// Where the network goes.
const OUT: &str = "artifacts/bert-qa/trained";

/// The encoder that training starts from.
const ENCODER: &str = "datasets/minilm";

const WARM_UP: f64 = 0.1;
const WEIGHT_DECAY: f64 = 0.01;
const CLIP: f64 = 1.0;
const DROPOUT: f64 = 0.1;
const LENGTH: usize = 384;
const STRIDE: usize = 128;

/// Train BERT for question answering: fine-tune an encoder on SQuAD with the recipe of transformers.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask train bert-qa                            on SQuAD 1.1 from its public home, judged by its development set
  cargo xtask train bert-qa --squad FILE               on your file, judged by every fifth article of it
  cargo xtask train bert-qa --squad train.json --dev dev.json --epochs 3 --seed 2 --out runs/seed2
  cargo xtask train bert-qa --squad FILE --limit 200 --dry-run
  cargo xtask train bert-qa --squad FILE --resume      go on after an interruption
  cargo xtask export bert-qa --hf-dir artifacts/bert-qa/trained   what was trained, as ONNX")]
pub struct QuestionArgs {
    /// What is trained, and how.
    #[command(flatten)]
    pub recipe: QuestionRecipe,
    /// How the program runs.
    #[command(flatten)]
    pub run: RunArgs,
    /// The folder for the network, as Hugging Face lays it out, and for metrics.
    #[arg(long, value_name = "FOLDER", default_value = OUT, value_parser = writing_or(OUT))]
    pub out: PathBuf,
}

/// What the trained weights depend on.
#[derive(Debug, Clone, Args)]
pub struct QuestionRecipe {
    /// Questions to learn from, in a format of SQuAD [default: train-v1.1.json, fetched from its public home]
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub squad: Option<PathBuf>,
    /// Questions to judge each epoch by [default: dev-v1.1.json where --squad is not given]
    #[arg(long, value_name = "FILE", value_parser = reading(), conflicts_with = "hold_out")]
    pub dev: Option<PathBuf>,
    /// The share of the articles of --squad to judge by, evenly spread, and not to learn from; 0 judges by nothing
    /// [default: 0.2 where --squad is given without --dev]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub hold_out: Option<f64>,
    /// The encoder to start from: a Hugging Face folder of a BERT.
    #[arg(long, value_name = "FOLDER", default_value = ENCODER, value_parser = reading_or(ENCODER))]
    pub encoder: PathBuf,
    /// What every training has.
    #[command(flatten)]
    pub common: CommonRecipe,
    /// The share of all steps in which the learning rate rises from 0; from then on it falls to 0.
    #[arg(long, value_name = "SHARE", default_value_t = WARM_UP, value_parser = share)]
    pub warm_up: f64,
    /// AdamW's weight decay, from which biases and layer norms are exempt.
    #[arg(long, value_name = "FACTOR", default_value_t = WEIGHT_DECAY, value_parser = penalty)]
    pub weight_decay: f64,
    /// The longest gradient, by the norm over all parameters; longer ones are shortened to it. 0 for no bound.
    #[arg(long, value_name = "NORM", default_value_t = CLIP, value_parser = penalty)]
    pub clip: f64,
    /// The share of values that each dropout silences.
    #[arg(long, value_name = "SHARE", default_value_t = DROPOUT, value_parser = share)]
    pub dropout: f64,
    /// The longest window of question and context, in tokens; the encoder's position table bounds it.
    #[arg(long, value_name = "TOKENS", default_value_t = LENGTH, value_parser = positive)]
    pub length: usize,
    /// Tokens that neighbouring windows of a long context share.
    #[arg(long, value_name = "TOKENS", default_value_t = STRIDE)]
    pub stride: usize,
}

impl QuestionRecipe {
    /// The recipe of those who say no more: to learn from `squad`, or from what is fetched.
    pub fn new(common: CommonRecipe, squad: Option<PathBuf>) -> Self {
        Self {
            squad,
            dev: None,
            hold_out: None,
            encoder: ENCODER.into(),
            common,
            warm_up: WARM_UP,
            weight_decay: WEIGHT_DECAY,
            clip: CLIP,
            dropout: DROPOUT,
            length: LENGTH,
            stride: STRIDE,
        }
    }

    /// Windows in one step.
    pub fn batch_size(&self) -> usize {
        self.common.batch_size.unwrap_or(16)
    }

    /// Passes over the windows.
    pub fn epochs(&self) -> usize {
        self.common.epochs.unwrap_or(2)
    }

    /// The highest learning rate.
    pub fn learning_rate(&self) -> f64 {
        self.common.lr.unwrap_or(1e-4)
    }

    /// The share of the articles to judge by; `None` where a file of its own does.
    pub fn hold_out(&self) -> Option<f64> {
        match (&self.squad, &self.dev) {
            (Some(_), None) => Some(self.hold_out.unwrap_or(0.2)),
            _ => self.hold_out,
        }
    }
}
