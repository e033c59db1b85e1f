//! The MNIST CNN as something to train.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use models::digits::Digits;
use models::mnist_cnn::MnistCnn;
use models::weights::contiguous;

use crate::TrainError;
use crate::mnist::adadelta::ModuleAdadelta;
use crate::mnist::averaging::approach;
use crate::mnist::batch::Batcher;
use crate::mnist::config::Config;
use crate::mnist::dropout::dropout_masks;
use crate::mnist::evaluation::{Evaluation, evaluate};
use crate::random::{Generator, Purpose};
use crate::stored::Stored;
use crate::training::Training;

const NETWORK: &str = "network.";
const AVERAGE: &str = "average.";

/// The digits of a run.
#[derive(Debug, Clone)]
pub struct Data {
    /// What is learnt from, already limited.
    pub train: Digits,
    /// What each epoch is judged by.
    pub test: Digits,
}

/// The network with all that steps change.
#[derive(Debug)]
pub struct Model {
    /// The network, on an autodiff device.
    pub network: MnistCnn,
    /// The optimiser with its memory.
    pub optimizer: ModuleAdadelta,
    /// The average of the network's weights, without autodiff, if the recipe asks for one.
    pub average: Option<MnistCnn>,
}

impl Model {
    /// The network to be judged and kept, without autodiff: the average if there is one.
    pub fn result(&self) -> MnistCnn {
        self.average.clone().unwrap_or_else(|| self.network.valid())
    }
}

/// The recipe over the digits.
#[derive(Debug)]
pub struct DigitTraining<'a> {
    config: &'a Config,
    data: &'a Data,
    batcher: Batcher<'a>,
    device: Device,
    /// The images of one epoch in the order of their use, and which epoch it is.
    order: Option<(usize, Vec<u32>)>,
}

impl<'a> DigitTraining<'a> {
    /// On `device`, which needs no autodiff of its own.
    pub fn new(config: &'a Config, data: &'a Data, device: &Device) -> Self {
        let device = device.clone().inner().autodiff();
        Self { config, data, batcher: Batcher::new(&data.train), device, order: None }
    }

    /// The images of a step.
    fn indices(&mut self, epoch: usize, step: usize) -> Vec<usize> {
        let order = match self.order.take() {
            Some((of, order)) if of == epoch => order,
            _ => {
                let images = self.data.train.len() as u32;
                Generator::new(self.config.seed, Purpose::Shuffle, epoch, 0).permutation(images)
            }
        };
        let size = self.config.batch_size;
        let indices = order.iter().skip(step * size).take(size).map(|&index| index as usize).collect();
        self.order = Some((epoch, order));
        indices
    }
}

impl Training for DigitTraining<'_> {
    type Config = Config;
    type Model = Model;
    type Evaluation = Evaluation;

    const ITEMS: &'static str = "images";
    const TELLS_SPEED: bool = false;

    fn config(&self) -> &Config {
        self.config
    }

    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn items(&self) -> usize {
        self.data.train.len()
    }

    fn batch_size(&self) -> usize {
        self.config.batch_size
    }

    fn is_dry_run(&self) -> bool {
        self.config.dry_run
    }

    fn learning_rate(&self, epoch: usize, step: usize) -> f64 {
        self.config.learning_rate_at(epoch, step, self.data.train.len())
    }

    fn initial(&self) -> Result<Model, TrainError> {
        let network = contiguous(MnistCnn::random_for_classes(self.config.classes, self.config.seed, &self.device));
        let average = self.config.averaging.map(|_| network.valid());
        let optimizer = ModuleAdadelta::new(self.config.optimizer.clone());
        Ok(Model { network, optimizer, average })
    }

    fn step(&mut self, model: Model, epoch: usize, step: usize) -> Result<(Model, Tensor<1>), TrainError> {
        let Model { network, mut optimizer, mut average } = model;
        let indices = self.indices(epoch, step);
        let count = indices.len();
        let batch = match &self.config.augmentation {
            Some(augmentation) if augmentation.distorts(epoch, self.config.epochs) => {
                self.batcher.distorted(&indices, augmentation, self.config.seed, epoch, &self.device)
            }
            _ => self.batcher.batch(indices, &self.device),
        };
        let dropout = dropout_masks(self.config, epoch, step, count, &self.device);

        let loss = network.loss(batch.images, batch.labels, dropout);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let network = optimizer.step(self.learning_rate(epoch, step), network, gradients);
        if let Some(averaging) = self.config.averaging
            && let Some(share) = averaging.share(epoch * self.steps() + step)
        {
            average = average.map(|average| approach(average, &network.valid(), share));
        }
        Ok((Model { network, optimizer, average }, loss))
    }

    fn evaluate(&self, model: &Model, _progress: &dyn Fn(f64)) -> Result<Evaluation, TrainError> {
        evaluate(&model.result(), &self.data.test, self.config.test_batch_size, &self.device.clone().inner())
    }

    fn tensors(&self, model: &Model) -> Stored {
        let mut tensors = Stored::default();
        tensors.put_module(NETWORK, &model.network);
        if let Some(average) = &model.average {
            tensors.put_module(AVERAGE, average);
        }
        model.optimizer.store(&mut tensors);
        tensors
    }

    fn restore(&self, mut tensors: Stored) -> Result<Model, String> {
        let network = tensors.take_module(NETWORK, MnistCnn::for_classes(self.config.classes, &self.device))?;
        let average = self.config.averaging.map(|_| tensors.take_module(AVERAGE, network.valid())).transpose()?;
        let rule = self.config.optimizer.clone();
        let optimizer = ModuleAdadelta::restore(rule, &network, &mut tensors, &self.device.clone().inner())?;
        tensors.nothing_left()?;
        Ok(Model { network, optimizer, average })
    }
}
