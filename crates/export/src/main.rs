//! Trained weights in, a verified ONNX file out.

mod keep;
mod network;
mod provenance;
mod source;
mod summary;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::interrupt;
use burn_export::Opset;
use catalogue::{Card, NetworkId};
use clap::Parser;
use cli::export::{ExportArgs, ExportTask};
use engines::runtime::Runtime;
use networks::with_network;
use onnx_model::{External, SaveOptions};
use terminal::program::{end, print};

/// Where `cargo xtask fetch onnxruntime` puts the library, from the workspace's root.
const FETCHED_LIBRARY: &str = "datasets/onnxruntime";

#[derive(Parser)]
#[command(name = "export", version)]
struct Arguments {
    #[command(flatten)]
    export: ExportArgs,
}

/// What is exported, and where to.
struct Request<'a> {
    card: &'a Card,
    /// The weights: a file, or a Hugging Face folder.
    weights: &'a Path,
    /// The seed of random weights instead.
    random: Option<u64>,
    /// The configuration for random weights.
    config: Option<&'a Path>,
    opset: Opset,
    out: &'a Path,
    save: SaveOptions,
    /// The code's revision, for the record.
    revision: Option<&'a str>,
}

/// What a file says about itself.
type Metadata = BTreeMap<String, String>;

fn main() -> ExitCode {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    interrupt::exit_at_once("interrupted: nothing was written; the same command starts anew");
    end(execute(&arguments.export).map(|()| ExitCode::SUCCESS))
}

fn execute(arguments: &ExportArgs) -> Result<()> {
    let opset = Opset::try_from(arguments.opset)?;
    let network = network(arguments)?;
    let card = network.card();
    if arguments.hf_dir.is_some() && !card.has_folder() {
        bail!("--hf-dir is for networks with a configuration; name the weights of {} with --weights", card.name);
    }
    if arguments.config.is_some() && !card.has_folder() {
        bail!("--config is for networks with a configuration; {} has one shape", card.name);
    }
    // Without the library nothing can be verified, and so nothing kept: better to know at once.
    let runtime = Runtime::load(Path::new(FETCHED_LIBRARY))?;
    let out = arguments.out.clone().unwrap_or_else(|| card.model());
    let given = arguments.hf_dir.clone().or_else(|| arguments.weights.clone());
    let external = if arguments.external { External::Always } else { External::WhenNeeded };
    let request = Request {
        card,
        weights: &given.unwrap_or_else(|| card.weights()),
        random: arguments.random_init,
        config: arguments.config.as_deref(),
        opset,
        out: &out,
        save: SaveOptions { external, force: arguments.force, ..SaveOptions::default() },
        revision: arguments.revision.as_deref(),
    };
    let summary = with_network!(network, N => network::export::<N>(&request, &runtime))?;
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&summary)? + "\n",
        false => summary.text(),
    };
    Ok(print(text)?)
}

/// The network that is named, or the one that does the task of the folder.
fn network(arguments: &ExportArgs) -> Result<NetworkId> {
    let task = arguments.task.unwrap_or(ExportTask::QuestionAnswering).kind();
    let with_folder = || NetworkId::ALL.into_iter().find(|id| id.card().has_folder() && id.card().task == task);
    arguments
        .network
        .or_else(with_folder)
        .with_context(|| format!("no network here is for {task} in a Hugging Face folder"))
}
