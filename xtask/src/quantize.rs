//! `quantize` of a network: its file, and its data as samples.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use catalogue::NetworkId;
use cli::quantize::QuantizeArgs;

use crate::programs::{Program, Programs, exit_code, forward};
use crate::workspace;

/// The folder below that of a network in which its samples lie.
const SAMPLES: &str = "samples";

/// Quantises a file as it is told, or that of a network on the network's own data.
pub fn quantize(arguments: &QuantizeArgs) -> Result<ExitCode> {
    let network = arguments.model.file_name().and_then(|name| name.to_str()).and_then(NetworkId::named);
    let Some(network) = network.filter(|_| !arguments.model.exists()) else { return forward(Program::Quantize) };
    let card = network.card();
    let model = card.model();
    if !workspace::root().join(&model).is_file() {
        bail!("there is no {} (`{}` makes it)", model.display(), card.command("export"));
    }
    let programs = Programs::for_programs(&[Program::Samples, Program::Quantize], &[])?;
    let mut words: Vec<OsString> = std::env::args_os().skip(2).collect();
    let place = words.iter().position(|word| word == card.name).context("the network is not among the words")?;
    if let Some(word) = words.get_mut(place) {
        *word = model.into_os_string();
    }
    if arguments.inputs.is_empty() && arguments.ranges.as_ref().is_none_or(|path| !path.exists()) {
        let folder: PathBuf = card.folder().join(SAMPLES);
        let told = [card.name.into(), "--out".into(), folder.clone().into_os_string()];
        let mut samples = programs.told(Program::Samples, told)?;
        // What it prints must not stand before the report as JSON.
        if arguments.json {
            samples.stdout(Stdio::null());
        }
        let status = samples.status().context("`infer` cannot be started")?;
        if !status.success() {
            bail!(
                "{} has no samples to be quantised by; `cargo xtask samples {} --out FOLDER` with data of yours makes some for --inputs",
                card.name,
                card.name
            );
        }
        words.extend(["--inputs".into(), folder.into_os_string()]);
    }
    let status = programs.told(Program::Quantize, words)?.status().context("`quantize` cannot be started")?;
    Ok(exit_code(status))
}
