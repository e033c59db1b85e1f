//! The MNIST CNN as something to train.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use flex_kernels::layers::cross_entropy;
use flex_kernels::operations::collect;
use models::digits::Digits;
use models::mnist_cnn::MnistCnn;
use models::weights::contiguous;

use crate::TrainError;
use crate::mnist::adadelta::ModuleAdadelta;
use crate::mnist::averaging::approach;
use crate::mnist::batch::{Batch, Batcher};
use crate::mnist::config::Config;
use crate::mnist::dropout::dropout_masks;
use crate::mnist::evaluation::{Evaluation, evaluate};
use crate::random::{Generator, Purpose};
use crate::ranks::Ranks;
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
    /// The processes that share it.
    ranks: Option<Ranks<'a>>,
}

impl<'a> DigitTraining<'a> {
    /// On `device`, which needs no autodiff of its own.
    pub fn new(config: &'a Config, data: &'a Data, device: &Device) -> Self {
        let device = device.clone().inner().autodiff();
        Self { config, data, batcher: Batcher::new(&data.train), device, order: None, ranks: None }
    }

    /// The same, shared by several processes; the device must be the CPU.
    pub fn shared(self, ranks: Option<Ranks<'a>>) -> Self {
        Self { ranks, ..self }
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

    /// Some images of an epoch, as it shows them.
    fn batch(&self, epoch: usize, indices: &[usize]) -> Batch {
        match &self.config.augmentation {
            Some(augmentation) if augmentation.distorts(epoch, self.config.epochs) => {
                self.batcher.distorted(indices, augmentation, self.config.seed, epoch, &self.device)
            }
            _ => self.batcher.batch(indices.iter().copied(), &self.device),
        }
    }

    /// The network after a step, and the loss.
    fn learn(
        &mut self,
        network: MnistCnn,
        optimizer: &mut ModuleAdadelta,
        epoch: usize,
        step: usize,
    ) -> Result<(MnistCnn, Tensor<1>), TrainError> {
        let indices = self.indices(epoch, step);
        let dropout = dropout_masks(self.config, epoch, step, indices.len(), &self.device);
        let rate = self.learning_rate(epoch, step);
        let Some(ranks) = self.ranks else {
            let batch = self.batch(epoch, &indices);
            let loss = network.loss(batch.images, batch.labels, dropout);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            return Ok((optimizer.step(rate, network, gradients), loss));
        };
        let whole = indices.len();
        let items: Vec<_> = (0..ranks.size()).map(|rank| ranks.items(rank, whole)).collect();
        let own = items[ranks.rank()].clone();
        // A rank without items does what the others do, and nobody takes notice of it.
        let run = if own.is_empty() { 0..1 } else { own.clone() };
        let batch = self.batch(epoch, &indices[run.clone()]);
        let logits = network.training_logits(batch.images, dropout.of(run.clone()));

        let classes = network.classes();
        let mut all = vec![0.0; whole * classes];
        let values: Vec<f32> = logits.clone().inner().try_into_vec_as()?;
        all[own.start * classes..own.end * classes].copy_from_slice(&values[..own.len() * classes]);
        ranks.gather(&mut all, |rank| items[rank].start * classes..items[rank].end * classes);
        let all = Tensor::<2>::from_data(TensorData::new(all, [whole, classes]), &self.device).require_grad();
        let loss = cross_entropy(all.clone(), self.batcher.labels(&indices, &self.device));
        let gradient = all.grad(&loss.backward()).unwrap_or_else(|| all.inner().zeros_like());
        // The sum of this product has that gradient.
        let product = logits * Tensor::from_inner(gradient.slice([run]));
        let ((), collected) = collect(whole, || drop(product.sum().backward()));
        let gradients = ranks.reduce(collected, &items);
        Ok((optimizer.step_together(rate, network, gradients, ranks), loss))
    }
}

impl Training for DigitTraining<'_> {
    type Config = Config;
    type Model = Model;
    type Evaluation = Evaluation;

    const ITEMS: &'static str = "images";
    const TELLS_SPEED: bool = false;

    fn ranks(&self) -> Option<Ranks<'_>> {
        self.ranks
    }

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
        let (network, loss) = self.learn(network, &mut optimizer, epoch, step)?;
        if let Some(averaging) = self.config.averaging
            && let Some(share) = averaging.share(epoch * self.steps() + step)
        {
            average = average.map(|average| approach(average, &network.valid(), share));
        }
        Ok((Model { network, optimizer, average }, loss))
    }

    fn evaluate(&self, model: &Model, _progress: &dyn Fn(f64)) -> Result<Evaluation, TrainError> {
        let device = self.device.clone().inner();
        evaluate(&model.result(), &self.data.test, self.config.test_batch_size, &device, self.ranks)
    }

    fn tensors(&self, model: &Model) -> Stored {
        let mut tensors = Stored::default();
        tensors.put_module(NETWORK, &model.network);
        if let Some(average) = &model.average {
            tensors.put_module(AVERAGE, average);
        }
        match self.ranks {
            Some(ranks) => model.optimizer.gathered(ranks).store(&mut tensors),
            None => model.optimizer.store(&mut tensors),
        }
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
