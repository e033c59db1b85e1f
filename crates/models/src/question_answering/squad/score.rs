//! The official figures.

use std::collections::HashMap;

use super::{Rules, SquadQuestion};
use crate::question_answering::Answer;

/// Whether `prediction` is one of `answers`, apart from case, punctuation, articles and spaces. Without answers, an empty
/// prediction is right.
pub fn exact_match(prediction: &str, answers: &[String]) -> bool {
    let prediction = normalized(prediction);
    if answers.is_empty() {
        return prediction.is_empty();
    }
    answers.iter().any(|answer| normalized(answer) == prediction)
}

/// The harmonic mean of precision and recall over words, from 0 to 1, for the answer that it is best for. Without answers, it
/// is 1 for an empty prediction.
pub fn f1(prediction: &str, answers: &[String]) -> f64 {
    let prediction = normalized(prediction);
    if answers.is_empty() {
        return f64::from(u8::from(prediction.is_empty()));
    }
    answers.iter().map(|answer| word_f1(&prediction, &normalized(answer))).fold(0.0, f64::max)
}

impl SquadQuestion {
    /// What is predicted, given the best answer and what speaks for none ([`no_answer_total`](crate::question_answering::no_answer_total)):
    /// version 2 asks questions that the text does not answer as well, and an empty prediction says so.
    pub fn prediction(&self, best: Option<Answer>, no_answer: f64) -> String {
        let abstains = self.rules == Rules::Version2;
        best.filter(|answer| !abstains || answer.total() >= no_answer).map_or_else(String::new, |answer| answer.text)
    }

    /// Whether `prediction`, empty for "no answer", is right by the official script of the question's version.
    pub fn exact_match(&self, prediction: &str) -> bool {
        match self.rules {
            Rules::Version1 => exact_match(prediction, &self.answers),
            Rules::Version2 => exact_match(prediction, &self.telling_answers()),
        }
    }

    /// The F1 of `prediction`, empty for "no answer", by the official script of the question's version, from 0 to 1.
    pub fn f1(&self, prediction: &str) -> f64 {
        match self.rules {
            Rules::Version1 => f1(prediction, &self.answers),
            Rules::Version2 => f1(prediction, &self.telling_answers()),
        }
    }

    /// Version 2's script takes no account of answers of which nothing is left, such as articles.
    fn telling_answers(&self) -> Vec<String> {
        self.answers.iter().filter(|answer| !normalized(answer).is_empty()).cloned().collect()
    }
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
