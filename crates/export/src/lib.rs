//! Weights in, a verified ONNX file out, for any network that is declared.

mod keep;
mod layout;
mod network;
mod provenance;
mod source;
mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn_export::Opset;
use catalogue::{Card, IN_FOLDER, NetworkId, TaskKind, WeightSource};
use cli::export::ExportOptions;
use engines::runtime::Runtime;
use networks::network::{Form, Network};
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
    /// What the user chose of the network.
    form: &'a Form,
    opset: Opset,
    /// The ONNX file, at the place where it will be.
    out: &'a Path,
    /// The folder for the file and all that belongs to it, if it gets one.
    folder: Option<&'a Path>,
    save: SaveOptions,
    /// The code's revision, for the record.
    revision: Option<&'a str>,
}

/// What the user chose besides [`ExportOptions`].
#[derive(Debug, Clone, Default)]
pub struct Chosen<'a> {
    /// The weights, where they are not in their usual place: a file or a Hugging Face folder.
    pub weights: Option<&'a Path>,
    /// The configuration of random weights.
    pub config: Option<&'a Path>,
    /// The form of the network.
    pub form: Form,
}

/// What a file says about itself.
type Metadata = BTreeMap<String, String>;

/// Exports a network as the options say, keeps the file if it was verified, and prints what it is.
///
/// # Errors
/// When there is no runtime, the weights cannot be used, the network cannot be exported, or the file computes something else.
pub fn export<N: Network>(card: &Card, options: &ExportOptions, chosen: &Chosen<'_>) -> Result<()> {
    let opset = Opset::try_from(options.opset)?;
    // Without the library nothing can be verified, and so nothing kept: better to know at once.
    let runtime = Runtime::load(&catalogue::datasets().join("onnxruntime"))?;
    let external = if options.external { External::Always } else { External::WhenNeeded };
    let (out, folder) = place(card, options.out.as_deref());
    let request = Request {
        card,
        weights: &chosen.weights.map_or_else(|| card.weights(), Path::to_owned),
        random: options.random_init,
        config: chosen.config,
        form: &chosen.form,
        opset,
        out: &out,
        folder: folder.as_deref(),
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

/// Where the ONNX file goes, and the folder for all that belongs to it, if it gets one: where the file of a network with a Hugging Face
/// folder is not named itself.
fn place(card: &Card, out: Option<&Path>) -> (PathBuf, Option<PathBuf>) {
    let is_file = |path: &Path| path.extension().is_some_and(|ending| ending == "onnx") && !path.is_dir();
    let texts = NetworkId::named(card.name).is_some_and(|id| id.task() == TaskKind::Texts);
    let gets_folder = card.weights == WeightSource::Given || (texts && out.is_some());
    match out {
        Some(folder) if gets_folder && !is_file(folder) => (folder.join(IN_FOLDER), Some(folder.to_owned())),
        None if gets_folder => (card.model(), Some(card.folder())),
        out => (out.map_or_else(|| card.model(), Path::to_owned), None),
    }
}
