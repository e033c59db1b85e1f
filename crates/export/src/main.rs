//! Trained weights in, a verified ONNX file out.

mod alexnet;
mod bert;
mod keep;
mod mnist;
mod network;
mod provenance;
mod source;
mod summary;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use artifact::Outputs;
use burn_export::Opset;
use clap::Parser;
use cli::export::{ExportArgs, ExportModel};
use infer::progress::Progress;
use infer::runtime::Runtime;
use network::Network;
use onnx_model::{External, SaveOptions};
use source::Source;
use summary::{Clock, Content, Seconds, Summary};

/// Where `cargo xtask fetch onnxruntime` puts the library, from the workspace's root.
const FETCHED_LIBRARY: &str = "datasets/onnxruntime";

#[derive(Parser)]
#[command(name = "export", version)]
struct Arguments {
    #[command(flatten)]
    export: ExportArgs,
}

fn main() -> ExitCode {
    // SAFETY: no other thread has been started yet.
    unsafe { infer::runtime::forbid_telemetry() };
    match execute(&Arguments::parse().export) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", cli::failure::sentence(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: &ExportArgs) -> Result<()> {
    let opset = Opset::try_from(arguments.opset)?;
    let model = match (arguments.model, &arguments.hf_dir) {
        (None | Some(ExportModel::BertQa), _) => ExportModel::BertQa,
        (Some(model), None) => model,
        (Some(_), Some(_)) => bail!("--hf-dir is for BERT; name the weights of other networks with --weights"),
    };
    if arguments.config.is_some() && model != ExportModel::BertQa {
        bail!("--config is for BERT; other networks have one shape");
    }
    // Without the library nothing can be verified, and so nothing kept: better to know at once.
    let runtime = Runtime::load(Path::new(FETCHED_LIBRARY))?;
    let out = arguments.out.as_deref().unwrap_or(model.default_out());
    let weights = arguments.hf_dir.as_deref().or(arguments.weights.as_deref()).unwrap_or(model.default_weights());
    let (random, revision) = (arguments.random_init, arguments.revision.as_deref());
    let external = if arguments.external { External::Always } else { External::WhenNeeded };
    let save = SaveOptions { external, force: arguments.force, ..SaveOptions::default() };
    let mut clock = Clock::start();
    let summary = match model {
        ExportModel::Mnist => write(mnist::load(weights, random, revision)?, opset, out, &save, &runtime, &mut clock),
        ExportModel::Alexnet => {
            write(alexnet::load(weights, random, revision)?, opset, out, &save, &runtime, &mut clock)
        }
        ExportModel::BertQa => {
            let bert = match random {
                Some(seed) => bert::seeded(arguments.config.as_deref(), seed, revision)?,
                None => bert::load(weights, revision)?,
            };
            write(bert, opset, out, &save, &runtime, &mut clock)
        }
    }?;
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&summary)? + "\n",
        false => summary.text(),
    };
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}

/// What a file says about itself.
type Metadata = BTreeMap<String, String>;

/// Makes the model, lets it be verified, and keeps it if it passed.
fn write<N: Network>(
    (network, source): (N, Source),
    opset: Opset,
    out: &Path,
    save: &SaveOptions,
    runtime: &Runtime,
    clock: &mut Clock,
) -> Result<Summary> {
    let load = clock.lap();
    Outputs::of_inputs(&source.files).named(out)?;
    let progress = Progress::new("exporting");
    let model = network.export(opset, &source.metadata)?;
    let export = clock.lap();
    let staged = model.stage(out, save)?;
    drop(progress);
    let content = Content::of(&model, staged.files())?;
    // The verification needs the memory.
    drop(model);
    let write = clock.lap();
    let verification =
        keep::if_verified(staged, out, |path| network::verify(network, path, &source.metadata, runtime))?;
    Ok(Summary {
        network: N::NAME.to_owned(),
        model: out.to_owned(),
        content,
        weights: source.weights,
        notes: source.notes,
        runtime: format!("ONNX Runtime {}", runtime.version()),
        verification,
        seconds: Seconds { load, export, write, verify: clock.lap() },
    })
}
