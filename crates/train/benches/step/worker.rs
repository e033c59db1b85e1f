//! A contender in a process of its own.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use clap::ValueEnum;
use flex_kernels::linear::{Activation, LinearShape, forward};
use flex_kernels::simd::Isa;
use models::mnist_cnn::{DropoutMasks, MnistCnn};
use models::mnist_digits::{Digits, Split};
use serde_json::json;
use train::adadelta::{Adadelta, ModuleAdadelta};
use train::batch::Batcher;
use train::config::Config;
use train::dropout::dropout_masks;

use crate::burn_network::BurnNetwork;

/// Who trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    /// The network as it is, on the kernels.
    Kernels,
    /// The same network out of Burn's own operations, as flex runs them.
    Burn,
}

/// Takes as many steps as each line of standard input says, and answers with their times.
pub fn serve(contender: Contender, data: &Path, batch_size: usize) -> Result<()> {
    let digits = Digits::read(data, Split::Train).context("there is no MNIST")?;
    let device = Device::flex().autodiff();
    match contender {
        Contender::Kernels => {
            let network = models::weights::contiguous(MnistCnn::random(1, &device));
            turns(network, &digits, batch_size, |network, images, labels, dropout| {
                network.loss(images, labels, dropout)
            })
        }
        Contender::Burn => turns(BurnNetwork::new(&device), &digits, batch_size, BurnNetwork::loss),
    }
}

fn turns<M: Module>(
    mut network: M,
    digits: &Digits,
    batch_size: usize,
    loss: impl Fn(&M, Tensor<4>, Tensor<1, Int>, DropoutMasks) -> Tensor<1>,
) -> Result<()> {
    let device = Device::flex().autodiff();
    let (config, batcher) = (Config::default(), Batcher::new(digits));
    let mut optimizer = ModuleAdadelta::new(Adadelta::default());
    let mut done = 0;
    for order in std::io::stdin().lock().lines() {
        let mut steps = Vec::new();
        for _ in 0..order?.trim().parse::<usize>()? {
            let mut times = [0.0; 4];
            let mut started = Instant::now();
            let mut lap = |phase: usize| {
                times[phase] = started.elapsed().as_secs_f64() * 1e3;
                started = Instant::now();
            };
            // A stride that visits the digits out of their order.
            let indices = (0..batch_size).map(|image| (done * batch_size + image) * 7919 % digits.len());
            let batch = batcher.batch(indices, &device);
            let dropout = dropout_masks(&config, 0, done, batch_size, &device);
            lap(0);
            let loss = loss(&network, batch.images, batch.labels, dropout);
            lap(1);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            lap(2);
            network = optimizer.step(1.0, network, gradients);
            lap(3);
            steps.push(times);
            done += 1;
        }
        let answer = json!({ "steps": steps, "peak_mib": peak_mib(), "cpu_seconds": cpu_seconds() });
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// The most memory that this process ever had, as Linux counts it; zero elsewhere.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The processor time of this process, as Linux counts it in hundredths of a second; zero elsewhere.
fn cpu_seconds() -> f64 {
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
        forward(Isa::best(), shape, Activation::Identity, &input, &weights, &bias, None, &mut out);
        best = best.min(started.elapsed().as_secs_f64());
    }
    2.0 * (shape.rows * shape.inputs * shape.outputs) as f64 / best / 1e9
}
