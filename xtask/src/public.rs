//! Files that a command needs and that have a public home: they are fetched before the command starts.

use anyhow::Result;
use catalogue::{TaskKind, WeightSource};
use cli::export::{ExportArgs, ExportOptions};
use cli::predict::PredictArgs;

use crate::programs::fetch;
use crate::stages::is_own;
use crate::workspace;

/// Brings pretrained weights, if the user names no others; whether the command can go on. `fetch` has said why not, and what
/// else can be done.
///
/// # Errors
/// When fetching cannot be started.
pub fn before_export(arguments: &ExportArgs) -> Result<bool> {
    let ExportArgs { hf_dir, network, file: ExportOptions { weights, random_init, .. }, .. } = arguments;
    let Some(network) = network.filter(|_| weights.is_none() && random_init.is_none() && hf_dir.is_none()) else {
        return Ok(true);
    };
    // What is there already is verified, which takes a second.
    match network.card().weights {
        WeightSource::Trained | WeightSource::Given | WeightSource::Own { .. } => Ok(true),
        WeightSource::File { dataset, .. } => fetch(&[dataset]),
        WeightSource::Folder { dataset } => Ok(is_own(network.card()) || fetch(&[dataset])?),
    }
}

/// Brings the names of the ImageNet classes, if the user names no other file; whether the command can go on.
///
/// # Errors
/// As [`before_export`].
pub fn before_predict(arguments: &PredictArgs) -> Result<bool> {
    if arguments.network.is_none_or(|network| network.task() != TaskKind::Pictures) || arguments.task.labels.is_some() {
        return Ok(true);
    }
    let labels = workspace::root().join(arguments.task.labels());
    Ok(labels.is_file() || fetch(&["imagenet-labels"])?)
}
