//! What a run is made of.

use serde::{Deserialize, Serialize};

use crate::device::DeviceKind;
use crate::question_answering::adamw::AdamW;

/// Everything that the trained weights depend on, besides the data: equal configurations give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the arithmetic is done. Each device rounds in its own way.
    pub device: DeviceKind,
    /// Decides the weights of a fresh head, the order of the windows and what dropout silences.
    pub seed: u64,
    /// Passes over the windows.
    pub epochs: usize,
    /// Windows in one step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The share of all steps in which the learning rate rises.
    pub warm_up: f64,
    /// The update rule.
    pub optimizer: AdamW,
    /// The longest gradient by its norm over all parameters; 0 for no bound.
    pub clip: f64,
    /// The share of values that each dropout silences.
    pub dropout: f32,
    /// The longest window, in tokens.
    pub length: usize,
    /// Tokens that neighbouring windows share.
    pub stride: usize,
    /// The share of the articles to judge by, where they come from the file of the training.
    pub hold_out: Option<f64>,
    /// Only this many questions of each part, the first ones.
    pub limit: Option<usize>,
    /// One step in each epoch, to see that everything works.
    pub dry_run: bool,
}
