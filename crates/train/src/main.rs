//! Trains the MNIST CNN.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact::interrupt;
use burn::tensor::Device;
use clap::Parser;
use cli::train::{Practice, Recipe, TrainArgs};
use terminal::program::{note, print_line};
use train::checkpoint::Identity;
use train::config::{Config, DeviceKind};
use train::data::{self, Loaded};
use train::run::{Options, Resume, run};
use train::schedule::Schedule;

#[derive(Parser)]
#[command(name = "train", version)]
struct Arguments {
    #[command(flatten)]
    train: TrainArgs,
}

fn main() -> ExitCode {
    terminal::program::end(execute(Arguments::parse().train).map(|()| ExitCode::SUCCESS))
}

fn execute(arguments: TrainArgs) -> Result<()> {
    interrupt::exit_in_turn(match arguments.no_save_model {
        true => "nothing was kept",
        false => "the same command with --resume goes on from the last checkpoint",
    });
    let recipe = &arguments.recipe;
    let kind = device_kind(recipe);
    let device = device(kind)?;
    if let Some(threads) = recipe.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .context("cannot start the worker threads")?;
    }
    let Loaded { data, classes, hashes, .. } = load(&arguments)?;
    let config = Config { classes: classes.count, first_label: classes.first, ..config(recipe, kind)? };
    let identity = Identity { config, data: hashes };
    let out: Option<PathBuf> = (!arguments.no_save_model).then_some(arguments.out);
    let resume = match (arguments.resume, arguments.in_pipeline) {
        (true, _) => Resume::Required,
        (_, true) => Resume::IfSame,
        _ => Resume::No,
    };
    let options = Options {
        out,
        force: arguments.force,
        resume,
        log_interval: arguments.log_interval,
        checkpoint_interval: Duration::from_secs(arguments.checkpoint_interval),
        revision: arguments.revision,
    };
    // On a worker thread: from any other, each operation would wait for one of them to wake up.
    let outcome = rayon::scope(|_| run(&identity, &data, &device, &options))?;
    if let Some(saved) = outcome.saved {
        print_line(format_args!("Saved {} (SHA-256 {})", saved.model.display(), saved.digest))?;
    }
    Ok(())
}

fn config(recipe: &Recipe, device: DeviceKind) -> Result<Config> {
    let practice = match (recipe.recipe, recipe.gamma) {
        (Practice::Article, None) => Config::article(),
        (Practice::Article, Some(gamma)) => Config { schedule: Schedule::Step { gamma }, ..Config::article() },
        (Practice::Modern, None) => Config::modern(),
        (Practice::Modern, Some(_)) => {
            bail!("--gamma belongs to the article's recipe: the modern one has another schedule")
        }
    };
    Ok(Config {
        device,
        seed: recipe.seed,
        epochs: recipe.epochs,
        batch_size: recipe.batch_size,
        test_batch_size: recipe.test_batch_size,
        learning_rate: recipe.lr,
        limit: recipe.limit,
        dry_run: recipe.dry_run,
        ..practice
    })
}

fn device_kind(recipe: &Recipe) -> DeviceKind {
    match recipe.on_cuda() {
        true => DeviceKind::Cuda,
        false => DeviceKind::Flex,
    }
}

fn device(kind: DeviceKind) -> Result<Device> {
    match kind {
        DeviceKind::Flex => Ok(Device::flex()),
        #[cfg(feature = "cuda")]
        DeviceKind::Cuda => cuda(),
        #[cfg(not(feature = "cuda"))]
        DeviceKind::Cuda => bail!(
            "this program was built without CUDA: `cargo xtask train --device cuda` builds one with it and trains on the GPU, \
             --device flex trains on the CPU"
        ),
    }
}

/// The first NVIDIA GPU, after a small sum on it: CUDA's libraries are loaded at the first use, and Burn panics where they
/// are missing.
#[cfg(feature = "cuda")]
fn cuda() -> Result<Device> {
    use std::panic;

    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let sum = panic::catch_unwind(|| {
        let device = Device::cuda(0);
        let sum = burn::tensor::Tensor::<1>::ones([2], &device).sum().try_into_scalar::<f32>();
        sum.map(|sum| (device, sum)).map_err(|error| error.to_string())
    });
    panic::set_hook(hook);
    let reason = match sum {
        Ok(Ok((device, 2.0))) => return Ok(device),
        Ok(Ok((_, sum))) => format!("it says that 1 + 1 is {sum}"),
        Ok(Err(reason)) => reason,
        Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(reason), _) => reason.clone(),
            (_, Some(reason)) => (*reason).to_owned(),
            _ => "it gives no reason".to_owned(),
        },
    };
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    bail!(
        "CUDA cannot be used: install NVIDIA's driver and CUDA's runtime compiler, or train with --device flex ({reason})"
    )
}

/// The data set with as many training images as are asked for.
fn load(arguments: &TrainArgs) -> Result<Loaded> {
    let mut loaded = data::load(&arguments.data)?;
    if loaded.manifest.is_none() {
        let data = arguments.data.display();
        note(format_args!("note: no manifest declares {data}; its files are your own, and are taken as they are"));
    }
    let train = &mut loaded.data.train;
    if let Some(limit) = arguments.recipe.limit
        && limit > train.len()
    {
        bail!("--limit {limit} asks for more than the {} training images that there are", train.len());
    }
    train.truncate(arguments.recipe.limit.unwrap_or(usize::MAX));
    Ok(loaded)
}
