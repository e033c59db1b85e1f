//! A contender in a process of its own, seen from inside.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use clap::ValueEnum;
use flex_kernels::linear::{Activation, LinearShape, Weights, forward};
use flex_kernels::simd::Isa;
use models::digits::{Digits, Split};
use models::mnist_cnn::{CLASSES, DropoutMasks, MnistCnn};
use models::weights::contiguous;
use serde_json::{Value, json};
use train::mnist::adadelta::{Adadelta, ModuleAdadelta};
use train::mnist::batch::Batcher;
use train::mnist::config::Config;
use train::mnist::dropout::dropout_masks;
use train::random::{Generator, Purpose};

use crate::burn_network::BurnNetwork;
use crate::{Arguments, Trained, questions};

/// Who trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The network as it is, on the kernels.
    Kernels,
    /// The same network out of Burn's own operations, as flex runs them.
    Burn,
    /// PyTorch, which is another program, as it is by default.
    Pytorch,
    /// PyTorch with its images channels last.
    ChannelsLast,
    /// PyTorch through `torch.compile`.
    Compiled,
    /// PyTorch in bfloat16 where autocast finds it safe, with images channels last.
    Bf16,
}

impl Kind {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernels => "kernels",
            Self::Burn => "burn",
            Self::Pytorch => "pytorch",
            Self::ChannelsLast => "channels-last",
            Self::Compiled => "compiled",
            Self::Bf16 => "bf16",
        }
    }

    /// How PyTorch runs it; `None` where that is another.
    pub fn pytorch_mode(self) -> Option<&'static str> {
        match self {
            Self::Kernels | Self::Burn => None,
            Self::Pytorch => Some("eager"),
            Self::ChannelsLast => Some("channels_last"),
            Self::Compiled => Some("compiled"),
            Self::Bf16 => Some("bf16"),
        }
    }

    /// Whether all of its arithmetic is in float32.
    pub fn is_float32(self) -> bool {
        self != Self::Bf16
    }
}

/// Obeys each line of standard input, and answers each with a line of JSON.
pub fn serve(kind: Kind, arguments: &Arguments) -> Result<()> {
    let device = Device::flex().autodiff();
    if arguments.network == Trained::Questions {
        return questions::serve(arguments);
    }
    match kind {
        Kind::Kernels => {
            let network = contiguous(MnistCnn::random(arguments.seed, &device));
            obey(Training::new(network, arguments)?)
        }
        Kind::Burn => {
            device.seed(arguments.seed);
            obey(Training::new(BurnNetwork::new(&device), arguments)?)
        }
        _ => bail!("PyTorch trains in pytorch.py"),
    }
}

