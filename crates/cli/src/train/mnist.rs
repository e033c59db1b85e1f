//! `train mnist`: the options of PyTorch's MNIST example.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{CommonRecipe, RunArgs, positive, rate};
use crate::path::{reading_or, writing_or};

/// Train the MNIST CNN with the recipe of PyTorch's MNIST example.
#[derive(Debug, Clone, Args)]
pub struct DigitArgs {
    /// What is trained, and how.
    #[command(flatten)]
    pub recipe: DigitRecipe,
    /// How the program runs.
    #[command(flatten)]
    pub run: RunArgs,
    /// The folder for model, metrics and configuration.
    #[arg(long, value_name = "FOLDER", default_value = "artifacts/mnist", value_parser = writing_or("artifacts/mnist"))]
    pub out: PathBuf,
    /// The folder with the four files of MNIST, or of another data set in its format: Fashion-MNIST, KMNIST, EMNIST, plain or as
    /// .gz. In a folder with several data sets, as that of EMNIST, the path goes on with the name of one: gzip/emnist-letters.
    #[arg(long, value_name = "FOLDER", default_value = "datasets/mnist", value_parser = reading_or("datasets/mnist"))]
    pub data: PathBuf,
}

/// What the trained weights depend on.
#[derive(Debug, Clone, Args)]
pub struct DigitRecipe {
    /// The article's recipe, or a modern one for the same network: distorted digits, a smooth schedule, averaged weights.
    #[arg(long, value_enum, default_value_t = Practice::Article)]
    pub recipe: Practice,
    /// Test images evaluated at once.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = positive)]
    pub test_batch_size: usize,
    /// What the learning rate is multiplied by after each epoch of the article's recipe [default: 0.7]
    #[arg(long, value_name = "FACTOR", value_parser = rate)]
    pub gamma: Option<f64>,
    /// What every training has.
    #[command(flatten)]
    pub common: CommonRecipe,
}

impl DigitRecipe {
    /// Training images in one step.
    pub fn batch_size(&self) -> usize {
        self.common.batch_size.unwrap_or(64)
    }

    /// Passes over the training images.
    pub fn epochs(&self) -> usize {
        self.common.epochs.unwrap_or(14)
    }

    /// The learning rate of the first epoch.
    pub fn learning_rate(&self) -> f64 {
        self.common.lr.unwrap_or(1.0)
    }
}

/// How the MNIST CNN is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Practice {
    /// As in PyTorch's MNIST example.
    Article,
    /// As is usual today.
    Modern,
}
