//! The loss against its definition in float64 and its finite differences.

use flex_kernels::loss::{backward, forward};
use proptest::prelude::*;

use crate::reference::cross_entropy;
use crate::support::{Numbers, assert_close, cases, differences, double};

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn forward_and_backward(rows in 1..=130_usize, classes in 1..=20_usize, seed in any::<u64>()) {
        let mut numbers = Numbers::new(seed);
        let logits: Vec<f32> = numbers.vector(rows * classes).iter().map(|value| 8.0 * value).collect();
        let labels: Vec<usize> = (0..rows).map(|_| numbers.below(classes)).collect();
        let mut probabilities = vec![f32::NAN; logits.len()];
        let loss = forward(classes, &logits, labels.iter().copied(), &mut probabilities);
        assert_close(&[loss], &[cross_entropy(classes, &double(&logits), &labels)], 1e-6, "loss");

        let mut gradient = probabilities;
        backward(classes, labels.iter().copied(), 2.0, &mut gradient);
        let at: Vec<usize> = (0..logits.len()).collect();
        let expected = differences(
            |arguments| 2.0 * cross_entropy(classes, &arguments[0], &labels),
            &[double(&logits)],
            0,
            &at,
        );
        // The step's own error is below 1e-9: a third derivative below 1 times 1e-12, and rounding of 1e-15 over 1e-6.
        assert_close(&gradient, &expected, 1e-6, "gradient");
    }
}

/// The probability of a label that is all but impossible is not rounded to zero before its logarithm is taken.
#[test]
fn large_logits_do_not_overflow() {
    let mut probabilities = [0.0; 2];
    let loss = forward(2, &[1000.0, -1000.0], [1].into_iter(), &mut probabilities);
    assert_eq!((loss, probabilities), (2000.0, [1.0, 0.0]));
    assert!(forward(2, &[f32::NAN, 0.0], [1].into_iter(), &mut probabilities).is_nan());
}
