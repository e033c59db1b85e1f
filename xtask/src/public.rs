//! Files that a command needs and that have a public home: they are fetched before the command starts.

use anyhow::Result;
use cli::export::{ExportArgs, ExportModel};
use cli::predict::{PredictArgs, PredictNetwork};

use crate::programs::fetch;
use crate::workspace;

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
    // The last file that a fetch brings: with it, all are there.
    let (name, file) = match model {
        Some(ExportModel::Alexnet) => ("alexnet", ExportModel::Alexnet.default_weights().to_owned()),
        Some(ExportModel::BertQa) => ("bert-qa", ExportModel::BertQa.default_weights().join("config.json")),
        _ => return Ok(true),
    };
    Ok(workspace::root().join(file).is_file() || fetch(&[name])?)
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
