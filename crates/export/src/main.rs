//! Trained weights in, a verified ONNX file out.

mod keep;
mod mnist;
mod provenance;
mod summary;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use burn_export::Opset;
use clap::Parser;
use cli::export::{ExportArgs, ExportModel};
use infer::runtime::Runtime;
use summary::Summary;

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
    let ExportModel::Mnist = arguments.model;
    let opset = Opset::try_from(arguments.opset)?;
    if same_file(&arguments.out, &arguments.weights) {
        bail!("--out would replace the weights, {}", arguments.weights.display());
    }
    // Without the library nothing can be verified, and so nothing kept: better to know at once.
    let runtime = Runtime::load(Path::new(FETCHED_LIBRARY))?;
    let network = mnist::load(&arguments.weights)?;
    let metadata = provenance::of(&arguments.weights, arguments.revision.as_deref())?;
    let model = mnist::export(&network, opset, &metadata)?;
    let bytes = model.encode()?;
    let verification =
        keep::if_verified(&arguments.out, &bytes, |path| mnist::verify_file(path, &network, &metadata, &runtime))?;
    let verified = (format!("ONNX Runtime {}", runtime.version()), verification);
    let summary = Summary::new("mnist", (&arguments.out, &bytes), &model, &arguments.weights, verified);
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&summary)? + "\n",
        false => summary.text(),
    };
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
