//! A training step side by side: the kernels, Burn's own operations, and PyTorch in several settings.
//!
//! ```sh
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python --network bert-qa --squad FILE
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python --time-to 0.99
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python --forward 1,8,64,256
//! ```
//!
//! Each contender is a process of its own, with the same number of threads and the same data, at work on the article's
//! recipe. They take turns, a few steps each, so that whatever else the machine does falls on all alike.

mod burn_network;
mod contender;
mod forward;
mod questions;
mod race;
mod steps;
mod worker;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use worker::Kind;

/// Times the training of a network in turns: the kernels, Burn's own operations, and PyTorch.
#[derive(Parser)]
pub struct Arguments {
    /// The network
    #[arg(long, value_enum, default_value_t = Trained::Digits)]
    network: Trained,
    /// For bert-qa: questions to learn from, in SQuAD's own format
    #[arg(long)]
    squad: Option<PathBuf>,
    /// For bert-qa: the encoder to start from
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/minilm"))]
    encoder: PathBuf,
    /// For bert-qa: windows of any length in a step, which is what costs those who pad
    #[arg(long)]
    unbucketed: bool,
    /// The folder with MNIST
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/mnist"))]
    data: PathBuf,
    /// A Python with PyTorch; without one, PyTorch is left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// Who takes part; by default all that can
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum)]
    contenders: Vec<Kind>,
    /// How often each contender has its turn
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// The steps of a turn
    #[arg(long, default_value_t = 8)]
    steps: usize,
    /// Images or windows in a step [default: mnist 64, bert-qa 16]
    #[arg(long)]
    batch_size: Option<usize>,
    /// Threads of each contender
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The seed of weights, order and dropout
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Train in place of a few steps, until this share of the test digits is recognised
    #[arg(long, value_name = "SHARE", conflicts_with = "forward")]
    time_to: Option<f64>,
    /// Time the forward pass without gradients, at these batch sizes
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    forward: Vec<usize>,
    /// Be a contender, and take orders on standard input
    #[arg(long, hide = true)]
    worker: Option<Kind>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Trained {
    /// The MNIST CNN.
    #[value(name = "mnist")]
    Digits,
    /// BERT for question answering.
    #[value(name = "bert-qa")]
    Questions,
}

impl Trained {
    /// As on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Digits => "mnist",
            Self::Questions => "bert-qa",
        }
    }
}

impl Arguments {
    fn batch_size(&self) -> usize {
        self.batch_size.unwrap_or(match self.network {
            Trained::Digits => 64,
            Trained::Questions => 16,
        })
    }

    fn squad(&self) -> Result<&PathBuf> {
        self.squad.as_ref().context("--squad FILE names the questions to learn from")
    }

    fn contenders(&self) -> Vec<Kind> {
        let steps = self.time_to.is_none() && self.forward.is_empty();
        match (self.contenders.as_slice(), self.network) {
            ([], Trained::Questions) => vec![Kind::Kernels, Kind::Pytorch, Kind::Compiled, Kind::Bf16],
            ([], Trained::Digits) if steps => Kind::value_variants().to_vec(),
            ([], Trained::Digits) => vec![Kind::Kernels, Kind::Burn, Kind::Pytorch],
            (named, _) => named.to_vec(),
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    match (arguments.worker, arguments.time_to) {
        // On a worker thread, as the program trains.
        (Some(kind), _) => rayon::scope(|_| worker::serve(kind, &arguments)),
        (None, Some(share)) => race::run(&arguments, share),
        (None, None) if arguments.forward.is_empty() => steps::run(&arguments),
        (None, None) => forward::run(&arguments),
    }
}

/// The quantile of some times.
fn quantile(mut times: Vec<f64>, share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((share * times.len() as f64) as usize).or(times.last()).copied().unwrap_or(f64::NAN)
}
