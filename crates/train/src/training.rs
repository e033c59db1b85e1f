//! The training loop, step by step, for any network.

use std::fmt::Debug;
use std::time::Instant;

use burn::tensor::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::ranks::Ranks;
use crate::stored::Stored;

/// What is learnt: a network with its recipe and its data.
///
/// What a step does is a function of the model, the epoch and the step's place in it: nothing else may be remembered, so that a
/// resumed run does what an uninterrupted one does.
pub trait Training {
    /// What the trained weights depend on, besides the data.
    type Config: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// All that steps change: the network, on an autodiff device, its optimiser, averages.
    type Model: Debug;
    /// What is found after an epoch.
    type Evaluation: Evaluation;

    /// What is learnt from, in the plural: `images`.
    const ITEMS: &'static str;
    /// Whether the lines of a report that nobody watches tell the speed as well.
    const TELLS_SPEED: bool;

    /// The configuration.
    fn config(&self) -> &Self::Config;
    /// Passes over the data.
    fn epochs(&self) -> usize;
    /// Items to learn from.
    fn items(&self) -> usize;
    /// Items in a step; the last one of an epoch takes what is left.
    fn batch_size(&self) -> usize;
    /// Whether an epoch is a single step.
    fn is_dry_run(&self) -> bool;
    /// The learning rate of a step, both counted from zero.
    fn learning_rate(&self, epoch: usize, step: usize) -> f64;
    /// The model before the first step.
    ///
    /// # Errors
    /// When the weights to start from cannot be read.
    fn initial(&self) -> Result<Self::Model, TrainError>;
    /// Learns from the batch of a step. The loss `[1]` is the mean over the batch, and may still be on the device.
    ///
    /// # Errors
    /// When the batch does not suit the network.
    fn step(&mut self, model: Self::Model, epoch: usize, step: usize) -> Result<(Self::Model, Tensor<1>), TrainError>;
    /// Judges a model by what it has not learnt from. `progress` is told which share is done.
    ///
    /// # Errors
    /// When the device fails, or somebody interrupts it.
    fn evaluate(&self, model: &Self::Model, progress: &dyn Fn(f64)) -> Result<Self::Evaluation, TrainError>;
    /// Every tensor of a model.
    fn tensors(&self, model: &Self::Model) -> Stored;
    /// The model that these tensors are, or what is wrong with them.
    ///
    /// # Errors
    /// When a tensor is missing, is left over, or has another shape.
    fn restore(&self, tensors: Stored) -> Result<Self::Model, String>;

    /// The processes that share it, if several do. Each does everything here at the same time.
    fn ranks(&self) -> Option<Ranks<'_>> {
        None
    }

    /// Steps in an epoch.
    fn steps(&self) -> usize {
        if self.is_dry_run() { 1 } else { self.items().div_ceil(self.batch_size()) }
    }

    /// Items that the first `steps` of an epoch use.
    fn used(&self, steps: usize) -> usize {
        self.items().min(steps * self.batch_size())
    }
}

/// What is found after an epoch.
pub trait Evaluation: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// Its fields in a line of the metrics.
    type Metrics: Serialize;

    /// Its fields in a line of the metrics.
    fn metrics(&self) -> Self::Metrics;
    /// Its line on the terminal.
    fn told(&self) -> String;
}

/// A network in training: everything that the rest of the run depends on, besides configuration and data.
#[derive(Debug)]
pub struct State<M, E> {
    /// The network with its optimiser.
    pub model: M,
    /// How far it has come.
    pub progress: Progress<E>,
}

/// The state of a training.
pub type StateOf<T> = State<<T as Training>::Model, <T as Training>::Evaluation>;

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress<E> {
    /// Epochs behind us: the number of the current one, from zero.
    pub epoch: usize,
    /// Steps behind us in the current epoch.
    pub step: usize,
    /// The sums of the losses of this epoch's items so far, one for each of its [`SECTIONS`].
    pub losses: Vec<f64>,
    /// Seconds spent in this epoch's steps so far.
    pub seconds: f64,
    /// What each epoch behind us came to.
    pub epochs: Vec<Epoch<E>>,
}

impl<E> Default for Progress<E> {
    fn default() -> Self {
        Self { epoch: 0, step: 0, losses: Vec::new(), seconds: 0.0, epochs: Vec::new() }
    }
}

