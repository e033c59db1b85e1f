//! A BERT for question answering in every engine.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use infer::burn_network::BurnBert;
use infer::engine::Engines;
use infer::question_answering::check_signature;
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::question_answering::QaTokenizer;
use models::weights::Checkpoint;

use crate::predict::engines::{Wanted, open, random_seed};

/// How to get an ONNX file.
const EXPORT: &str = "`cargo xtask export bert-qa` makes it";

/// How to get a model folder.
const FOLDER: &str = "no usable BERT folder (download one such as bert-large-uncased-whole-word-masking-finetuned-squad, \
                      and name it with --hf-dir)";

/// Tokenizer and configuration of a Hugging Face folder.
pub fn text_side(folder: &Path) -> Result<(QaTokenizer, BertConfig)> {
    let config = BertConfig::read(&folder.join("config.json")).context(FOLDER)?;
    let tokenizer = QaTokenizer::open(folder).context(FOLDER)?;
    Ok((tokenizer, config))
}

/// The engines in the order of their names, and the seed of their weights if those are random.
pub fn load(
    names: &[Wanted],
    model: &Path,
    folder: &Path,
    config: &BertConfig,
    threads: usize,
) -> Result<(Engines, Option<u64>)> {
    let mut seed = None;
    let mut engines = Engines::new();
    for name in names {
        if let Wanted::Ort(provider) = name {
            let engine = open(*provider, model, threads, EXPORT)?;
            check_signature(&engine, model)?;
            seed = seed.or_else(|| random_seed(&engine));
            engines.push(Box::new(engine));
        }
    }
    if let Some(place) = names.iter().position(|name| *name == Wanted::Burn) {
        let device = Device::flex();
        let network = match seed {
            Some(seed) => BertForQuestionAnswering::random(config, seed, &device),
            None => {
                let checkpoint = Checkpoint::open(folder).context(FOLDER)?;
                BertForQuestionAnswering::load(config, checkpoint, &device)?.0
            }
        };
        let engine = BurnBert::new(network, config.clone(), device);
        engines.insert(place.min(engines.len()), Box::new(engine));
    }
    Ok((engines, seed))
}
