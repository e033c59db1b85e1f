//! The learning rate.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes from its first value on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// Multiplied by `gamma` after each epoch: PyTorch's `StepLR` with step size 1.
    Step {
        /// What it is multiplied by.
        gamma: f64,
    },
    /// From step to step along half a cosine, down to zero after the last one: PyTorch's `CosineAnnealingLR`
    /// (Loshchilov and Hutter, "SGDR", 2017, without restarts).
    Cosine,
}

impl Schedule {
    /// The learning rate in a step, after `step` others in an epoch counted from zero; the run has `epochs` of `steps` each.
    pub fn rate(&self, initial: f64, (epoch, step): (usize, usize), epochs: usize, steps: usize) -> f64 {
        match *self {
            Self::Step { gamma } => step_lr(initial, gamma, epoch),
            Self::Cosine => {
                let done = (epoch as f64 + step as f64 / steps as f64) / epochs as f64;
                initial * (1.0 + (PI * done).cos()) / 2.0
            }
        }
    }
}

/// The learning rate in a step counted from zero of a run of `steps`, of which the first `warm_up` rise from zero to `highest` and the
/// others fall to zero: `get_linear_schedule_with_warmup` of `transformers`.
pub fn linear(highest: f64, step: usize, warm_up: usize, steps: usize) -> f64 {
    let share = match step < warm_up {
        true => step as f64 / warm_up as f64,
        false => steps.saturating_sub(step) as f64 / steps.saturating_sub(warm_up).max(1) as f64,
    };
    highest * share
}

/// The learning rate of PyTorch's `StepLR` with step size 1 in an epoch counted from zero: `initial * gamma^epoch`.
///
/// It is multiplied epoch by epoch, as PyTorch does, so that the rounding is the same too.
pub fn step_lr(initial: f64, gamma: f64, epoch: usize) -> f64 {
    (0..epoch).fold(initial, |rate, _| rate * gamma)
}