/// The parts of an epoch whose mean losses are kept, for learning curves; an epoch of fewer steps has one a step.
pub const SECTIONS: usize = 20;

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch<E> {
    /// The learning rate that it began with.
    pub learning_rate: f64,
    /// The mean loss of its items, each at the step that used it, with dropout.
    pub train_loss: f64,
    /// The same for each of its [`SECTIONS`].
    pub losses: Vec<f64>,
    /// What was found after it.
    pub test: E,
    /// Items that it used.
    pub items: usize,
    /// How long its steps took, in seconds; the evaluation is not in it.
    pub seconds: f64,
}

/// A loss that may still be on the device.
#[derive(Debug)]
struct Loss {
    /// The mean over the items, `[1]`.
    mean: Tensor<1>,
    items: usize,
    section: usize,
}

/// Runs a [`State`] through a training.
#[derive(Debug)]
pub struct Trainer<T> {
    training: T,
    pending: Vec<Loss>,
}

impl<T: Training> Trainer<T> {
    /// A trainer.
    pub fn new(training: T) -> Self {
        Self { training, pending: Vec::new() }
    }

    /// What it runs.
    pub fn training(&self) -> &T {
        &self.training
    }

    /// The state before the first step.
    ///
    /// # Errors
    /// When the weights to start from cannot be read.
    pub fn initial(&self) -> Result<StateOf<T>, TrainError> {
        Ok(State { model: self.training.initial()?, progress: Progress::default() })
    }

    /// Learns from one batch.
    ///
    /// # Errors
    /// When the batch does not suit the network.
    pub fn step(&mut self, state: StateOf<T>) -> Result<StateOf<T>, TrainError> {
        let started = Instant::now();
        let State { model, mut progress } = state;
        let Progress { epoch, step, .. } = progress;
        let (model, loss) = self.training.step(model, epoch, step)?;
        let items = self.training.used(step + 1) - self.training.used(step);
        self.pending.push(Loss { mean: loss.inner(), items, section: self.section(step) });
        progress.step += 1;
        progress.seconds += started.elapsed().as_secs_f64();
        Ok(State { model, progress })
    }

    /// Brings the losses of the last steps into `state`, and returns the last one. An accelerator has to wait for it.
    ///
    /// # Errors
    /// When the device fails, or the loss is no longer a number.
    pub fn read_losses(&mut self, state: &mut StateOf<T>) -> Result<Option<f64>, TrainError> {
        let started = Instant::now();
        let mut last = None;
        let Progress { epoch, step, losses, seconds, .. } = &mut state.progress;
        for Loss { mean, items, section } in self.pending.drain(..) {
            let loss = f64::from(mean.try_into_scalar::<f32>()?);
            if losses.len() <= section {
                losses.resize(section + 1, 0.0);
            }
            losses[section] += loss * items as f64;
            last = Some(loss);
        }
        if !losses.iter().all(|loss| loss.is_finite()) {
            return Err(TrainError::Diverged { epoch: *epoch + 1, step: *step });
        }
        *seconds += started.elapsed().as_secs_f64();
        Ok(last)
    }

    /// Judges the network after the last step of an epoch, and turns to the next; `judged` is told the share that is done. Where that fails, it can be done again.
    ///
    /// # Errors
    /// As [`read_losses`](Self::read_losses), and when somebody interrupts it.
    pub fn finish_epoch(&mut self, state: &mut StateOf<T>, judged: &dyn Fn(f64)) -> Result<(), TrainError> {
        self.read_losses(state)?;
        let test = self.training.evaluate(&state.model, judged)?;
        let Progress { epoch, ref losses, seconds, .. } = state.progress;
        let items = self.training.used(self.training.steps());
        let steps = 0..self.training.steps();
        let means = losses.iter().enumerate().map(|(section, sum)| {
            let of_section = steps.clone().filter(|step| self.section(*step) == section);
            let items: usize = of_section.map(|step| self.training.used(step + 1) - self.training.used(step)).sum();
            sum / items as f64
        });
        let epoch_ended = Epoch {
            learning_rate: self.training.learning_rate(epoch, 0),
            train_loss: losses.iter().sum::<f64>() / items as f64,
            losses: means.collect(),
            test,
            items,
            seconds,
        };
        let mut epochs = std::mem::take(&mut state.progress.epochs);
        epochs.push(epoch_ended);
        state.progress = Progress { epoch: epoch + 1, epochs, ..Progress::default() };
        Ok(())
    }

    /// The part of an epoch that a step lies in.
    fn section(&self, step: usize) -> usize {
        let steps = self.training.steps();
        step * SECTIONS.min(steps) / steps
    }
}
