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
    /// How many questions there are. The figures are over all of them.
    pub questions: usize,
    /// Those that cannot be asked. They count as wrong and have no prediction.
    pub unusable: Vec<UnusableQuestion>,
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

/// A question that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusableQuestion {
    /// Its identifier in the data set.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Asks every question and judges the answers. A question that cannot be asked counts as wrong, as one without an answer does
/// by the official definition. `progress` is told how many questions are done; a question may be done in part.
///
/// # Errors
/// When the engine fails.
pub fn score(
    reader: &Reader,
    engine: &mut dyn Engine,
    questions: &[SquadQuestion],
    options: &SpanOptions,
    progress: &mut dyn FnMut(f64),
) -> Result<SquadScore, AnswerError> {
    let started = Instant::now();
    let (mut exact, mut sum, mut done) = (0_usize, 0.0, 0_usize);
    let mut predictions = BTreeMap::new();
    let mut unusable = Vec::new();
    for group in questions.chunks(GROUP) {
        let pairs: Vec<(&str, &str)> = group.iter().map(|entry| (entry.question.as_str(), &*entry.context)).collect();
        let options = SpanOptions { count: 1, ..*options };
        let mut report = |share: f64| progress(done as f64 + share * group.len() as f64);
        let answers = reader.answer_all(engine, &pairs, &options, &mut report)?;
        for (entry, answers) in group.iter().zip(answers) {
            let answers = match answers {
                Ok(answers) => answers,
                Err(error) => {
                    unusable.push(UnusableQuestion { id: entry.id.clone(), reason: error.to_string() });
                    continue;
                }
            };
            let text = answers.into_iter().next().map(|answer| answer.text).unwrap_or_default();
            exact += usize::from(exact_match(&text, &entry.answers));
            sum += f1(&text, &entry.answers);
            predictions.insert(entry.id.clone(), text);
        }
        done += group.len();
        progress(done as f64);
    }
    let seconds = started.elapsed().as_secs_f64();
    let count = questions.len().max(1) as f64;
    Ok(SquadScore {
        engine: engine.name().to_owned(),
        questions: questions.len(),
        unusable,
        exact_match: 100.0 * exact as f64 / count,
        f1: 100.0 * sum / count,
        seconds,
        questions_per_second: questions.len() as f64 / seconds,
        predictions,
    })
}
