//! How well a network does on digits that it has not learnt from.

use artifact::interrupt;
use burn::tensor::Device;
use models::digits::Digits;
use models::mnist_cnn::MnistCnn;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::mnist::batch::Batcher;
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

/// Evaluates `network` on all `digits`, `batch_size` at a time. `device` is the network's.
///
/// # Errors
/// When the device fails, or somebody interrupts it.
pub fn evaluate(
    network: &MnistCnn,
    digits: &Digits,
    batch_size: usize,
    device: &Device,
) -> Result<Evaluation, TrainError> {
    let batcher = Batcher::new(digits);
    let (mut loss, mut correct) = (0.0, 0);
    for start in (0..digits.len()).step_by(batch_size) {
        interrupt::check()?;
        let indices = start..digits.len().min(start + batch_size);
        let labels = &digits.labels()[indices.clone()];
        let batch = batcher.batch(indices, device);
        let log_probabilities: Vec<f32> = network.forward(batch.images).try_into_vec_as()?;
        for (row, &label) in log_probabilities.chunks_exact(network.classes()).zip(labels) {
            loss -= f64::from(row[usize::from(label)]);
            correct += usize::from(most_likely(row) == usize::from(label));
        }
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
