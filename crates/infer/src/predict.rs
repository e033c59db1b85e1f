//! `infer predict`.

mod digits;
pub mod engines;
mod pictures;
mod questions;
mod sharded;
mod texts;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::engines::engine::Signature;
use ::engines::engine_name::EngineName;
use ::engines::provider::Provider;
use anyhow::{Context, Result};
use catalogue::{Card, TaskKind, WeightSource};
use cli::predict::PredictArgs;
use cli::task::{FileTask, suit};
use models::imagenet::{Labels, Preprocessing};
use networks::images::{Images, range};
use networks::network::Network as _;
use networks::with_network;

use self::engines::{Network, Opened, Source, threads, wanted};
use crate::picture_file::PictureFile;
use crate::task::{Asked, shape};

/// Predicts and prints. The exit status says whether all engines give the same.
pub fn execute(arguments: &PredictArgs) -> Result<ExitCode> {
    if let Some(folder) = &arguments.merge {
        return sharded::put_together(folder, arguments);
    }
    let options = arguments.shard.map(|_| sharded::options(arguments)).transpose()?;
    let arguments = options.as_ref().unwrap_or(arguments);
    if let Some(model) = &arguments.onnx {
        return file(model, arguments);
    }
    let network = arguments.network.context("name a network, or a file with --onnx")?;
    let card = network.card();
    suit(card.name, network.task(), arguments.given()).map_err(anyhow::Error::msg)?;
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let folder = match network.task() {
        TaskKind::Texts => crate::texts::folder(&crate::texts::model(card, arguments.model.as_deref())),
        _ => None,
    };
    let known = with_network!(network, N => Known {
        card,
        signature: shape::<N>(network, &Asked { folder: folder.clone(), ..asked(arguments, &weights) })?,
        what: N::WHAT,
        preprocessing: N::PREPROCESSING,
        weights,
        folder,
    });
    match network.task() {
        TaskKind::Digits => match arguments.shard {
            Some(shard) => sharded::digits(arguments, &known, shard),
            None => digits::execute(arguments, &known),
        },
        TaskKind::Pictures => {
            let (images, path) = (known.images()?, arguments.task.labels());
            let labels = Labels::read(&path, images.classes)
                .context("no usable names of the classes (`cargo xtask fetch imagenet-labels` gets them)")?;
            let file = PictureFile { images, preprocessing: known.preprocessing, labels: Some(labels) };
            let open = || known.open(arguments);
            match arguments.shard {
                Some(shard) => sharded::label(arguments, &file, &known.model(arguments), open, shard),
                None => pictures::execute(arguments, &file, open),
            }
        }
        TaskKind::Questions => match arguments.shard {
            Some(shard) => sharded::answer(arguments, &known, shard),
            None => questions::execute(arguments, &known),
        },
        TaskKind::Texts => match arguments.shard {
            Some(shard) => sharded::texts(arguments, &known, shard),
            None => texts::execute(arguments, &known),
        },
    }
}

/// Predicts with an ONNX file from anywhere.
fn file(model: &Path, arguments: &PredictArgs) -> Result<ExitCode> {
    let FileTask::ImageClassification = arguments.file.kind.context("--onnx: name what the file is for with --task")?;
    suit("the file", TaskKind::Pictures, arguments.given()).map_err(anyhow::Error::msg)?;
    let file = PictureFile::read(model, &arguments.file, &arguments.task).context("--onnx")?;
    let names = match arguments.engines.names.is_empty() {
        true => vec![EngineName::Ort(Provider::Cpu)],
        false => wanted(&arguments.engines)?,
    };
    let source = Source { model, network: None, threads: threads(&arguments.engines) };
    let open = || Opened::each(&names, &source, arguments.engines.sandbox);
    match arguments.shard {
        Some(shard) => sharded::label(arguments, &file, model, open, shard),
        None => pictures::execute(arguments, &file, open),
    }
}

/// What is known of a network without its type.
struct Known {
    card: &'static Card,
    signature: Signature,
    what: &'static str,
    preprocessing: Preprocessing,
    weights: PathBuf,
    /// The folder with configuration and tokenizer, where the file lies in one.
    folder: Option<PathBuf>,
}

impl Known {
    /// The images that it takes.
    fn images(&self) -> Result<Images> {
        Ok(Images::of(&self.signature, range(&self.preprocessing))?)
    }

    /// The ONNX file.
    fn model(&self, arguments: &PredictArgs) -> PathBuf {
        match &self.folder {
            Some(_) => crate::texts::model(self.card, arguments.model.as_deref()),
            None => arguments.model.clone().unwrap_or_else(|| self.card.model()),
        }
    }

    /// The engines that are asked for.
    fn open(&self, arguments: &PredictArgs) -> Result<Opened> {
        let model = self.model(arguments);
        let Self { card, signature, what, weights, folder, .. } = self;
        let network = Network { card, signature, what, weights, folder: folder.as_deref() };
        let threads = threads(&arguments.engines);
        let source = Source { model: &model, network: Some(network), threads };
        let names = match card.weights {
            WeightSource::Given => texts::names(arguments, self)?,
            _ => wanted(&arguments.engines)?,
        };
        Opened::each(&names, &source, arguments.engines.sandbox)
    }
}

fn asked<'a>(arguments: &'a PredictArgs, weights: &'a Path) -> Asked<'a> {
    Asked {
        data: &arguments.task,
        weights,
        limit: None,
        squad: None,
        sequence: None,
        question: None,
        learnt: false,
        folder: None,
    }
}
