//! `train`: how a network is trained, and where the results go.

mod bert_qa;
mod mnist;

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

pub use self::bert_qa::{QuestionArgs, QuestionRecipe};
pub use self::mnist::{DigitArgs, DigitRecipe, Practice};

/// Train a network; without a name, the MNIST CNN with the recipe of PyTorch's MNIST example.
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "NETWORK",
    subcommand_help_heading = "Networks"
)]
#[command(after_help = "\
Examples:
  cargo xtask train                        14 epochs, seed 1, into artifacts/mnist
  cargo xtask train --epochs 3 --seed 2 --out runs/seed2
  cargo xtask train --recipe modern        a better network in the same time
  cargo xtask train --resume               go on after an interruption
  cargo xtask train --data fashion --out artifacts/fashion   another data set in MNIST's format
  cargo xtask train --device cuda          on an NVIDIA GPU, with a program built for it
  cargo xtask train --device wgpu          on a GPU of AMD, Intel or Apple, likewise
  mpirun -n 2 cargo xtask train --mpi --threads 1   on two processes, with the same weights (docs/scale.md)
  cargo xtask train --limit 1000 --epochs 1 --no-save-model
  cargo xtask train bert-qa --squad FILE   a BERT that answers questions; its options: train bert-qa --help")]
pub struct TrainArgs {
    /// The network.
    #[command(subcommand)]
    pub network: Option<Trained>,
    /// The options of the MNIST CNN, which need no name.
    #[command(flatten)]
    pub digits: Box<DigitArgs>,
}

/// What is trained, and how.
#[derive(Debug, Clone, Subcommand)]
pub enum Trained {
    /// The MNIST CNN.
    #[command(name = "mnist")]
    Digits(Box<DigitArgs>),
    /// BERT for question answering.
    #[command(name = "bert-qa")]
    Questions(Box<QuestionArgs>),
}

impl TrainArgs {
    /// What is trained.
    pub fn trained(self) -> Trained {
        self.network.unwrap_or(Trained::Digits(self.digits))
    }
}

impl Trained {
    /// How the program runs.
    pub fn run(&self) -> &RunArgs {
        match self {
            Self::Digits(arguments) => &arguments.run,
            Self::Questions(arguments) => &arguments.run,
        }
    }

    /// What all trainings have.
    pub fn common(&self) -> &CommonRecipe {
        match self {
            Self::Digits(arguments) => &arguments.recipe.common,
            Self::Questions(arguments) => &arguments.recipe.common,
        }
    }
}

/// How the program runs; the trained weights do not depend on it.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
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
    /// Share the training with the other processes that mpirun or srun started: the weights are the same for any number of them.
    /// xtask builds the program with the Cargo feature `mpi` for it.
    #[arg(long)]
    pub mpi: bool,
    /// Only see whether --device or --mpi works on this machine.
    #[arg(long)]
    pub probe: bool,
    /// Replace files in the output folder that no training left, such as another program's config.json.
    #[arg(long)]
    pub force: bool,
    /// The code's revision, for the record.
    #[arg(long, hide = true)]
    pub revision: Option<String>,
}

impl RunArgs {
    /// The folder for results, if they are kept.
    pub fn kept<'a>(&self, out: &'a PathBuf) -> Option<&'a PathBuf> {
        (!self.no_save_model).then_some(out)
    }
}

/// What every training has: all that its weights depend on, and the number of threads, on which they do not.
#[derive(Debug, Clone, Args)]
pub struct CommonRecipe {
    /// Items in one step: training images, or windows of text [default: mnist 64, bert-qa 16]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch_size: Option<usize>,
    /// Passes over the training data [default: mnist 14, bert-qa 2]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub epochs: Option<usize>,
    /// The learning rate: of the first epoch, or the highest [default: mnist 1, bert-qa 1e-4]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub lr: Option<f64>,
    /// Decides the initial weights, the order of the data and what dropout silences.
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
    /// Use only the first N training images, or the first N questions of each part.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub limit: Option<usize>,
}

impl CommonRecipe {
    /// Where the arithmetic is done, in the end.
    pub fn device(&self) -> Device {
        if self.no_cuda { Device::Flex } else { self.device }
    }
}

/// Where a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// The CPU.
    #[value(alias = "cpu")]
    Flex,
    /// An NVIDIA GPU; xtask builds the program with the Cargo feature `cuda` for it.
    Cuda,
    /// Any GPU through Vulkan, Metal or DirectX 12: AMD, Intel, Apple; xtask builds the program with the Cargo feature `wgpu` for it.
    Wgpu,
}

impl Device {
    /// The Cargo feature of the program that trains there; `None` for what every build can.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Self::Flex => None,
            Self::Cuda => Some("cuda"),
            Self::Wgpu => Some("wgpu"),
        }
    }
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

/// A number from 0 up to, but not including, 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..1.0).contains(&number) => Ok(number),
        Ok(_) => Err("it must be at least 0 and less than 1".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A finite number from zero on.
fn penalty(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Ok(_) => Err("it must be a number of at least 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
