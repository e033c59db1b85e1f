//! The data that a network is asked about, whatever is asked.

use std::path::{Path, PathBuf};

use catalogue::{DATASETS, NetworkId, TaskKind};
use clap::Args;

use crate::train::positive;

/// What a network is asked about. Which of these options hold depends on what the network is for.
#[derive(Debug, Clone, Default, Args)]
pub struct TaskArgs {
    /// Digits: the folder with the test images, in MNIST's format [default: datasets/mnist]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Pictures: a picture (PNG, JPEG, GIF, BMP, WebP) or a folder of pictures; may be given several times. In predict also a
    /// digit, light on dark or dark on light.
    #[arg(long = "image", value_name = "PATH")]
    pub images: Vec<PathBuf>,
    /// Pictures: the names of the classes; without the file they go by their numbers [default:
    /// datasets/imagenet-labels/labels.json]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Questions: how long an answer may be, in tokens [default: 30]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_answer_tokens: Option<usize>,
}

impl TaskArgs {
    /// Where the test digits lie.
    pub fn data(&self) -> PathBuf {
        let trained = NetworkId::ALL.into_iter().find(|id| id.task() == TaskKind::Digits);
        let dataset = trained.map_or("digits", |id| id.card().name);
        self.data.clone().unwrap_or_else(|| Path::new(DATASETS).join(dataset))
    }

    /// Where the names of the classes lie.
    pub fn labels(&self) -> PathBuf {
        self.labels.clone().unwrap_or_else(|| Path::new(DATASETS).join("imagenet-labels/labels.json"))
    }

    /// The options that are given, with what they are for.
    pub fn given(&self) -> Vec<(&'static str, TaskKind)> {
        let all = [
            (self.data.is_some(), "--data", TaskKind::Digits),
            (self.labels.is_some(), "--labels", TaskKind::Pictures),
            (self.max_answer_tokens.is_some(), "--max-answer-tokens", TaskKind::Questions),
        ];
        all.into_iter().filter(|(given, _, _)| *given).map(|(_, option, kind)| (option, kind)).collect()
    }
}

/// Refuses options that are for another kind of network.
///
/// # Errors
/// A sentence that names the option.
pub fn suit(
    network: &str,
    task: TaskKind,
    given: impl IntoIterator<Item = (&'static str, TaskKind)>,
) -> Result<(), String> {
    match given.into_iter().find(|(_, kind)| *kind != task) {
        Some((option, kind)) => Err(format!("{option} is for {kind}, and {network} is for {task}")),
        None => Ok(()),
    }
}
