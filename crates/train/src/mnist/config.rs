//! What a run is made of.

use models::mnist_cnn::CLASSES;
use serde::{Deserialize, Serialize};

use crate::device::DeviceKind;
use crate::mnist::adadelta::Adadelta;
use crate::mnist::augmentation::Augmentation;
use crate::mnist::averaging::Averaging;
use crate::schedule::Schedule;

/// Everything that the trained weights depend on, besides the data: equal configurations give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Where the arithmetic is done. Each device rounds in its own way.
    pub device: DeviceKind,
    /// Decides the initial weights, the order of the images and what dropout silences.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Training images in one step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Test images evaluated at once.
    pub test_batch_size: usize,
    /// The learning rate of the first epoch.
    pub learning_rate: f64,
    /// How it goes on from there.
    pub schedule: Schedule,
    /// The classes that the network tells apart: those of the data set.
    #[serde(default = "digits")]
    pub classes: usize,
    /// The label of the first class; the others follow it.
    #[serde(default)]
    pub first_label: u8,
    /// Only this many training images, the first ones.
    pub limit: Option<usize>,
    /// One step in each epoch, to see that everything works.
    pub dry_run: bool,
    /// The update rule.
    pub optimizer: Adadelta,
    /// The share of channels silenced after the pooling.
    pub channel_dropout: f32,
    /// The share of hidden units silenced.
    pub hidden_dropout: f32,
    /// How the digits are distorted, if they are.
    pub augmentation: Option<Augmentation>,
    /// How the weights are averaged, if they are: then the average is what is judged and saved.
    pub averaging: Option<Averaging>,
}

/// What a configuration means that does not tell its classes.
fn digits() -> usize {
    CLASSES
}

impl Default for Config {
    /// [`article`](Config::article).
    fn default() -> Self {
        Self::article()
    }
}

impl Config {
    /// The recipe of PyTorch's MNIST example.
    pub fn article() -> Self {
        Self {
            device: DeviceKind::Flex,
            seed: 1,
            epochs: 14,
            batch_size: 64,
            test_batch_size: 1000,
            learning_rate: 1.0,
            schedule: Schedule::Step { gamma: 0.7 },
            classes: CLASSES,
            first_label: 0,
            limit: None,
            dry_run: false,
            optimizer: Adadelta::default(),
            channel_dropout: 0.25,
            hidden_dropout: 0.5,
            augmentation: None,
            averaging: None,
        }
    }

    /// Today's practice for the same network: distorted digits, a smooth schedule and averaged weights. What it gains is in
    /// `docs/benchmarks.md`.
    pub fn modern() -> Self {
        Self {
            schedule: Schedule::Cosine,
            channel_dropout: 0.125,
            hidden_dropout: 0.25,
            augmentation: Some(Augmentation {
                rotation: 10.0,
                shear: 10.0,
                scale: 0.1,
                shift: 2.0,
                bend: 1.0,
                undistorted_epochs: 2,
            }),
            averaging: Some(Averaging { horizon: 300.0, every: 10 }),
            ..Self::article()
        }
    }

    /// The learning rate of a step in an epoch over `images`, both counted from zero.
    pub fn learning_rate_at(&self, epoch: usize, step: usize, images: usize) -> f64 {
        self.schedule.rate(self.learning_rate, (epoch, step), self.epochs, self.steps_per_epoch(images))
    }

    /// How many steps an epoch over `images` takes.
    pub fn steps_per_epoch(&self, images: usize) -> usize {
        match self.dry_run {
            true => 1,
            false => images.div_ceil(self.batch_size),
        }
    }
}
