//! A BERT for question answering in every engine.

use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, bail};
use burn::tensor::Device;
use cli::failure::advised;
use infer::burn_network::BurnBert;
use infer::candle_bert::CandleBert;
use infer::engine::{Engine, EngineError};
use infer::engine_name::EngineName;
use infer::question_answering::check_signature;
use infer::worker::Weights;
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::question_answering::QaTokenizer;
use models::weights::{Checkpoint, WeightsError};

use crate::predict::engines::{self, Exported};

/// How to get an ONNX file.
const EXPORT: &str = "`cargo xtask export bert-qa` makes it";

/// How to get a model folder.
const FOLDER: &str = "no usable BERT folder (`cargo xtask fetch bert-qa` gets one from its public home; otherwise name a Hugging \
                      Face folder with --hf-dir)";

/// The files of a Hugging Face folder that are there and that a model is made of, by their usual names.
pub fn model_files(folder: &Path) -> Vec<PathBuf> {
    let known = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let weights = ["safetensors", "bin", "index.json"].iter().any(|ending| name.ends_with(ending));
        weights || name.contains("token") || ["config.json", "vocab.txt"].contains(&&*name)
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(known).collect()
}

/// Tokenizer and configuration of a Hugging Face folder.
pub fn text_side(folder: &Path) -> Result<(QaTokenizer, BertConfig)> {
    let path = folder.join("config.json");
    let config = BertConfig::read(&path).map_err(|error| anyhow!(advised(&error, &path, FOLDER)))?;
    let tokenizer = QaTokenizer::open(folder)?;
    Ok((tokenizer, config))
}

/// The engines in the order of their names, with an error in the place of one that cannot be opened, and the seed of their
/// weights if those are random.
pub fn load_each(
    names: &[EngineName],
    model: &Path,
    folder: &Path,
    config: &BertConfig,
    threads: usize,
) -> (Vec<Result<Box<dyn Engine>>>, Option<u64>) {
    let file = Exported { model, how: EXPORT, check: check_signature, weights: folder };
    engines::load_each(names, &file, threads, |name, weights| framework(name, config, weights))
}

fn framework(name: &EngineName, config: &BertConfig, weights: &Weights) -> Result<Box<dyn Engine>> {
    let device = Device::flex();
    Ok(match (name, weights) {
        (EngineName::Candle, weights) => Box::new(CandleBert::load(config.clone(), weights).map_err(advice)?),
        (EngineName::Burn, Weights::Random(seed)) => {
            let network = BertForQuestionAnswering::random(config, *seed, &device);
            Box::new(BurnBert::new(network, config.clone(), device))
        }
        (EngineName::Burn, Weights::At(folder)) => {
            let checkpoint = Checkpoint::open(folder).map_err(|error| advice(error.into()))?;
            let (network, _) = BertForQuestionAnswering::load(config, checkpoint, &device)?;
            Box::new(BurnBert::new(network, config.clone(), device))
        }
        (EngineName::Tract | EngineName::Ort(_), _) => bail!("{name} runs files"),
    })
}

/// A folder without weights is as good as none.
fn advice(error: EngineError) -> Error {
    match error {
        EngineError::Weights(WeightsError::NoWeights { .. }) => Error::new(error).context(FOLDER),
        other => other.into(),
    }
}
