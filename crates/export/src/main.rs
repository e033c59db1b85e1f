//! Trained weights in, a verified ONNX file out.

mod alexnet;
mod bert;
mod keep;
mod mnist;
mod provenance;
mod source;
mod summary;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use burn_export::Opset;
use clap::Parser;
use cli::export::{ExportArgs, ExportModel};
use infer::runtime::Runtime;
use infer::session::Session;
use infer::verify::Verification;
use onnx_model::Model;
use source::Source;
use summary::{Content, Summary};

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
    let summary = match model {
        ExportModel::Mnist => {
            let (network, source) = mnist::load(weights, random, revision)?;
            write("mnist", out, source, &runtime, |metadata| mnist::export(&network, opset, metadata), {
                |path, metadata| mnist::verify_file(path, &network, metadata, &runtime)
            })
        }
        ExportModel::Alexnet => {
            let (network, source) = alexnet::load(weights, random, revision)?;
            write("alexnet", out, source, &runtime, |metadata| alexnet::export(&network, opset, metadata), {
                |path, metadata| alexnet::verify_file(path, &network, metadata, &runtime)
            })
        }
        ExportModel::BertQa => {
            let (network, source) = match random {
                Some(seed) => bert::random(arguments.config.as_deref(), seed, revision)?,
                None => bert::load(weights, revision)?,
            };
            write("bert-qa", out, source, &runtime, |metadata| bert::export(&network, opset, metadata), {
                |path, metadata| bert::verify_file(path, &network, metadata, &runtime)
            })
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

type Metadata = BTreeMap<String, String>;

/// Makes the model, lets it be verified, and keeps it if it passed.
fn write(
    network: &str,
    out: &Path,
    source: Source,
    runtime: &Runtime,
    export: impl FnOnce(&Metadata) -> Result<Model>,
    verify: impl FnOnce(&Path, &Metadata) -> Result<Verification>,
) -> Result<Summary> {
    if source.is(out) {
        bail!("--out would replace the weights, {}", source.weights.display());
    }
    let model = export(&source.metadata)?;
    let bytes = model.encode()?;
    let content = Content::of(&model, &bytes);
    // The verification needs the memory: a large network is loaded three times.
    drop(model);
    let verification = keep::if_verified(out, bytes, |path| verify(path, &source.metadata))?;
    Ok(Summary {
        network: network.to_owned(),
        model: out.to_owned(),
        content,
        weights: source.weights,
        notes: source.notes,
        runtime: format!("ONNX Runtime {}", runtime.version()),
        verification,
    })
}

/// Refuses a file that does not say what it was made to say.
fn check_metadata(session: &Session, metadata: &Metadata) -> Result<()> {
    let read = session.metadata()?.entries;
    match metadata.iter().find(|(key, value)| read.get(*key) != Some(value)) {
        Some((key, value)) => bail!("the file's metadata lost `{key}`, which is {value}"),
        None => Ok(()),
    }
}
