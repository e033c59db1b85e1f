//! Quantises ONNX files.

use std::process::ExitCode;

use artifact::interrupt;
use clap::{Parser, Subcommand};
use cli::quantize::QuantizeArgs;
use engines::worker::EngineSpec;
use engines::worker::serve::{Rights, serve};
use terminal::program::end;

#[derive(Parser)]
#[command(name = "quantize", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Quantize(Box<QuantizeArgs>),
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
        Command::Quantize(arguments) => quantize::command::execute(&arguments),
        Command::Worker { memory, no_sandbox } => {
            let rights = Rights { memory, sandbox: !no_sandbox };
            serve(rights, &|spec: &EngineSpec| Err(spec.not_here())).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    })
}
