//! Training the MNIST CNN: the kernels, Burn's own operations, and PyTorch, side by side.
//!
//! ```sh
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python --time-to 0.99
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python --forward 1,8,64,256
//! ```
//!
//! Each contender is a process of its own, with the same number of threads and the same data, at work on the article's
//! recipe. They take turns, a few steps each, so that whatever else the machine does falls on all alike.

mod burn_network;
mod contender;
mod forward;
mod race;
mod steps;
mod worker;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Times the training of the MNIST CNN in turns: the kernels, Burn's own operations, and PyTorch.
#[derive(Parser)]
pub struct Arguments {
    /// The folder with MNIST
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/mnist"))]
    data: PathBuf,
    /// A Python with PyTorch; without one, PyTorch is left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// Who takes part
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum, default_value = "kernels,burn,pytorch")]
    contenders: Vec<worker::Kind>,
    /// How often each contender has its turn
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// The steps of a turn
    #[arg(long, default_value_t = 8)]
    steps: usize,
    /// Images in a step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
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
    worker: Option<worker::Kind>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
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
