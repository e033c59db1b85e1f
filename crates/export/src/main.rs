//! Trained weights in, a verified ONNX file out.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::interrupt;
use catalogue::{NetworkId, TaskKind, WeightSource};
use clap::Parser;
use cli::export::{ExportArgs, ExportAxes, ExportTask};
use export::Chosen;
use models::encoder::{EncoderConfig, EncoderError, EncoderTask, Family};
use networks::network::Form;
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
    if weights.is_none() && arguments.file.random_init.is_none() && card.weights == WeightSource::Given {
        bail!("{}, or take random weights with --random-init SEED", card.ways_to_weights());
    }
    // The network of a task has no other form.
    let task = arguments.task.filter(|task| network.task() == TaskKind::Texts || *task != QUESTIONS);
    let form =
        Form { task: task.map(ExportTask::name), as_article: arguments.axes.map(|axes| axes == ExportAxes::Article) };
    let request = Chosen { weights, config: arguments.config.as_deref(), form };
    with_network!(network, N => export::export::<N>(card, &arguments.file, &request))
}

/// The task that has a network of its own.
const QUESTIONS: ExportTask = ExportTask::QuestionAnswering;

/// The network that is named, or the one for the folder: that of questions for a BERT, else an encoder.
fn network(arguments: &ExportArgs) -> Result<NetworkId> {
    let with_folder = |task| NetworkId::ALL.into_iter().find(|id| id.card().has_folder() && id.task() == task);
    let folder = arguments.hf_dir.as_deref().unwrap_or(Path::new(""));
    let found = EncoderConfig::read(folder, arguments.task.and_then(|task| EncoderTask::named(&task.name())));
    let kind = match (&found, arguments.task.unwrap_or(QUESTIONS), arguments.axes) {
        (Ok(config), _, None) if (config.family, config.task) == (Family::Bert, EncoderTask::QuestionAnswering) => {
            TaskKind::Questions
        }
        (Ok(_), ..) | (Err(EncoderError::InFile { .. }), ..) => TaskKind::Texts,
        (Err(_), QUESTIONS, None) => TaskKind::Questions,
        (Err(_), ..) => TaskKind::Texts,
    };
    arguments
        .network
        .or_else(|| with_folder(kind))
        .with_context(|| format!("no network here is for {kind} in a Hugging Face folder"))
}
