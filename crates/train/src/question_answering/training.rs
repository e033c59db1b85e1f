//! BERT for question answering as something to train.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use flex_kernels::layers::Dropout;
use models::bert::{BertConfig, BertForQuestionAnswering, PackedTokens};
use models::weights::Checkpoint;

use crate::TrainError;
use crate::question_answering::adamw::{ModuleAdamW, Now, clip};
use crate::question_answering::config::Config;
use crate::question_answering::data::{Data, batches};
use crate::question_answering::evaluation::{Evaluation, Examinee};
use crate::random::{Generator, Purpose};
use crate::schedule::linear;
use crate::stored::Stored;
use crate::training::Training;

const NETWORK: &str = "network.";

/// Questions that a dry run is judged by.
const DRY: usize = 16;

/// The network with all that steps change.
#[derive(Debug)]
pub struct Model {
    /// The network, on an autodiff device.
    pub network: BertForQuestionAnswering,
    /// The optimiser with its memory.
    pub optimizer: ModuleAdamW,
}

/// The encoder that a training starts from.
#[derive(Debug, Clone)]
pub struct Encoder {
    /// Its sizes.
    pub config: BertConfig,
    /// Its weights, and perhaps those of a head.
    pub weights: Checkpoint,
    /// The files that the result's folder takes over, changed or not: configuration and tokenizer.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// The recipe over the windows.
#[derive(Debug)]
pub struct QuestionTraining<'a> {
    pub(super) config: &'a Config,
    pub(super) encoder: &'a Encoder,
    pub(super) data: &'a Data,
    device: Device,
    /// The windows of each step of one epoch, and which epoch it is.
    batches: Option<(usize, Vec<Vec<usize>>)>,
}

impl<'a> QuestionTraining<'a> {
    /// On `device`, which needs no autodiff of its own.
    pub fn new(config: &'a Config, encoder: &'a Encoder, data: &'a Data, device: &Device) -> Self {
        Self { config, encoder, data, device: device.clone().inner().autodiff(), batches: None }
    }

    /// The windows of a step.
    fn batch(&mut self, epoch: usize, step: usize) -> Vec<usize> {
        let steps = match self.batches.take() {
            Some((of, batches)) if of == epoch => batches,
            _ => batches(&self.data.lessons, self.config.batch_size, self.config.seed, epoch),
        };
        let batch = steps.get(step).cloned().unwrap_or_default();
        self.batches = Some((epoch, steps));
        batch
    }

    /// The steps of the whole run.
    fn all_steps(&self) -> usize {
        self.config.epochs * self.steps()
    }
}

/// What dropout does at each place of the network in a step.
pub fn dropout(config: &Config, epoch: usize, step: usize) -> impl Fn(usize) -> Dropout + use<> {
    let (rate, seed) = (config.dropout, config.seed);
    move |place| {
        let mut keys = Generator::new(seed, Purpose::Dropout, epoch, step);
        let key = (0..=place).fold(0, |_, _| keys.key());
        Dropout::new(rate, key)
    }
}

impl Training for QuestionTraining<'_> {
    type Config = Config;
    type Model = Model;
    type Evaluation = Evaluation;

    const ITEMS: &'static str = "windows";
    const TELLS_SPEED: bool = true;

    fn config(&self) -> &Config {
        self.config
    }

    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn items(&self) -> usize {
        self.data.lessons.len()
    }

    fn batch_size(&self) -> usize {
        self.config.batch_size
    }

    fn is_dry_run(&self) -> bool {
        self.config.dry_run
    }

    fn learning_rate(&self, epoch: usize, step: usize) -> f64 {
        let steps = self.all_steps();
        // As `transformers` rounds.
        let warm_up = (steps as f64 * self.config.warm_up).ceil() as usize;
        linear(self.config.learning_rate, epoch * self.steps() + step, warm_up, steps)
    }

    fn initial(&self) -> Result<Model, TrainError> {
        let Encoder { config, weights, .. } = self.encoder;
        let network = BertForQuestionAnswering::to_fine_tune(config, weights.clone(), self.config.seed, &self.device)?;
        Ok(Model { network, optimizer: ModuleAdamW::new(self.config.optimizer.clone()) })
    }

    fn step(&mut self, model: Model, epoch: usize, step: usize) -> Result<(Model, Tensor<1>), TrainError> {
        let Model { network, mut optimizer } = model;
        let batch = self.batch(epoch, step);
        let lessons: Vec<_> = batch.iter().filter_map(|&index| self.data.lessons.get(index)).collect();
        let sequences: Vec<_> = lessons.iter().map(|lesson| lesson.sequence()).collect();
        let answers: Vec<_> = lessons.iter().map(|lesson| lesson.answer).collect();
        let tokens = PackedTokens::new(&sequences, &self.encoder.config)?;
        let dropout = dropout(self.config, epoch, step);
        let places: Option<&dyn Fn(usize) -> Dropout> = if self.config.dropout > 0.0 { Some(&dropout) } else { None };

        let loss = network.packed_loss(&tokens, &answers, places, &self.device);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let now = Now {
            number: epoch * self.steps() + step + 1,
            learning_rate: self.learning_rate(epoch, step),
            clip: clip(&network, &gradients, self.config.clip)?,
        };
        let network = optimizer.step(now, network, gradients);
        Ok((Model { network, optimizer }, loss))
    }

    fn evaluate(&self, model: &Model, progress: &dyn Fn(f64)) -> Result<Evaluation, TrainError> {
        let examinee = Examinee {
            network: &model.network.valid(),
            config: &self.encoder.config,
            batch_size: self.config.batch_size,
            device: &self.device.clone().inner(),
        };
        let exam = &self.data.exam;
        examinee.judge(if self.config.dry_run { &exam[..exam.len().min(DRY)] } else { exam }, progress)
    }

    fn tensors(&self, model: &Model) -> Stored {
        let mut tensors = Stored::default();
        tensors.put_module(NETWORK, &model.network);
        model.optimizer.store(&mut tensors);
        tensors
    }

    fn restore(&self, mut tensors: Stored) -> Result<Model, String> {
        let network = BertForQuestionAnswering::new(&self.encoder.config, &self.device);
        let network = tensors.take_module(NETWORK, network)?;
        let rule = self.config.optimizer.clone();
        let optimizer = ModuleAdamW::restore(rule, &network, &mut tensors, &self.device.clone().inner())?;
        tensors.nothing_left()?;
        Ok(Model { network, optimizer })
    }
}
