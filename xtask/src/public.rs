//! Files that a command needs and that have a public home: they are fetched before the command starts.

use std::path::Path;

use anyhow::Result;
use catalogue::{DATASETS, FineTuning, NetworkId, TaskKind, WeightSource};
use cli::export::{ExportArgs, ExportOptions};
use cli::predict::PredictArgs;
use cli::train::{QuestionRecipe, Trained};

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
        WeightSource::Folder { dataset, .. } => {
            // A folder that was trained here is only taken where there is none of another origin.
            let is_trained = network.card().trained().is_some_and(|trained| network.card().weights() == trained);
            Ok(is_trained || is_own(network.card()) || fetch(&[dataset])?)
        }
    }
}

/// Brings the encoder and the questions of a fine-tuning, if the user names no others; whether the command can go on.
///
/// # Errors
/// As [`before_export`].
pub fn before_train(trained: &Trained) -> Result<bool> {
    let Trained::Questions(arguments) = trained else { return Ok(true) };
    let QuestionRecipe { encoder, squad, .. } = &arguments.recipe;
    let tuning = NetworkId::ALL.into_iter().find_map(|network| match network.card().weights {
        WeightSource::Folder { fine_tuning, .. } => fine_tuning,
        _ => None,
    });
    let Some(FineTuning { encoder: bring, lessons }) = tuning.filter(|_| !arguments.run.probe) else { return Ok(true) };
    let is_public = *encoder == Path::new(DATASETS).join(bring);
    let names: Vec<&str> = is_public.then_some(bring).into_iter().chain(squad.is_none().then_some(lessons)).collect();
    Ok(names.is_empty() || fetch(&names)?)
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
