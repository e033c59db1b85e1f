//! BERT for question answering on the kernels, as the program trains it, phase by phase.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use flex_kernels::layers::Dropout;
use models::bert::{BertConfig, BertForQuestionAnswering, PackedTokens};
use models::question_answering::{QaTokenizer, WindowOptions};
use models::weights::Checkpoint;
use serde_json::{Value, json};
use train::device::DeviceKind;
use train::question_answering::adamw::{AdamW, ModuleAdamW, Now, clip};
use train::question_answering::config::Config;
use train::question_answering::data::{Data, Source, batches};
use train::question_answering::training::dropout;
use train::random::{Generator, Purpose};
use train::schedule::linear;

use crate::Arguments;
use crate::worker::{cpu_seconds, matrix_peak, peak_mib};

/// Obeys each line of standard input, and answers each with a line of JSON.
pub fn serve(arguments: &Arguments) -> Result<()> {
    let mut training = Training::new(arguments)?;
    for order in std::io::stdin().lock().lines() {
        let order = order?;
        let words: Vec<&str> = order.split_whitespace().collect();
        let answer = match words[..] {
            ["steps", count] => {
                let steps;
                (training, steps) = training.steps(count.parse()?)?;
                steps
            }
            ["peak"] => json!({ "gflops": matrix_peak() }),
            _ => bail!("{order} is no order for this network"),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

struct Training {
    network: BertForQuestionAnswering,
    optimizer: ModuleAdamW,
    encoder: BertConfig,
    config: Config,
    data: Data,
    device: Device,
    /// The windows of the steps that are left of this epoch.
    queue: Vec<Vec<usize>>,
    unbucketed: bool,
    /// Steps behind us.
    done: usize,
}

impl Training {
    fn new(arguments: &Arguments) -> Result<Self> {
        let config = Config {
            device: DeviceKind::Flex,
            seed: arguments.seed,
            epochs: 2,
            batch_size: arguments.batch_size(),
            learning_rate: 1e-4,
            warm_up: 0.1,
            optimizer: AdamW { weight_decay: 0.01, ..AdamW::default() },
            clip: 1.0,
            dropout: 0.1,
            length: 384,
            stride: 128,
            hold_out: Some(0.2),
            limit: None,
            dry_run: false,
        };
        let encoder = BertConfig::read(&arguments.encoder.join("config.json"))?;
        let source = Source { learnt: arguments.squad()?, judged: None, hold_out: config.hold_out, limit: None };
        let options = WindowOptions { length: config.length, stride: config.stride };
        let data = source.load(&QaTokenizer::open(&arguments.encoder)?, &options)?;
        let device = Device::flex().autodiff();
        let weights = Checkpoint::open(&arguments.encoder)?;
        let network = BertForQuestionAnswering::to_fine_tune(&encoder, weights, config.seed, &device)?;
        let optimizer = ModuleAdamW::new(config.optimizer.clone());
        let unbucketed = arguments.unbucketed;
        Ok(Self { network, optimizer, encoder, config, data, device, queue: Vec::new(), unbucketed, done: 0 })
    }

    fn steps(mut self, count: usize) -> Result<(Self, Value)> {
        let (mut steps, mut losses) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (times, loss);
            (self, times, loss) = self.one_step()?;
            steps.push(times);
            losses.push(loss.try_into_scalar::<f32>()?);
        }
        let told = json!({ "steps": steps, "losses": losses, "peak_mib": peak_mib(), "cpu_seconds": cpu_seconds() });
        Ok((self, told))
    }

    /// The windows of the next step.
    fn batch(&mut self) -> Option<Vec<usize>> {
        let Config { batch_size, seed, .. } = self.config;
        let per_epoch = self.data.lessons.len().div_ceil(batch_size);
        if self.queue.is_empty() {
            let epoch = self.done / per_epoch;
            self.queue = match self.unbucketed {
                false => batches(&self.data.lessons, batch_size, seed, epoch),
                true => {
                    let order = Generator::new(seed, Purpose::Shuffle, epoch, 0);
                    let order = { order }.permutation(self.data.lessons.len() as u32);
                    order.chunks(batch_size).map(|step| step.iter().map(|&index| index as usize).collect()).collect()
                }
            };
            self.queue.reverse();
        }
        self.queue.pop()
    }

    /// Takes a step, and tells the milliseconds of each phase, and the loss.
    fn one_step(mut self) -> Result<(Self, [f64; 4], Tensor<1>)> {
        let mut times = [0.0; 4];
        let mut started = Instant::now();
        let mut lap = |phase: usize| {
            times[phase] = started.elapsed().as_secs_f64() * 1e3;
            started = Instant::now();
        };
        let batch = self.batch().context("there is nothing to learn from")?;
        let lessons: Vec<_> = batch.iter().filter_map(|&index| self.data.lessons.get(index)).collect();
        let sequences: Vec<_> = lessons.iter().map(|lesson| lesson.sequence()).collect();
        let answers: Vec<_> = lessons.iter().map(|lesson| lesson.answer).collect();
        let tokens = PackedTokens::new(&sequences, &self.encoder)?;
        let steps = self.data.lessons.len().div_ceil(self.config.batch_size);
        let dropout = dropout(&self.config, self.done / steps, self.done % steps);
        let places: Option<&dyn Fn(usize) -> Dropout> = Some(&dropout);
        lap(0);
        let loss = self.network.packed_loss(&tokens, &answers, places, &self.device);
        lap(1);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let loss = loss.inner();
        lap(2);
        let all = self.config.epochs * steps;
        let warm_up = (all as f64 * self.config.warm_up).ceil() as usize;
        let now = Now {
            number: self.done + 1,
            learning_rate: linear(self.config.learning_rate, self.done, warm_up, all),
            clip: clip(&self.network, &gradients, self.config.clip)?,
        };
        self.network = self.optimizer.step(now, self.network, gradients);
        lap(3);
        self.done += 1;
        Ok((self, times, loss))
    }
}
