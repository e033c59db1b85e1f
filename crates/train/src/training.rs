//! The training loop.

use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use models::digits::Digits;
use models::mnist_cnn::MnistCnn;
use models::weights::contiguous;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::adadelta::ModuleAdadelta;
use crate::averaging::approach;
use crate::batch::Batcher;
use crate::config::Config;
use crate::dropout::dropout_masks;
use crate::evaluation::{Evaluation, evaluate};
use crate::random::{Generator, Purpose};

/// The digits of a run.
#[derive(Debug, Clone)]
pub struct Data {
    /// What is learnt from, already limited.
    pub train: Digits,
    /// What each epoch is judged by.
    pub test: Digits,
}

/// A network in training: everything that the rest of the run depends on, besides configuration and data.
#[derive(Debug)]
pub struct State {
    /// The network, on an autodiff device.
    pub network: MnistCnn,
    /// The optimiser with its memory.
    pub optimizer: ModuleAdadelta,
    /// The average of the network's weights, without autodiff, if the recipe asks for one.
    pub average: Option<MnistCnn>,
    /// How far it has come.
    pub progress: Progress,
}

impl State {
    /// The network to be judged and kept, without autodiff: the average if there is one.
    pub fn result(&self) -> MnistCnn {
        self.average.clone().unwrap_or_else(|| self.network.valid())
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Epochs behind us: the number of the current one, from zero.
    pub epoch: usize,
    /// Steps behind us in the current epoch.
    pub step: usize,
    /// The sum of the losses of this epoch's images so far.
    pub loss: f64,
    /// Seconds spent in this epoch's steps so far.
    pub seconds: f64,
    /// What each epoch behind us came to.
    pub epochs: Vec<Epoch>,
}

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// The learning rate that it began with.
    pub learning_rate: f64,
    /// The mean loss of its images, each at the step that used it, with dropout.
    pub train_loss: f64,
    /// The test digits after it.
    pub test: Evaluation,
    /// Training images that it used.
    pub images: usize,
    /// How long its steps took, in seconds; the evaluation is not in it.
    pub seconds: f64,
}

/// Runs a [`State`] through a recipe.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: &'a Config,
    data: &'a Data,
    batcher: Batcher<'a>,
    device: Device,
    /// The images of one epoch in the order of their use, and which epoch it is.
    order: Option<(usize, Vec<u32>)>,
    /// Losses that are still on the device, with the number of images that each is the mean of.
    pending: Vec<(Tensor<1>, usize)>,
}

impl<'a> Trainer<'a> {
    /// A trainer on `device`, which needs no autodiff of its own.
    pub fn new(config: &'a Config, data: &'a Data, device: &Device) -> Self {
        let device = device.clone().inner().autodiff();
        Self { config, data, batcher: Batcher::new(&data.train), device, order: None, pending: Vec::new() }
    }

    /// The state before the first step.
    pub fn initial(&self) -> State {
        let network = contiguous(MnistCnn::random_for_classes(self.config.classes, self.config.seed, &self.device));
        let average = self.config.averaging.map(|_| network.valid());
        let optimizer = ModuleAdadelta::new(self.config.optimizer.clone());
        State { network, optimizer, average, progress: Progress::default() }
    }

    /// Steps in an epoch.
    pub fn steps(&self) -> usize {
        self.config.steps_per_epoch(self.data.train.len())
    }

    /// Images in an epoch.
    pub fn images(&self) -> usize {
        self.data.train.len().min(self.steps() * self.config.batch_size)
    }

    /// Learns from one batch.
    pub fn step(&mut self, state: State) -> State {
        let started = Instant::now();
        let State { network, mut optimizer, mut average, mut progress } = state;
        let indices = self.indices(&progress);
        let (epoch, step, count) = (progress.epoch, progress.step, indices.len());
        let batch = match &self.config.augmentation {
            Some(augmentation) if augmentation.distorts(epoch, self.config.epochs) => {
                self.batcher.distorted(&indices, augmentation, self.config.seed, epoch, &self.device)
            }
            _ => self.batcher.batch(indices, &self.device),
        };
        let dropout = dropout_masks(self.config, epoch, step, count, &self.device);

        let loss = network.loss(batch.images, batch.labels, dropout);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let network = optimizer.step(self.learning_rate_at(epoch, step), network, gradients);
        if let Some(averaging) = self.config.averaging
            && let Some(share) = averaging.share(epoch * self.steps() + step)
        {
            average = average.map(|average| approach(average, &network.valid(), share));
        }

        self.pending.push((loss.inner(), count));
        progress.step += 1;
        progress.seconds += started.elapsed().as_secs_f64();
        State { network, optimizer, average, progress }
    }

    /// Brings the losses of the last steps into `state`, and returns the last one. An accelerator has to wait for it.
    ///
    /// # Errors
    /// When the device fails, or the loss is no longer a number.
    pub fn read_losses(&mut self, state: &mut State) -> Result<Option<f64>, TrainError> {
        let started = Instant::now();
        let mut last = None;
        for (loss, count) in self.pending.drain(..) {
            let loss = f64::from(loss.try_into_scalar::<f32>()?);
            state.progress.loss += loss * count as f64;
            last = Some(loss);
        }
        let Progress { epoch, step, loss, .. } = state.progress;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { epoch: epoch + 1, step });
        }
        state.progress.seconds += started.elapsed().as_secs_f64();
        Ok(last)
    }

    /// Judges the network after the last step of an epoch, and turns to the next. Where that fails, it can be done again.
    ///
    /// # Errors
    /// As [`read_losses`](Self::read_losses), and when somebody interrupts it.
    pub fn finish_epoch(&mut self, state: &mut State) -> Result<(), TrainError> {
        self.read_losses(state)?;
        let test =
            evaluate(&state.result(), &self.data.test, self.config.test_batch_size, &self.device.clone().inner())?;
        let Progress { epoch, loss, seconds, .. } = state.progress;
        let images = self.images();
        state.progress.epochs.push(Epoch {
            learning_rate: self.learning_rate_at(epoch, 0),
            train_loss: loss / images as f64,
            test,
            images,
            seconds,
        });
        let epochs = std::mem::take(&mut state.progress.epochs);
        state.progress = Progress { epoch: epoch + 1, epochs, ..Progress::default() };
        Ok(())
    }

    fn learning_rate_at(&self, epoch: usize, step: usize) -> f64 {
        self.config.learning_rate_at(epoch, step, self.data.train.len())
    }

    /// The images of the step that comes next.
    fn indices(&mut self, progress: &Progress) -> Vec<usize> {
        let order = match self.order.take() {
            Some((epoch, order)) if epoch == progress.epoch => order,
            _ => {
                let images = self.data.train.len() as u32;
                Generator::new(self.config.seed, Purpose::Shuffle, progress.epoch, 0).permutation(images)
            }
        };
        let start = progress.step * self.config.batch_size;
        let indices = order.iter().skip(start).take(self.config.batch_size).map(|&index| index as usize).collect();
        self.order = Some((progress.epoch, order));
        indices
    }
}