fn obey(mut training: Training<impl Network>) -> Result<()> {
    for order in std::io::stdin().lock().lines() {
        let order = order?;
        let words: Vec<&str> = order.split_whitespace().collect();
        let answer = match words[..] {
            ["steps", count] => {
                let steps;
                (training, steps) = training.steps(count.parse()?);
                steps
            }
            ["test"] => training.test()?,
            ["forward", count, size] => training.forward(count.parse()?, size.parse()?)?,
            ["peak"] => json!({ "gflops": matrix_peak() }),
            _ => bail!("{order} is no order"),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// The MNIST CNN, however it is made.
trait Network: Module {
    /// What training minimises.
    fn loss(&self, images: Tensor<4>, labels: Tensor<1, Int>, dropout: DropoutMasks) -> Tensor<1>;
    /// The logarithms of the class probabilities.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}

impl Network for MnistCnn {
    fn loss(&self, images: Tensor<4>, labels: Tensor<1, Int>, dropout: DropoutMasks) -> Tensor<1> {
        self.loss(images, labels, dropout)
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }
}

impl Network for BurnNetwork {
    fn loss(&self, images: Tensor<4>, labels: Tensor<1, Int>, dropout: DropoutMasks) -> Tensor<1> {
        self.loss(images, labels, dropout)
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }
}

/// A training by the article's recipe.
struct Training<N> {
    network: N,
    optimizer: ModuleAdadelta,
    config: Config,
    train: Digits,
    test: Digits,
    /// The order of the images in this epoch.
    order: Vec<u32>,
    epoch: usize,
    /// Steps behind us in this epoch.
    step: usize,
}

impl<N: Network> Training<N> {
    fn new(network: N, arguments: &Arguments) -> Result<Self> {
        let read = |split| Digits::read(Path::new(&arguments.data), split).context("there is no MNIST");
        let config = Config { seed: arguments.seed, batch_size: arguments.batch_size(), ..Config::article() };
        let (train, test) = (read(Split::Train)?, read(Split::Test)?);
        let optimizer = ModuleAdadelta::new(Adadelta::default());
        Ok(Self { network, optimizer, config, train, test, order: Vec::new(), epoch: 0, step: 0 })
    }

    fn steps(mut self, count: usize) -> (Self, Value) {
        let (mut steps, mut losses) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (times, loss);
            (self, times, loss) = self.one_step();
            steps.push(times);
            losses.push(loss);
        }
        let losses: Vec<f32> = losses.into_iter().filter_map(|loss| loss.try_into_scalar().ok()).collect();
        (self, json!({ "steps": steps, "losses": losses, "peak_mib": peak_mib(), "cpu_seconds": cpu_seconds() }))
    }

    /// Takes a step, and tells the milliseconds of each phase, and the loss.
    fn one_step(mut self) -> (Self, [f64; 4], Tensor<1>) {
        let (device, batcher) = (Device::flex().autodiff(), Batcher::new(&self.train));
        let mut times = [0.0; 4];
        let mut started = Instant::now();
        let mut lap = |phase: usize| {
            times[phase] = started.elapsed().as_secs_f64() * 1e3;
            started = Instant::now();
        };
        if self.step == 0 {
            let generator = &mut Generator::new(self.config.seed, Purpose::Shuffle, self.epoch, 0);
            self.order = generator.permutation(self.train.len() as u32);
        }
        let size = self.config.batch_size;
        let indices: Vec<usize> =
            self.order.iter().skip(self.step * size).take(size).map(|&index| index as usize).collect();
        let count = indices.len();
        let batch = batcher.batch(indices, &device);
        let dropout = dropout_masks(&self.config, self.epoch, self.step, count, &device);
        lap(0);
        let loss = self.network.loss(batch.images, batch.labels, dropout);
        lap(1);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let loss = loss.inner();
        lap(2);
        let rate = self.config.learning_rate_at(self.epoch, self.step, self.train.len());
        self.network = self.optimizer.step(rate, self.network, gradients);
        lap(3);
        self.step += 1;
        if self.step == self.config.steps_per_epoch(self.train.len()) {
            (self.epoch, self.step) = (self.epoch + 1, 0);
        }
        (self, times, loss)
    }

    fn test(&self) -> Result<Value> {
        let (network, batcher) = (self.network.valid(), Batcher::new(&self.test));
        let (total, mut correct) = (self.test.len(), 0);
        for start in (0..total).step_by(self.config.test_batch_size) {
            let indices = start..total.min(start + self.config.test_batch_size);
            let labels = &self.test.labels()[indices.clone()];
            let rows: Vec<f32> = network.forward(batcher.batch(indices, &Device::flex()).images).try_into_vec_as()?;
            for (row, &label) in rows.chunks_exact(CLASSES).zip(labels) {
                let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(digit, _)| digit);
                correct += usize::from(best == Some(usize::from(label)));
            }
        }
        Ok(json!({ "correct": correct, "total": total, "cpu_seconds": cpu_seconds() }))
    }

    fn forward(&self, count: usize, size: usize) -> Result<Value> {
        let network = self.network.valid();
        let images = Batcher::new(&self.test).batch(0..size, &Device::flex()).images;
        let mut passes = Vec::new();
        for _ in 0..count {
            let started = Instant::now();
            let rows: Vec<f32> = network.forward(images.clone()).try_into_vec_as()?;
            passes.push(started.elapsed().as_secs_f64() * 1e3);
            std::hint::black_box(rows);
        }
        Ok(json!({ "passes": passes }))
    }
}

/// The most memory that this process ever had, as Linux counts it; zero elsewhere.
pub fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The processor time of this process, as Linux counts it in hundredths of a second; zero elsewhere.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The speed of the kernels' own matrix product at a size that suits it, in GFLOP/s.
pub fn matrix_peak() -> f64 {
    let shape = LinearShape { rows: 516, inputs: 2048, outputs: 1024 };
    let [input, weights] = [shape.rows * shape.inputs, shape.inputs * shape.outputs].map(|length| vec![0.5; length]);
    let (bias, mut out) = (vec![0.0; shape.outputs], vec![0.0; shape.rows * shape.outputs]);
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let started = Instant::now();
        forward(
            Isa::best(),
            shape,
            Activation::Identity,
            &input,
            Weights::Plain(&weights),
            Some(&bias),
            None,
            &mut out,
        );
        best = best.min(started.elapsed().as_secs_f64());
    }
    2.0 * (shape.rows * shape.inputs * shape.outputs) as f64 / best / 1e9
}
