//! Is every engine right about tokens, and does it give the framework's answers?

use models::bert::{BertConfig, InputError, Sequence, TokenBatch};
use models::question_answering::SpanOptions;

use super::answer::{AnswerError, Reader};
use super::{INPUTS, inputs};
use crate::engine::EngineError;
use crate::field::Field;
use crate::network::Agreement;
use crate::random::uniform;
use crate::tensor::NamedTensor;

/// Sequences at a time and tokens in each, with every axis at one, two and a prime while the other is small; the longest
/// sequence is added.
const SWEEP: [(usize, usize); 6] = [(1, 1), (1, 2), (1, 17), (2, 16), (7, 16), (3, 61)];

/// Questions with the texts that hold their answers.
pub type Questions<'a> = [(&'a str, &'a str)];

/// Random tokens at every size, in batches with padding, and the questions.
///
/// # Errors
/// When the tokens do not suit the network.
pub fn cases(reader: &Reader, questions: &Questions) -> Result<Vec<(String, Vec<NamedTensor>)>, AnswerError> {
    let longest = reader.config.max_position_embeddings;
    let mut sizes: Vec<(usize, usize)> = SWEEP.iter().map(|&(batch, length)| (batch, length.min(longest))).collect();
    sizes.push((1, longest));
    sizes.dedup();
    let mut cases = Vec::new();
    for (batch, length) in sizes {
        let label = format!("{batch} x {length} tokens");
        cases.push((label, inputs(&random(reader.config, batch, length, true)?)?));
    }
    let windows = questions.iter().map(|(question, context)| reader.windows(question, context));
    let windows = windows.collect::<Result<Vec<_>, _>>()?.concat();
    let sequences: Vec<Sequence> = windows.iter().map(|window| window.sequence()).collect();
    let asked = TokenBatch::padded(&sequences, reader.config)?;
    cases.push((format!("{} x {} asked", asked.batch(), asked.sequence()), inputs(&asked)?));
    Ok(cases)
}

/// Random sequences of full length to be timed.
///
/// # Errors
/// When they are longer than the network allows.
pub fn timed(config: &BertConfig, batch: usize, length: usize) -> Result<Vec<NamedTensor>, EngineError> {
    let tokens = random(config, batch, length, false).map_err(|error| EngineError::Input {
        engine: "BERT".to_owned(),
        name: INPUTS.join(", "),
        reason: error.to_string(),
    })?;
    inputs(&tokens)
}

/// Random tokens; with `padding`, each sequence is a fifth shorter than the one before it, down to a single token.
///
/// # Errors
/// When a sequence is longer than the network allows.
pub fn random(config: &BertConfig, batch: usize, length: usize, padding: bool) -> Result<TokenBatch, InputError> {
    let ids = |seed: u64, below: usize| -> Vec<i64> {
        uniform(seed, batch * length, 0.0, below as f32).into_iter().map(|id| id as i64).collect()
    };
    let (tokens, types) = (ids(1, config.vocab_size), ids(2, config.type_vocab_size));
    let sequences: Vec<Sequence> = tokens
        .chunks(length)
        .zip(types.chunks(length))
        .enumerate()
        .map(|(row, (tokens, types))| {
            let kept = if padding { (length - (row * length / 5).min(length)).max(1) } else { length };
            let cut = |ids| <[i64]>::get(ids, ..kept).unwrap_or_default();
            Sequence { input_ids: cut(tokens), token_type_ids: cut(types) }
        })
        .collect();
    TokenBatch::padded(&sequences, config)
}

/// Compares the answers of the framework and of each candidate. `None` for a candidate that failed.
///
/// # Errors
/// When the framework fails, or a question cannot be asked.
pub fn agreements(
    reader: &Reader,
    field: &mut Field,
    questions: &Questions,
) -> Result<Vec<Option<Agreement>>, AnswerError> {
    let options = SpanOptions { count: 1, ..SpanOptions::default() };
    let mut agreements: Vec<Agreement> = field.candidates.iter().map(|_| Agreement::default()).collect();
    for (question, context) in questions {
        let expected =
            first(reader.answer(field.reference.required()?, question, context, &options, &mut |_, _| ())?);
        for (candidate, agreement) in field.candidates.iter_mut().zip(&mut agreements) {
            let answered = candidate.attempt(|engine| {
                reader.answer(engine, question, context, &options, &mut |_, _| ()).map_err(|error| match error {
                    AnswerError::Engine(error) => error,
                    other => EngineError::Run {
                        engine: crate::engine::Engine::name(engine).to_owned(),
                        reason: other.to_string(),
                    },
                })
            });
            if let Some(answers) = answered {
                agreement.take(question, &expected, &first(answers));
            }
        }
    }
    let whole =
        |agreement: Agreement| Some(agreement).filter(|found| found.items > 0 && found.items == questions.len());
    Ok(agreements.into_iter().map(whole).collect())
}

/// The best answer; none is an empty text.
fn first(answers: Vec<models::question_answering::Answer>) -> String {
    answers.into_iter().next().map(|answer| answer.text).unwrap_or_default()
}
