//! Weights in, a verified ONNX file out, for any network that is declared.

mod keep;
mod network;
mod provenance;
mod source;
mod summary;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use burn_export::Opset;
use catalogue::Card;
use cli::export::ExportOptions;
use engines::runtime::Runtime;
use networks::network::Network;
use onnx_model::{External, SaveOptions};
use terminal::program::print;

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

/// Exports a network as the options say, keeps the file if it was verified, and prints what it is. `weights` is a file or a Hugging
/// Face folder, where they are not in their usual place; `config` the configuration of random weights.
///
/// # Errors
/// When there is no runtime, the weights cannot be used, the network cannot be exported, or the file computes something else.
pub fn export<N: Network>(
    card: &Card,
    options: &ExportOptions,
    weights: Option<&Path>,
    config: Option<&Path>,
) -> Result<()> {
    let opset = Opset::try_from(options.opset)?;
    // Without the library nothing can be verified, and so nothing kept: better to know at once.
    let runtime = Runtime::load(&catalogue::datasets().join("onnxruntime"))?;
    let external = if options.external { External::Always } else { External::WhenNeeded };
    let request = Request {
        card,
        weights: &weights.map_or_else(|| card.weights(), Path::to_owned),
        random: options.random_init,
        config,
        opset,
        out: &options.out.clone().unwrap_or_else(|| card.model()),
        save: SaveOptions { external, force: options.force, ..SaveOptions::default() },
        revision: options.revision.as_deref(),
    };
    let summary = network::export::<N>(&request, &runtime)?;
    let text = match options.json {
        true => serde_json::to_string_pretty(&summary)? + "\n",
        false => summary.text(),
    };
    Ok(print(text)?)
}
