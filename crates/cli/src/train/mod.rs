//! `train`: the options of PyTorch's MNIST example, and where the results go.

use std::path::PathBuf;

use crate::path::{reading_or, writing_or};
use clap::{ArgAction, Args, ValueEnum};

/// Train the MNIST CNN with the recipe of PyTorch's MNIST example.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask train                        14 epochs, seed 1, into artifacts/mnist
  cargo xtask train --epochs 3 --seed 2 --out runs/seed2
  cargo xtask train --recipe modern        a better network in the same time
  cargo xtask train --resume               go on after an interruption
  cargo xtask train --data fashion --out artifacts/fashion   another data set in MNIST's format
  cargo xtask train --device cuda          on an NVIDIA GPU, with a program built for it
  cargo xtask train --limit 1000 --epochs 1 --no-save-model")]
pub struct TrainArgs {
    /// What is trained, and how.
    #[command(flatten)]
    pub recipe: Recipe,
    /// Steps between two reports of the loss.
    #[arg(long, default_value_t = 10, value_name = "STEPS", value_parser = positive)]
    pub log_interval: usize,
    /// Save the trained model (the default).
    #[arg(long, overrides_with = "no_save_model", action = ArgAction::SetTrue)]
    pub save_model: bool,
    /// Keep nothing: no model, no metrics, no checkpoints.
    #[arg(long, overrides_with = "save_model", conflicts_with = "resume")]
    pub no_save_model: bool,
    /// Continue from the checkpoint that an interrupted training left in the output folder.
    #[arg(long)]
    pub resume: bool,
    /// A pipeline started this: continue from a checkpoint of the same configuration and data, or start anew if there
    /// is none.
    #[arg(long, hide = true, conflicts_with = "resume")]
    pub in_pipeline: bool,
    /// Seconds between two checkpoints, 0 for one after each step. There is one after each epoch in any case.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub checkpoint_interval: u64,
    /// The folder for model, metrics and configuration.
    #[arg(long, value_name = "FOLDER", default_value = "artifacts/mnist", value_parser = writing_or("artifacts/mnist"))]
    pub out: PathBuf,
    /// Replace files in that folder that no training left, such as another program's config.json.
    #[arg(long)]
    pub force: bool,
    /// The folder with the four files of MNIST, or of another data set in its format: Fashion-MNIST, KMNIST, EMNIST, plain or as
    /// .gz. In a folder with several data sets, as that of EMNIST, the path goes on with the name of one: gzip/emnist-letters.
    #[arg(long, value_name = "FOLDER", default_value = "datasets/mnist", value_parser = reading_or("datasets/mnist"))]
    pub data: PathBuf,
    /// The code's revision, for the record.
    #[arg(long, hide = true)]
    pub revision: Option<String>,
}

/// What the trained weights depend on, and the number of threads, on which they do not.
#[derive(Debug, Clone, Args)]
pub struct Recipe {
    /// The article's recipe, or a modern one for the same network: distorted digits, a smooth schedule, averaged weights.
    #[arg(long, value_enum, default_value_t = Practice::Article)]
    pub recipe: Practice,
    /// Training images in one step.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = positive)]
    pub batch_size: usize,
    /// Test images evaluated at once.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = positive)]
    pub test_batch_size: usize,
    /// Passes over the training images.
    #[arg(long, default_value_t = 14, value_name = "N", value_parser = positive)]
    pub epochs: usize,
    /// The learning rate of the first epoch.
    #[arg(long, default_value_t = 1.0, value_name = "RATE", value_parser = rate)]
    pub lr: f64,
    /// What the learning rate is multiplied by after each epoch of the article's recipe [default: 0.7]
    #[arg(long, value_name = "FACTOR", value_parser = rate)]
    pub gamma: Option<f64>,
    /// Decides the initial weights, the order of the images and what dropout silences.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,
    /// Run one step in each epoch, to see that everything works.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the arithmetic is done.
    #[arg(long, value_enum, default_value_t = Device::Flex)]
    pub device: Device,
    /// Train on the CPU whatever --device says.
    #[arg(long)]
    pub no_cuda: bool,
    /// Worker threads; all cores by default. The weights do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Use only the first N training images.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub limit: Option<usize>,
}

impl Recipe {
    /// Whether an NVIDIA GPU does the arithmetic.
    pub fn on_cuda(&self) -> bool {
        self.device == Device::Cuda && !self.no_cuda
    }
}

/// How a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Practice {
    /// As in PyTorch's MNIST example.
    Article,
    /// As is usual today.
    Modern,
}

/// Where a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// The CPU.
    #[value(alias = "cpu")]
    Flex,
    /// An NVIDIA GPU; xtask builds the program with the Cargo feature `cuda` for it.
    Cuda,
}

/// More than any machine's cores.
const MOST_THREADS: usize = 1024;

/// A whole number above zero.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// A number of threads: far more than cores only wait for each other.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    match positive(text)? {
        count if count <= MOST_THREADS => Ok(count),
        _ => Err(format!("it must be at most {MOST_THREADS}")),
    }
}

/// A finite number above zero.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) => Err("it must be a number above 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
