//! Files that a command needs and that have a public home: they are fetched before the command starts.

use anyhow::Result;
use cli::export::{ExportArgs, ExportModel};
use cli::predict::{PredictArgs, PredictNetwork};

use crate::programs::fetch;
use crate::workspace;

/// What `fetch` leaves in the folder of files that it brought without a declared SHA-256.
pub const FIRST_FETCH: &str = "first-fetch.json";

/// Brings pretrained weights, if the user names no others; whether the command can go on. `fetch` has said why not, and what
/// else can be done.
///
/// # Errors
/// When fetching cannot be started.
pub fn before_export(arguments: &ExportArgs) -> Result<bool> {
    let ExportArgs { weights, random_init, hf_dir, model, .. } = arguments;
    if weights.is_some() || random_init.is_some() || hf_dir.is_some() {
        return Ok(true);
    }
    // What is there already is verified, which takes a second.
    match model {
        Some(ExportModel::Alexnet) => fetch(&["alexnet"]),
        Some(ExportModel::BertQa) => Ok(own_bert() || fetch(&["bert-qa"])?),
        _ => Ok(true),
    }
}

/// Whether the folder of BERT holds what the user put there, and not what `fetch` brought or began to bring.
pub fn own_bert() -> bool {
    let folder = workspace::root().join(ExportModel::BertQa.default_weights());
    folder.join("config.json").is_file() && !folder.join(FIRST_FETCH).is_file()
}

/// Brings the names of the ImageNet classes, if the user names no other file; whether the command can go on.
///
/// # Errors
/// As [`before_export`].
pub fn before_predict(arguments: &PredictArgs) -> Result<bool> {
    let PredictNetwork::Alexnet(arguments) = &arguments.network else { return Ok(true) };
    let labels = workspace::root().join(&arguments.labels);
    let declared = arguments.labels.starts_with("datasets/imagenet-labels");
    Ok(!declared || labels.is_file() || fetch(&["imagenet-labels"])?)
}
