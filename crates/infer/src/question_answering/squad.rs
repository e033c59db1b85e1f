//! SQuAD's figures for an engine.

use std::collections::BTreeMap;
use std::time::Instant;

use models::question_answering::SpanOptions;
use models::question_answering::squad::{SquadQuestion, exact_match, f1};
use serde::Serialize;

use super::answer::{AnswerError, Reader};
use crate::engine::Engine;

/// Questions whose windows are sorted and run together.
const GROUP: usize = 64;

/// How an engine did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SquadScore {
    /// The engine.
    pub engine: String,
    /// How many questions were asked.
    pub questions: usize,
    /// The share of answers that match one given by people, in per cent.
    pub exact_match: f64,
    /// The mean F1 over words, in per cent.
    pub f1: f64,
    /// The time for all of them, tokenising included.
    pub seconds: f64,
    /// Questions answered in a second.
    pub questions_per_second: f64,
    /// Each answer by the question's identifier: the official script's input.
    pub predictions: BTreeMap<String, String>,
}

/// Asks every question and judges the answers. `progress` is told how many questions are done.
///
/// # Errors
/// When a question cannot be asked or the engine fails.
pub fn score(
    reader: &Reader,
    engine: &mut dyn Engine,
    questions: &[SquadQuestion],
    options: &SpanOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<SquadScore, AnswerError> {
    let started = Instant::now();
    let (mut exact, mut sum, mut done) = (0_usize, 0.0, 0);
    let mut predictions = BTreeMap::new();
    for group in questions.chunks(GROUP) {
        let pairs: Vec<(&str, &str)> = group.iter().map(|entry| (entry.question.as_str(), &*entry.context)).collect();
        let answers = reader.answer_all(engine, &pairs, &SpanOptions { count: 1, ..*options })?;
        for (entry, answers) in group.iter().zip(answers) {
            let text = answers.into_iter().next().map(|answer| answer.text).unwrap_or_default();
            exact += usize::from(exact_match(&text, &entry.answers));
            sum += f1(&text, &entry.answers);
            predictions.insert(entry.id.clone(), text);
        }
        done += group.len();
        progress(done);
    }
    let seconds = started.elapsed().as_secs_f64();
    let count = questions.len().max(1) as f64;
    Ok(SquadScore {
        engine: engine.name().to_owned(),
        questions: questions.len(),
        exact_match: 100.0 * exact as f64 / count,
        f1: 100.0 * sum / count,
        seconds,
        questions_per_second: questions.len() as f64 / seconds,
        predictions,
    })
}
