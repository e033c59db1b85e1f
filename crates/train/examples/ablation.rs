//! Trains variants of a recipe on 55,000 training digits and judges them by the other 5,000; the test set is not opened.
//!
//! ```sh
//! cargo run --release -p train --example ablation -- --epochs 4 modern augmentation=null "batch_size=32 hidden_dropout=0"
//! ```

use std::path::PathBuf;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::Device;
use clap::Parser;
use models::digits::{Digits, Split};
use train::mnist::config::Config;
use train::mnist::evaluation::evaluate;
use train::mnist::training::{Data, DigitTraining};
use train::training::{Trainer, Training};

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
    /// The variants: `article`, `modern`, or changes to the modern recipe, as in `hidden_dropout=0 augmentation.shift=1`.
    #[arg(required = true)]
    variants: Vec<String>,
}

/// A recipe by name, or the modern one with changes: `augmentation.bend=2 batch_size=32`. The fields are those of
/// [`Config`] as `config.json` has them.
fn variant(name: &str) -> Result<Config> {
    match name {
        "article" => return Ok(Config::article()),
        "modern" => return Ok(Config::modern()),
        _ => {}
    }
    let mut recipe = serde_json::to_value(Config::modern())?;
    for change in name.split_whitespace() {
        let (path, value) =
            change.split_once('=').with_context(|| format!("{change} is no recipe and no FIELD=VALUE"))?;
        let pointer = format!("/{}", path.replace('.', "/"));
        let field = recipe.pointer_mut(&pointer).with_context(|| format!("the modern recipe has no field {path}"))?;
        *field = serde_json::from_str(value).with_context(|| format!("{path}: {value} is not JSON"))?;
    }
    serde_json::from_value(recipe).with_context(|| format!("{name} is no recipe"))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let recipes = arguments.variants.iter().map(|name| Ok((name, variant(name)?))).collect::<Result<Vec<_>>>()?;
    let mut train = Digits::read(&arguments.data, Split::Train).context("no usable MNIST")?;
    let held_out = train.split_off(LEARNT);
    let data = Data { train, test: held_out };
    let device = Device::flex();
    println!(
        "variant                                  seed  epoch  seconds  train loss  held-out loss  errors  of the last weights"
    );
    for (name, recipe) in recipes {
        for &seed in &arguments.seeds {
            let config = Config { seed, epochs: arguments.epochs, ..recipe.clone() };
            let mut trainer = Trainer::new(DigitTraining::new(&config, &data, &device));
            let mut state = trainer.initial()?;
            while state.progress.epoch < config.epochs {
                while state.progress.step < trainer.training().steps() {
                    state = trainer.step(state)?;
                }
                let last = evaluate(&state.model.network.valid(), &data.test, config.test_batch_size, &device, None)?;
                trainer.finish_epoch(&mut state, &|_| ())?;
                let Some(epoch) = state.progress.epochs.last() else { continue };
                println!(
                    "{name:<40} {seed:>4} {:>6} {:>8.1} {:>11.4} {:>14.5} {:>7} {:>8} ({:.5})",
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
