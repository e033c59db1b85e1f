//! Trains a network.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::interrupt;
use clap::Parser;
use cli::train::{TrainArgs, Trained};
use terminal::program::print_line;
use train::device::DeviceKind;
use train::outputs::Saved;
use train::ranks::Ranks;
use train::{mnist, question_answering};

#[derive(Parser)]
#[command(name = "train", version)]
struct Arguments {
    #[command(flatten)]
    train: TrainArgs,
}

fn main() -> ExitCode {
    let trained = Arguments::parse().train.trained();
    terminal::program::end(execute(&trained).map(|()| ExitCode::SUCCESS))
}

fn execute(trained: &Trained) -> Result<()> {
    match trained.run().mpi {
        true => execute_together(trained),
        false => execute_as(trained, None),
    }
}

#[cfg(feature = "mpi")]
fn execute_together(trained: &Trained) -> Result<()> {
    use train::TrainError;
    use train::ranks::mpi::{World, give_up};

    let world = World::join().map_err(anyhow::Error::msg)?;
    let result = execute_as(trained, Some(Ranks::new(&world)));
    // An interruption ends all of them at the same step; what else fails has failed in one.
    match result.as_ref().map_err(|error| error.downcast_ref::<TrainError>()) {
        Ok(()) | Err(Some(TrainError::Interrupted(_) | TrainError::Report(_))) => result,
        Err(_) => {
            terminal::program::end(result.map(|()| ExitCode::SUCCESS));
            give_up()
        }
    }
}

#[cfg(not(feature = "mpi"))]
fn execute_together(_: &Trained) -> Result<()> {
    bail!("this program was built without MPI: `cargo xtask train --mpi` builds one with it")
}

fn execute_as(trained: &Trained, ranks: Option<Ranks<'_>>) -> Result<()> {
    let first = ranks.is_none_or(|ranks| ranks.is_first());
    interrupt::exit_in_turn(match trained.run().no_save_model {
        _ if !first => "",
        true => "nothing was kept",
        false => "the same command with --resume goes on from the last checkpoint",
    });
    if trained.run().probe {
        return probe(trained, ranks);
    }
    if let Some(threads) = trained.common().threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .context("cannot start the worker threads")?;
    }
    // On a worker thread: from any other, each operation would wait for one of them to wake up.
    let saved = rayon::scope(|_| learn(trained, ranks))?;
    if let Some(saved) = saved {
        print_line(format_args!("Saved {} (SHA-256 {})", saved.model.display(), saved.digest))?;
    }
    Ok(())
}

fn learn(trained: &Trained, ranks: Option<Ranks<'_>>) -> Result<Option<Saved>> {
    match trained {
        Trained::Digits(arguments) => mnist::command::train(arguments, ranks),
        Trained::Questions(_) if ranks.is_some() => {
            bail!("--mpi shares the training of mnist only: leave it out")
        }
        Trained::Questions(arguments) => question_answering::command::train(arguments),
    }
}

/// Whether what was asked for works here.
fn probe(trained: &Trained, ranks: Option<Ranks<'_>>) -> Result<()> {
    let kind = DeviceKind::from(trained.common().device());
    kind.open()?;
    match ranks {
        Some(ranks) if ranks.is_first() => print_line(format_args!("{kind} and MPI work, on {} ranks", ranks.size()))?,
        Some(_) => {}
        None => print_line(format_args!("{kind} works"))?,
    }
    Ok(())
}
