//! Texts under every engine: what an encoder takes and gives, and answers for texts.

pub mod answer;
pub mod data;
pub mod entities;
pub mod task;

use engines::engine::{EngineError, Signature, TensorInfo};
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};
use evaluation::random::uniform;
use models::bert::{InputError, Sequence};
use models::encoder::{EncoderConfig, EncoderTask, Side, TokenBatch};

/// What an encoder takes and gives, under the names and with the axes of `optimum` or of the article.
pub fn signature(config: &EncoderConfig) -> Signature {
    let [batch, sequence] = config.axes.names();
    let inputs = config.inputs().iter();
    let inputs = inputs.map(|name| TensorInfo::new(name, ElementType::Int64, [batch.into(), sequence.into()]));
    let output = |name: &&str| {
        let shape = match (config.task, *name) {
            (EncoderTask::QuestionAnswering, _) => vec![batch.into(), sequence.into()],
            (EncoderTask::TextClassification, _) => vec![batch.into(), config.labels.len().into()],
            (EncoderTask::TokenClassification, _) => vec![batch.into(), sequence.into(), config.labels.len().into()],
            (EncoderTask::FillMask, _) => vec![batch.into(), sequence.into(), config.vocab_size.into()],
            (_, "sentence_embedding") => vec![batch.into(), config.sentence_width().into()],
            _ => vec![batch.into(), sequence.into(), config.hidden_size.into()],
        };
        TensorInfo::new(name, ElementType::Float, shape)
    };
    Signature { inputs: inputs.collect(), outputs: config.task.outputs().iter().map(output).collect() }
}

/// Token ids as the network takes them.
///
/// # Errors
/// Never for a batch that was made by its own functions.
pub fn inputs(batch: &TokenBatch, config: &EncoderConfig) -> Result<Vec<NamedTensor>, EngineError> {
    let named = |(name, ids): (&str, &[i64])| {
        let tensor = Tensor::new([batch.batch(), batch.sequence()], ids.to_vec());
        tensor.map(|tensor| NamedTensor::new(name, tensor)).map_err(|error| unusable(name, error.to_string()))
    };
    batch.lists(config).map(named).collect()
}

/// The token ids of the inputs, checked against the configuration; the other way round.
///
/// # Errors
/// When an input is missing or is no int64 `[batch, sequence]`, or an id is out of range.
pub fn token_batch(inputs: &[NamedTensor], config: &EncoderConfig) -> Result<TokenBatch, EngineError> {
    let mut sequence = 0;
    let mut list = |name: &'static str| {
        let input = inputs.iter().find(|input| input.name == name);
        let input = input.ok_or_else(|| unusable(name, "it is missing".to_owned()))?;
        let (&[_, length], Elements::I64(ids)) = (input.tensor.shape(), input.tensor.elements()) else {
            let (kind, shape) = (input.tensor.elements().element_type(), input.tensor.shape());
            return Err(unusable(name, format!("it is {kind} {shape:?} instead of int64 [batch, sequence]")));
        };
        sequence = length;
        Ok(ids.clone())
    };
    let [ids, mask] = [list("input_ids")?, list("attention_mask")?];
    let types = if config.family.has_types() { Some(list("token_type_ids")?) } else { None };
    TokenBatch::new(ids, mask, types, sequence, config).map_err(unsuitable)
}

/// Random tokens; with `padding`, each sequence is a fifth shorter than the one before it, down to a single token.
///
/// # Errors
/// When a sequence is longer than the network allows.
pub fn random(
    config: &EncoderConfig,
    batch: usize,
    length: usize,
    padding: Option<Side>,
) -> Result<TokenBatch, InputError> {
    let ids = |seed: u64, below: usize| -> Vec<i64> {
        uniform(seed, batch * length, 0.0, below as f32).into_iter().map(|id| id as i64).collect()
    };
    let (tokens, types) = (ids(1, config.vocab_size), ids(2, config.type_vocab_size.max(1)));
    let sequences: Vec<Sequence> = tokens
        .chunks(length)
        .zip(types.chunks(length))
        .enumerate()
        .map(|(row, (tokens, types))| {
            let shorter = if padding.is_some() { (row * length / 5).min(length - 1) } else { 0 };
            let cut = |ids| <[i64]>::get(ids, ..length - shorter).unwrap_or_default();
            Sequence { input_ids: cut(tokens), token_type_ids: cut(types) }
        })
        .collect();
    TokenBatch::padded(&sequences, padding.unwrap_or(Side::Right), config)
}

