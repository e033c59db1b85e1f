//! The mean negative log-likelihood of labels under a softmax.

/// The mean over the rows of `logits` `[rows, classes]` of `-log_softmax(row)[label]`, which
/// `torch.nn.functional.cross_entropy` computes too. Writes the softmax to `probabilities`, for the backward pass.
///
/// # Panics
/// When the lengths do not fit, there is no row, or a label is no class.
pub fn forward(classes: usize, logits: &[f32], labels: impl Iterator<Item = usize>, probabilities: &mut [f32]) -> f32 {
    assert!(!logits.is_empty() && logits.len() == probabilities.len());
    let (mut total, mut rows) = (0.0, 0);
    for ((logits, probabilities), label) in
        logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes)).zip(labels)
    {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (to, &logit) in probabilities.iter_mut().zip(logits) {
            *to = (logit - largest).exp();
            sum += *to;
        }
        for value in probabilities.iter_mut() {
            *value /= sum;
        }
        total += f64::from(sum.ln() - (logits[label] - largest));
        rows += 1;
    }
    assert_eq!(rows * classes, logits.len());
    (total / rows as f64) as f32
}

/// Turns the softmax that [`forward`] wrote into the gradient of the logits, for a loss whose own gradient is `gradient`.
///
/// # Panics
/// When the lengths do not fit, or a label is no class.
pub fn backward(classes: usize, labels: impl Iterator<Item = usize>, gradient: f32, probabilities: &mut [f32]) {
    let factor = gradient / (probabilities.len() / classes) as f32;
    for (row, label) in probabilities.chunks_exact_mut(classes).zip(labels) {
        row[label] -= 1.0;
        for value in row {
            *value *= factor;
        }
    }
}
