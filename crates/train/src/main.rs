//! Trains a network.

use std::process::ExitCode;

use anyhow::{Context, Result};
use artifact::interrupt;
use clap::Parser;
use cli::train::{TrainArgs, Trained};
use terminal::program::print_line;
use train::device::DeviceKind;
use train::{mnist, question_answering};

#[derive(Parser)]
#[command(name = "train", version)]
struct Arguments {
    #[command(flatten)]
    train: TrainArgs,
}

fn main() -> ExitCode {
    terminal::program::end(execute(&Arguments::parse().train.trained()).map(|()| ExitCode::SUCCESS))
}

fn execute(trained: &Trained) -> Result<()> {
    interrupt::exit_in_turn(match trained.run().no_save_model {
        true => "nothing was kept",
        false => "the same command with --resume goes on from the last checkpoint",
    });
    if trained.run().probe {
        let kind = DeviceKind::from(trained.common().device());
        kind.open()?;
        return Ok(print_line(format_args!("{kind} works"))?);
    }
    if let Some(threads) = trained.common().threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .context("cannot start the worker threads")?;
    }
    // On a worker thread: from any other, each operation would wait for one of them to wake up.
    let saved = rayon::scope(|_| match trained {
        Trained::Digits(arguments) => mnist::command::train(arguments),
        Trained::Questions(arguments) => question_answering::command::train(arguments),
    })?;
    if let Some(saved) = saved {
        print_line(format_args!("Saved {} (SHA-256 {})", saved.model.display(), saved.digest))?;
    }
    Ok(())
}
