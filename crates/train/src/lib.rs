//! Trains the MNIST CNN with the recipe of PyTorch's MNIST example, or with a modern one.
//!
//! The trained weights are a function of [`Config`](config::Config) and data: they depend neither on the number of threads
//! nor on interruptions. Random numbers are a function of (seed, purpose, epoch, step), every reduction has a fixed order,
//! and a checkpoint holds all that the rest of a run depends on.

pub mod adadelta;
pub mod augmentation;
pub mod averaging;
pub mod batch;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod dropout;
pub mod evaluation;
pub mod outputs;
pub mod random;
pub mod report;
pub mod run;
pub mod schedule;
pub mod training;

// `#[derive(RecordState)]` looks for these names at the root of the crate.
use burn::optim::{RecordState, StateSink, StateSource};

/// Why a training ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss is infinite or no number: the weights are lost.
    #[error("the loss is no longer a number at epoch {epoch}, step {step}: try a smaller learning rate")]
    Diverged {
        /// The epoch, from one.
        epoch: usize,
        /// The step in the epoch, from one.
        step: usize,
    },
    /// A result could not be read from the device.
    #[error("the device failed: {0}")]
    Device(#[from] burn::tensor::TensorReadError),
    /// The run could not be saved or continued.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
    /// Somebody asked for it.
    #[error("{0}")]
    Interrupted(#[from] artifact::interrupt::Interrupted),
    /// A result could not be written.
    #[error(transparent)]
    File(#[from] artifact::FileError),
    /// A result would take the place of a file that no training left.
    #[error(transparent)]
    Output(#[from] artifact::OutputError),
    /// Another training writes to the same folder.
    #[error("another training is at work in {}: wait for it, or choose another folder with --out", folder.display())]
    Busy {
        /// The folder.
        folder: std::path::PathBuf,
    },
    /// There is nothing to resume, and the results of a finished training would be lost.
    #[error(
        "{} holds a finished training and no checkpoint: there is nothing to resume; leave out --resume to train anew",
        folder.display()
    )]
    Finished {
        /// The folder.
        folder: std::path::PathBuf,
    },
    /// The report could not be written.
    #[error("{0}")]
    Report(#[from] terminal::program::OutputError),
    /// The weights could not be put into the file's format.
    #[error("the weights cannot be saved: {0}")]
    Weights(#[from] safetensors::SafeTensorError),
}
