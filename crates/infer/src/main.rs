//! Validates, times and tries exported networks.

mod bundle;
mod doctor;
mod eval;
mod inspect;
mod predict;
mod task;

use std::process::ExitCode;

use anyhow::Context;
use artifact::interrupt;
use clap::{Parser, Subcommand};
use cli::bundle::BundleArgs;
use cli::doctor::DoctorArgs;
use cli::eval::EvalArgs;
use cli::inspect::InspectArgs;
use cli::predict::PredictArgs;
use cli::sandbox::SandboxArgs;
use engines::engine::EngineError;
use engines::worker::remote::Launcher;
use engines::worker::serve::{Rights, serve};
use engines::worker::{EngineSpec, Opened};
pub(crate) use terminal::program::print;
use terminal::program::{end, note};

/// Where `cargo xtask fetch` puts files, from the workspace's root.
const DATASETS: &str = catalogue::DATASETS;

#[derive(Parser)]
#[command(name = "infer", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Eval(Box<EvalArgs>),
    Predict(PredictArgs),
    Doctor(DoctorArgs),
    Bundle(BundleArgs),
    Inspect(InspectArgs),
    /// Serve one engine to another process of this program.
    #[command(hide = true)]
    Worker {
        /// The most memory that it may hold, in bytes.
        #[arg(long)]
        memory: Option<u64>,
        /// Leave it all its rights.
        #[arg(long)]
        no_sandbox: bool,
    },
}

fn main() -> ExitCode {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    if !matches!(arguments.command, Command::Worker { .. }) {
        interrupt::exit_at_once("interrupted: nothing was written; the same command starts anew");
    }
    end(match arguments.command {
        Command::Eval(arguments) => eval::execute(&arguments),
        Command::Predict(arguments) => predict::execute(&arguments),
        Command::Doctor(arguments) => doctor::execute(&arguments),
        Command::Bundle(arguments) => bundle::execute(&arguments),
        Command::Inspect(arguments) => inspect::execute(&arguments),
        Command::Worker { memory, no_sandbox } => {
            let rights = Rights { memory, sandbox: !no_sandbox };
            serve(rights, &open).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    })
}

/// What starts engines. That they are not confined is said aloud.
fn launcher(sandbox: SandboxArgs) -> anyhow::Result<Launcher> {
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    if sandbox.no_sandbox {
        note("warning: the processes of engines are not confined (--no-sandbox)");
    }
    Ok(Launcher { sandbox: !sandbox.no_sandbox, ..launcher })
}

/// Opens a network on the threads that its specification allows, which the whole worker is bound to.
fn open(spec: &EngineSpec) -> Result<Opened, EngineError> {
    if let EngineSpec::Framework(network) = spec {
        engines::threads::limit_for(network)?;
    }
    networks::open(spec)
}
