//! The learning rate by epoch.

/// The learning rate of PyTorch's `StepLR` with step size 1 in an epoch counted from zero: `initial * gamma^epoch`.
///
/// It is multiplied epoch by epoch, as PyTorch does, so that the rounding is the same too.
pub fn step_lr(initial: f64, gamma: f64, epoch: usize) -> f64 {
    (0..epoch).fold(initial, |rate, _| rate * gamma)
}
