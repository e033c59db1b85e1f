//! Validates, times and tries exported networks.

use std::process::ExitCode;

use artifact::interrupt;
use clap::{Parser, Subcommand};
use cli::bundle::BundleArgs;
use cli::doctor::DoctorArgs;
use cli::eval::EvalArgs;
use cli::inspect::InspectArgs;
use cli::predict::PredictArgs;
use cli::samples::SamplesArgs;
use engines::engine::EngineError;
use engines::worker::serve::{Rights, serve};
use engines::worker::{EngineSpec, Opened};
use infer::{bundle, doctor, eval, inspect, predict, samples};
use terminal::program::end;

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
    Samples(SamplesArgs),
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
        interrupt::exit_at_once("nothing was written; the same command starts anew");
    }
    end(match arguments.command {
        Command::Eval(arguments) => eval::execute(&arguments),
        Command::Predict(arguments) => predict::execute(&arguments),
        Command::Doctor(arguments) => doctor::execute(&arguments),
        Command::Bundle(arguments) => bundle::execute(&arguments),
        Command::Inspect(arguments) => inspect::execute(&arguments),
        Command::Samples(arguments) => samples::execute(&arguments),
        Command::Worker { memory, no_sandbox } => {
            let rights = Rights { memory, sandbox: !no_sandbox };
            serve(rights, &open).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    })
}

/// Opens a network on the threads that its specification allows, which the whole worker is bound to.
fn open(spec: &EngineSpec) -> Result<Opened, EngineError> {
    if let EngineSpec::Framework(network) = spec {
        engines::threads::limit_for(network)?;
    }
    networks::open(spec)
}
