//! Trains variants of a recipe on 55,000 training digits and judges them by the other 5,000; the test set is not opened.
//!
//! cargo run --release -p train --example ablation -- --epochs 4 modern no-distortion less-dropout

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::Device;
use clap::Parser;
use models::mnist_digits::{Digits, Split};
use train::augmentation::Augmentation;
use train::averaging::Averaging;
use train::config::Config;
use train::evaluation::evaluate;
use train::schedule::Schedule;
use train::training::{Data, Trainer};

/// The training digits that are learnt from.
const LEARNT: usize = 55_000;

/// Judge variants of the modern recipe by training digits that are held out.
#[derive(Parser)]
struct Arguments {
    /// Passes over the training digits: schedules end with the last one.
    #[arg(long, default_value_t = 4)]
    epochs: usize,
    /// The seeds to train with.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// The folder with MNIST.
    #[arg(long, default_value = "datasets/mnist")]
    data: PathBuf,
    /// The variants, by name.
    #[arg(required = true)]
    variants: Vec<String>,
}

/// The recipe of a name: the modern one with one change.
fn variant(name: &str) -> Result<Config> {
    let modern = Config::modern();
    let bounds = |angle, scale, shift, bend| Some(Augmentation { rotation: angle, shear: angle, scale, shift, bend });
    Ok(match name {
        "article" => Config::article(),
        "modern" => modern,
        "no-distortion" => Config { augmentation: None, ..modern },
        "half-distortion" => Config { augmentation: bounds(5.0, 0.05, 1.0, 0.5), ..modern },
        "no-bends" => Config { augmentation: bounds(10.0, 0.1, 2.0, 0.0), ..modern },
        "double-bends" => Config { augmentation: bounds(10.0, 0.1, 2.0, 2.0), ..modern },
        "more-distortion" => Config { augmentation: bounds(15.0, 0.15, 3.0, 1.5), ..modern },
        "step-schedule" => Config { schedule: Schedule::Step { gamma: 0.7 }, ..modern },
        "half-rate" => Config { learning_rate: 0.5, ..modern },
        "double-rate" => Config { learning_rate: 2.0, ..modern },
        "batch-32" => Config { batch_size: 32, ..modern },
        "batch-128" => Config { batch_size: 128, ..modern },
        "double-dropout" => Config { channel_dropout: 0.25, hidden_dropout: 0.5, ..modern },
        "no-dropout" => Config { channel_dropout: 0.0, hidden_dropout: 0.0, ..modern },
        "long-average" => Config { averaging: Some(Averaging { horizon: 1000.0, every: 10 }), ..modern },
        _ => bail!("there is no variant {name}: see the list in examples/ablation.rs"),
    })
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let recipes = arguments.variants.iter().map(|name| Ok((name, variant(name)?))).collect::<Result<Vec<_>>>()?;
    let mut train = Digits::read(&arguments.data, Split::Train).context("no usable MNIST")?;
    let held_out = train.split_off(LEARNT);
    let data = Data { train, test: held_out };
    let device = Device::flex();
    println!("variant          seed  epoch  seconds  train loss  held-out loss  errors  of the last weights");
    for (name, recipe) in recipes {
        for &seed in &arguments.seeds {
            let config = Config { seed, epochs: arguments.epochs, ..recipe.clone() };
            let mut trainer = Trainer::new(&config, &data, &device);
            let mut state = trainer.initial();
            while state.progress.epoch < config.epochs {
                while state.progress.step < trainer.steps() {
                    state = trainer.step(state);
                }
                let last = evaluate(&state.network.valid(), &data.test, config.test_batch_size, &device)?;
                state = trainer.finish_epoch(state)?;
                let Some(epoch) = state.progress.epochs.last() else { continue };
                println!(
                    "{name:<16} {seed:>4} {:>6} {:>8.1} {:>11.4} {:>14.5} {:>7} {:>8} ({:.5})",
                    state.progress.epoch,
                    epoch.seconds,
                    epoch.train_loss,
                    epoch.test.loss,
                    epoch.test.total - epoch.test.correct,
                    last.total - last.correct,
                    last.loss,
                );
            }
        }
    }
    Ok(())
}
