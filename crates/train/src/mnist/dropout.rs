//! Masks for dropout: zero for a silent unit, `1 / (1 - p)` for one that is kept.

use burn::tensor::{Device, Tensor, TensorData};
use models::mnist_cnn::{CHANNELS, DropoutMasks, HIDDEN};

use crate::mnist::config::Config;
use crate::random::{Generator, Purpose};

/// The masks of one training step for `batch` images; a channel is silenced whole, as PyTorch's `Dropout2d` does.
pub fn dropout_masks(config: &Config, epoch: usize, step: usize, batch: usize, device: &Device) -> DropoutMasks {
    let generator = |purpose| Generator::new(config.seed, purpose, epoch, step);
    let channels = mask(generator(Purpose::ChannelDropout), config.channel_dropout, batch * CHANNELS);
    let hidden = mask(generator(Purpose::HiddenDropout), config.hidden_dropout, batch * HIDDEN);
    DropoutMasks {
        channels: Tensor::from_data(TensorData::new(channels, [batch, CHANNELS, 1, 1]), device),
        hidden: Tensor::from_data(TensorData::new(hidden, [batch, HIDDEN]), device),
    }
}

fn mask(mut generator: Generator, probability: f32, count: usize) -> Vec<f32> {
    let kept = 1.0 / (1.0 - probability);
    (0..count).map(|_| if generator.uniform() < probability { 0.0 } else { kept }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts of silenced units are within 4 standard deviations of the binomial's mean.
    #[test]
    fn as_many_are_silenced_as_asked_for() {
        for (purpose, probability) in [(Purpose::ChannelDropout, 0.25_f32), (Purpose::HiddenDropout, 0.5)] {
            const COUNT: usize = 100_000;
            let mask = mask(Generator::new(1, purpose, 0, 0), probability, COUNT);
            let silent = mask.iter().filter(|&&value| value == 0.0).count() as f64;
            let (mean, count) = (f64::from(probability) * COUNT as f64, COUNT as f64);
            let deviation = (count * f64::from(probability) * f64::from(1.0 - probability)).sqrt();
            assert!((silent - mean).abs() < 4.0 * deviation, "{silent}");
            let kept = 1.0 / (1.0 - probability);
            assert!(mask.iter().all(|&value| value == 0.0 || value == kept));
        }
    }

    #[test]
    fn each_step_has_its_own_masks() {
        let (config, device) = (Config::default(), Device::flex());
        let masks = |epoch, step| {
            let masks = dropout_masks(&config, epoch, step, 2, &device);
            (masks.channels.into_data(), masks.hidden.into_data())
        };
        assert_eq!(masks(0, 0), masks(0, 0));
        assert_ne!(masks(0, 0), masks(0, 1));
        assert_ne!(masks(0, 1), masks(1, 1));
    }
}
