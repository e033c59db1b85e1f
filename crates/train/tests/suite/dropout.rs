//! The masks of dropout as random numbers. That they silence what PyTorch's layers silence is in `network`.

use burn::tensor::{Device, Tensor};
use models::mnist_cnn::{CHANNELS, HIDDEN};
use train::mnist::config::Config;
use train::mnist::dropout::dropout_masks;

const BATCH: usize = 64;
const STEPS: usize = 100;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// The masks of `STEPS` steps of the first epoch, one row a step: channels and hidden units.
fn masks(seed: u64) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let (config, device) = (Config { seed, ..Config::default() }, Device::flex());
    let step = |step| {
        let masks = dropout_masks(&config, 0, step, BATCH, &device);
        // One value a channel: whatever the size of the picture, a channel is silenced whole.
        assert_eq!(masks.channels.dims(), [BATCH, CHANNELS, 1, 1]);
        assert_eq!(masks.hidden.dims(), [BATCH, HIDDEN]);
        (values(masks.channels), values(masks.hidden))
    };
    (0..STEPS).map(step).unzip()
}

/// For each unit, in how many of the images of all steps it was silent. Every kept value must be `kept`.
fn silenced(masks: &[Vec<f32>], units: usize, kept: f32) -> Vec<usize> {
    let mut counts = vec![0; units];
    for mask in masks {
        for (index, &value) in mask.iter().enumerate() {
            assert!(value == 0.0 || value == kept, "{value}");
            counts[index % units] += usize::from(value == 0.0);
        }
    }
    counts
}

/// Chi-squared of the units' counts against the binomial distribution: no unit is silenced more often than another.
/// The limits are those that chance passes once in a thousand times (64 and 128 degrees of freedom); the seeds are fixed.
#[test]
fn every_unit_is_silenced_equally_often() {
    for seed in [1, 2, 3] {
        let (channels, hidden) = masks(seed);
        let parts = [(channels, CHANNELS, 0.25, 4.0 / 3.0, 104.7), (hidden, HIDDEN, 0.5, 2.0, 182.0)];
        for (masks, units, probability, kept, limit) in parts {
            let draws = (BATCH * STEPS) as f64;
            let (mean, variance) = (draws * probability, draws * probability * (1.0 - probability));
            let counts = silenced(&masks, units, kept);
            let statistic: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2) / variance).sum();
            assert!(statistic < limit, "seed {seed}: {statistic}");
        }
    }
}

/// Neighbouring units, the same unit of neighbouring images, and the same unit of neighbouring steps are silent together
/// as often as chance has it: within 4 standard deviations of the binomial.
#[test]
fn units_are_silenced_independently() {
    let (channels, hidden) = masks(1);
    for (masks, units, probability) in [(channels, CHANNELS, 0.25_f64), (hidden, HIDDEN, 0.5)] {
        let all: Vec<bool> = masks.concat().into_iter().map(|value| value == 0.0).collect();
        for distance in [1, 2, units, units * BATCH] {
            let pairs = (all.len() - distance) as f64;
            let both = all.iter().zip(&all[distance..]).filter(|(first, second)| **first && **second).count() as f64;
            let chance = probability * probability;
            let deviation = (pairs * chance * (1.0 - chance)).sqrt();
            assert!(
                (both - pairs * chance).abs() < 4.0 * deviation,
                "{units} units, {distance} apart: {both} of {pairs}"
            );
        }
    }
}
