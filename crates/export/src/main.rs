//! Trained weights in, a verified ONNX file out.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::interrupt;
use catalogue::NetworkId;
use clap::Parser;
use cli::export::{ExportArgs, ExportTask};
use networks::with_network;
use terminal::program::end;

#[derive(Parser)]
#[command(name = "export", version)]
struct Arguments {
    #[command(flatten)]
    export: ExportArgs,
}

fn main() -> ExitCode {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    interrupt::exit_at_once("nothing was written; the same command starts anew");
    end(execute(&arguments.export).map(|()| ExitCode::SUCCESS))
}

fn execute(arguments: &ExportArgs) -> Result<()> {
    let network = network(arguments)?;
    let card = network.card();
    if arguments.hf_dir.is_some() && !card.has_folder() {
        bail!("--hf-dir is for networks with a configuration; name the weights of {} with --weights", card.name);
    }
    if arguments.config.is_some() && !card.has_folder() {
        bail!("--config is for networks with a configuration; {} has one shape", card.name);
    }
    let weights = arguments.hf_dir.as_deref().or(arguments.file.weights.as_deref());
    with_network!(network, N => export::export::<N>(card, &arguments.file, weights, arguments.config.as_deref()))
}

/// The network that is named, or the one that does the task of the folder.
fn network(arguments: &ExportArgs) -> Result<NetworkId> {
    let task = arguments.task.unwrap_or(ExportTask::QuestionAnswering).kind();
    let with_folder = || NetworkId::ALL.into_iter().find(|id| id.card().has_folder() && id.task() == task);
    arguments
        .network
        .or_else(with_folder)
        .with_context(|| format!("no network here is for {task} in a Hugging Face folder"))
}
