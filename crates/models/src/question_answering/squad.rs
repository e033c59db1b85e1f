//! SQuAD v1.1 (Rajpurkar, Zhang, Lopyrev and Liang, 2016): the data set, and its official figures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

/// A question with the answers that people gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SquadQuestion {
    /// Its identifier in the data set.
    pub id: String,
    /// The question.
    pub question: String,
    /// The paragraph that holds the answer; shared by its questions.
    pub context: Arc<str>,
    /// What people answered; at least one.
    pub answers: Vec<String>,
}

/// Why a file is not usable.
#[derive(Debug, thiserror::Error)]
pub enum SquadError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The content is not SQuAD's JSON.
    #[error("{} is not in SQuAD's format: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds no question.
    #[error("{} holds no questions", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A question has no answer, as in version 2.0.
    #[error("{}: question {id} has no answers; unanswerable questions (SQuAD 2.0) are not supported", path.display())]
    Unanswerable {
        /// The file.
        path: PathBuf,
        /// The question's identifier.
        id: String,
    },
}

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    question: String,
    answers: Vec<GivenAnswer>,
}

#[derive(Deserialize)]
struct GivenAnswer {
    text: String,
}

/// Reads a file such as `dev-v1.1.json`: the questions in order.
///
/// # Errors
/// When it cannot be read, is not in the format, or holds no question or one without answers.
pub fn read(path: &Path) -> Result<Vec<SquadQuestion>, SquadError> {
    let bytes = std::fs::read(path).map_err(|source| SquadError::Io { path: path.to_owned(), source })?;
    let file: File = serde_json::from_slice(&bytes)
        .map_err(|error| SquadError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
    let mut questions = Vec::new();
    for paragraph in file.data.into_iter().flat_map(|article| article.paragraphs) {
        let context: Arc<str> = paragraph.context.into();
        for entry in paragraph.qas {
            if entry.answers.is_empty() {
                return Err(SquadError::Unanswerable { path: path.to_owned(), id: entry.id });
            }
            questions.push(SquadQuestion {
                id: entry.id,
                question: entry.question,
                context: Arc::clone(&context),
                answers: entry.answers.into_iter().map(|answer| answer.text).collect(),
            });
        }
    }
    if questions.is_empty() {
        return Err(SquadError::Empty { path: path.to_owned() });
    }
    Ok(questions)
}

/// Whether `prediction` is one of `answers`, apart from case, punctuation, articles and spaces.
pub fn exact_match(prediction: &str, answers: &[String]) -> bool {
    let prediction = normalized(prediction);
    answers.iter().any(|answer| normalized(answer) == prediction)
}

/// The harmonic mean of precision and recall over words, from 0 to 1, for the answer that it is best for.
pub fn f1(prediction: &str, answers: &[String]) -> f64 {
    let prediction = normalized(prediction);
    answers.iter().map(|answer| word_f1(&prediction, &normalized(answer))).fold(0.0, f64::max)
}

fn word_f1(prediction: &str, answer: &str) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    let answer_words = answer.split(' ').filter(|word| !word.is_empty()).inspect(|word| {
        *left.entry(word).or_default() += 1;
    });
    let answer_words = answer_words.count();
    let (mut prediction_words, mut common) = (0, 0);
    for word in prediction.split(' ').filter(|word| !word.is_empty()) {
        prediction_words += 1;
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let precision = common as f64 / prediction_words as f64;
    let recall = common as f64 / answer_words as f64;
    2.0 * precision * recall / (precision + recall)
}

/// `normalize_answer` of the official script: lower case, no ASCII punctuation, no `a`, `an`, `the`, single spaces.
pub fn normalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let plain: String = lower.chars().filter(|character| !character.is_ascii_punctuation()).collect();
    let words = without_articles(&plain);
    words.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The regular expression `\b(a|an|the)\b` replaced by a space. A word is a run of letters and digits; other characters,
/// such as a dash beyond ASCII, end it.
fn without_articles(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = first.is_alphanumeric();
        let end = rest.find(|character: char| character.is_alphanumeric() != in_word).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        kept += if matches!(run, "a" | "an" | "the") { " " } else { run };
        rest = after;
    }
    kept
}

/// What Python's `str.split` takes for space: Unicode's white space and four ASCII separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}