/// Tokens that do not suit the network.
pub(crate) fn unsuitable(error: InputError) -> EngineError {
    unusable("input_ids", error.to_string())
}

pub(crate) fn unusable(name: &str, reason: String) -> EngineError {
    EngineError::Input { engine: "the network".to_owned(), name: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::Device;
    use models::encoder::{Encoder, EncoderTokenizer};
    use serde::Deserialize;
    use serde_json::{Map, Value};

    use super::answer::{Answer, Text, TextReader};
    use super::*;
    use crate::engine::BurnEngine;

    /// As in `generate_texts.py`.
    const SEED: u64 = 5;

    /// The largest difference of scores, which are below 1; the numbers of a regression are below 10.
    const TOLERANCE: f64 = 1e-4;

    #[derive(Deserialize)]
    struct Case {
        tokenizer: String,
        task: String,
        config: Map<String, Value>,
        texts: Vec<String>,
        answers: Vec<Vec<Value>>,
    }

    fn close(found: f32, expected: &Value, what: &str) {
        let expected = expected["score"].as_f64().unwrap();
        assert!((f64::from(found) - expected).abs() <= TOLERANCE, "{what}: {found} instead of {expected}");
    }

    #[test]
    fn texts_get_the_answers_of_transformers_pipelines() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read(here.join("tests/fixtures/texts.json")).unwrap();
        let cases: Vec<Case> = serde_json::from_slice(&text).unwrap();
        assert_eq!(cases.len(), 9);
        for case in cases {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("config.json"), serde_json::to_vec(&case.config).unwrap()).unwrap();
            let config = EncoderConfig::read(folder.path(), EncoderTask::named(&case.task)).unwrap();
            let tokenizer = here.join("../models/tests/fixtures/encoder_tokenizers").join(&case.tokenizer);
            let tokenizer = EncoderTokenizer::open(&tokenizer, &config).unwrap();
            let device = Device::flex();
            let mut engine = BurnEngine::new(Encoder::random(&config, SEED, &device), config.clone(), device);
            let top = case.answers[0][0].as_array().map_or(usize::MAX, Vec::len);
            let reader = TextReader { tokenizer, config, top };
            let texts: Vec<Text> = case.texts.iter().map(|text| Text { text: text.clone(), pair: None }).collect();
            let found = reader.answer_all(&mut engine, &texts, &mut |_| ()).unwrap();
            for ((text, found), expected) in case.texts.iter().zip(found).zip(&case.answers) {
                let what = format!("{} {}: {text}", case.tokenizer, case.task);
                match found.unwrap() {
                    Answer::Labels(labels) => {
                        assert_eq!(labels.len(), expected.len(), "{what}");
                        for (label, expected) in labels.iter().zip(expected) {
                            assert_eq!(label.label, expected["label"], "{what}");
                            close(label.score, expected, &what);
                        }
                    }
                    Answer::Entities(entities) => {
                        assert_eq!(entities.len(), expected.len(), "{what}: {entities:?}");
                        for (entity, expected) in entities.iter().zip(expected) {
                            assert_eq!(entity.entity, expected["entity_group"], "{what}");
                            assert_eq!(entity.word, expected["word"], "{what}");
                            assert_eq!(
                                (Value::from(entity.start), Value::from(entity.end)),
                                (expected["start"].clone(), expected["end"].clone())
                            );
                            close(entity.score, expected, &what);
                        }
                    }
                    Answer::Fillings(masks) => {
                        assert_eq!(masks.len(), expected.len(), "{what}");
                        for (filling, expected) in
                            masks.iter().flatten().zip(expected.iter().flat_map(|mask| mask.as_array().unwrap()))
                        {
                            assert_eq!(Value::from(filling.id), expected["token"], "{what}");
                            assert_eq!(filling.token, expected["token_str"], "{what}");
                            assert_eq!(filling.sequence, expected["sequence"], "{what}");
                            close(filling.score, expected, &what);
                        }
                    }
                    other => panic!("{what}: {other:?}"),
                }
            }
        }
    }
}
