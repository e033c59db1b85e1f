//! Trains the networks that are trained here: the MNIST CNN and BERT for question answering.
//!
//! The trained weights are a function of configuration and data: they depend neither on the number of threads nor on
//! interruptions. Random numbers are a function of (seed, purpose, epoch, step), every reduction has a fixed order, and a
//! checkpoint holds all that the rest of a run depends on.
//!
//! [`training::Training`] is what a network has to say of itself; [`run::run`] is the loop with checkpoints and results. The
//! recipes lie in [`mnist`] and [`question_answering`].

pub mod checkpoint;
pub mod device;
pub mod mnist;
pub mod outputs;
pub mod question_answering;
pub mod random;
pub mod ranks;
pub mod report;
pub mod run;
pub mod schedule;
pub mod stored;
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
    /// The processes that share a training were not started alike.
    #[error(
        "rank {rank} has other options or other data than rank 0: start all ranks with the same command on the same files"
    )]
    OtherRank {
        /// Which process found out.
        rank: usize,
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
    /// What the training starts from cannot be used.
    #[error("the encoder cannot be used: {0}")]
    Encoder(#[from] models::weights::WeightsError),
    /// The tokens do not suit the network.
    #[error("the tokenizer and the network do not belong together: {0}")]
    Tokens(#[from] models::bert::InputError),
    /// What a network computed is no answer.
    #[error("the network does not answer: {0}")]
    Answers(#[from] models::question_answering::LogitsError),
    /// The weights could not be put into the file's format.
    #[error("the weights cannot be saved: {0}")]
    Weights(#[from] safetensors::SafeTensorError),
}
