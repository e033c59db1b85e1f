//! How well a network does on digits that it has not learnt from.

use artifact::interrupt;
use burn::tensor::Device;
use models::digits::Digits;
use models::mnist_cnn::MnistCnn;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::mnist::batch::Batcher;
use crate::ranks::Ranks;
use crate::training;

/// Loss and accuracy on a set of digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean negative log-likelihood of the labels.
    pub loss: f64,
    /// How many digits were recognised.
    pub correct: usize,
    /// How many there were.
    pub total: usize,
}

impl Evaluation {
    /// The share that was recognised, from 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.total as f64
    }
}

/// The fields of an evaluation in a line of the metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    test_loss: f64,
    test_correct: usize,
    test_total: usize,
    test_accuracy: f64,
}

impl training::Evaluation for Evaluation {
    type Metrics = Metrics;

    fn metrics(&self) -> Metrics {
        let Self { loss, correct, total } = *self;
        Metrics { test_loss: loss, test_correct: correct, test_total: total, test_accuracy: self.accuracy() }
    }

    fn told(&self) -> String {
        let Self { loss, correct, total } = *self;
        let percent = 100.0 * self.accuracy();
        format!("Test set: Average loss: {loss:.4}, Accuracy: {correct}/{total} ({percent:.0}%)")
    }
}

/// Evaluates `network` on all `digits`, `batch_size` at a time. `device` is the network's. Processes that share a training share the
/// batches as well.
///
/// # Errors
/// When the device fails, or somebody interrupts it.
pub fn evaluate(
    network: &MnistCnn,
    digits: &Digits,
    batch_size: usize,
    device: &Device,
    ranks: Option<Ranks<'_>>,
) -> Result<Evaluation, TrainError> {
    let batcher = Batcher::new(digits);
    let batches = digits.len().div_ceil(batch_size);
    let of = |rank, ranks: Ranks<'_>| {
        let batches = ranks.rows(rank, batches);
        (batches.start * batch_size).min(digits.len())..(batches.end * batch_size).min(digits.len())
    };
    // The logarithm of the label's probability, and whether it is the largest.
    let mut found = vec![[0.0_f32; 2]; digits.len()];
    let own = ranks.map_or(0..digits.len(), |ranks| of(ranks.rank(), ranks));
    for start in own.clone().step_by(batch_size) {
        // Processes that share a training end together, after a step.
        if ranks.is_none() {
            interrupt::check()?;
        }
        let indices = start..own.end.min(start + batch_size);
        let labels = &digits.labels()[indices.clone()];
        let batch = batcher.batch(indices.clone(), device);
        let log_probabilities: Vec<f32> = network.forward(batch.images).try_into_vec_as()?;
        let rows = log_probabilities.chunks_exact(network.classes()).zip(labels);
        for (found, (row, &label)) in found[indices].iter_mut().zip(rows) {
            let label = usize::from(label);
            *found = [row[label], f32::from(u8::from(most_likely(row) == label))];
        }
    }
    if let Some(ranks) = ranks {
        ranks.gather(&mut found, |rank| of(rank, ranks));
    }
    let (mut loss, mut correct) = (0.0, 0);
    for [log_probability, right] in found {
        loss -= f64::from(log_probability);
        correct += usize::from(right > 0.0);
    }
    Ok(Evaluation { loss: loss / digits.len() as f64, correct, total: digits.len() })
}

/// The index of the largest value, the first of equals.
fn most_likely(row: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best
}
