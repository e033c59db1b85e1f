//! The best spans by the start and end logits of all windows.

use std::cmp::Ordering;
use std::ops::Range;

use super::Window;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanOptions {
    /// The longest answer in tokens.
    pub max_tokens: usize,
    /// How many answers to give at most.
    pub count: usize,
}

impl Default for SpanOptions {
    /// One answer of at most 30 tokens.
    fn default() -> Self {
        Self { max_tokens: 30, count: 1 }
    }
}

/// The logits of one window, at least one for each of its tokens; those of padding may follow.
#[derive(Debug, Clone, Copy)]
pub struct WindowLogits<'a> {
    /// That the answer starts at a token.
    pub start: &'a [f32],
    /// That the answer ends with a token.
    pub end: &'a [f32],
}

/// A part of the context that answers the question.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Answer {
    /// The part, as it stands in the context.
    pub text: String,
    /// The probability of its start times that of its end, from 0 to 1.
    pub score: f64,
    /// Where it starts in the context, in characters (Unicode code points) from 0.
    pub start: usize,
    /// Where it ends: the character after its last one.
    pub end: usize,
    /// The start logit.
    pub start_logit: f32,
    /// The end logit.
    pub end_logit: f32,
}

/// Why logits give no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogitsError {
    /// There is not one set of logits for each window.
    #[error("there are logits for {found} windows of {expected}")]
    Windows {
        /// How many there are.
        found: usize,
        /// How many windows there are.
        expected: usize,
    },
    /// A window has fewer logits than tokens.
    #[error("window {window} has {found} logits for {expected} tokens")]
    Tokens {
        /// Which, from 0.
        window: usize,
        /// How many there are.
        found: usize,
        /// How many tokens there are.
        expected: usize,
    },
    /// A logit is no number.
    #[error("window {window} has a logit that is not a number at token {position}")]
    NotANumber {
        /// Which window, from 0.
        window: usize,
        /// Which token, from 0.
        position: usize,
    },
}

/// A candidate, by its bytes in the context.
struct Candidate {
    bytes: Range<usize>,
    start_logit: f32,
    end_logit: f32,
}

impl Candidate {
    fn total(&self) -> f64 {
        f64::from(self.start_logit) + f64::from(self.end_logit)
    }

    /// The better one first; of equals, the earlier, then the shorter.
    fn order(&self, other: &Self) -> Ordering {
        let place = |candidate: &Self| (candidate.bytes.start, candidate.bytes.end);
        other.total().total_cmp(&self.total()).then_with(|| place(self).cmp(&place(other)))
    }
}

/// The spans with the largest sums of start and end logit, best first, each once.
///
/// Start and end are chosen together: the end is not before the start, the span is at most `max_tokens` long, and both lie
/// in the context of one window. Probabilities are softmax over the context and the first token, of all windows at once, so
/// that windows compare; for a single window they are those of `transformers`' pipeline.
///
/// # Errors
/// When the logits do not belong to these windows, or are not numbers.
pub fn best_answers(
    context: &str,
    windows: &[Window],
    logits: &[WindowLogits],
    options: &SpanOptions,
) -> Result<Vec<Answer>, LogitsError> {
    check(windows, logits)?;
    let mut best: Vec<Candidate> = Vec::new();
    for (window, logits) in windows.iter().zip(logits) {
        search(window, logits, options, &mut best);
    }
    let start_total = log_sum_exp(windows, logits.iter().map(|logits| logits.start));
    let end_total = log_sum_exp(windows, logits.iter().map(|logits| logits.end));
    let characters = |bytes: usize| context.get(..bytes).map_or(0, |text| text.chars().count());
    let answer = |candidate: Candidate| Answer {
        text: context.get(candidate.bytes.clone()).unwrap_or_default().to_owned(),
        score: (candidate.total() - start_total - end_total).exp(),
        start: characters(candidate.bytes.start),
        end: characters(candidate.bytes.end),
        start_logit: candidate.start_logit,
        end_logit: candidate.end_logit,
    };
    Ok(best.into_iter().map(answer).collect())
}

/// How "there is no answer" scores against spans: the sum of start and end logit of the first token, the least of all windows,
/// as a window beside the answer says nothing.
///
/// By the convention of SQuAD 2, there is no answer when this exceeds the best [`Answer::total`] by more than a threshold, 0
/// unless it was tuned.
///
/// # Errors
/// When the logits do not belong to these windows, or are not numbers.
pub fn no_answer_total(windows: &[Window], logits: &[WindowLogits]) -> Result<f64, LogitsError> {
    check(windows, logits)?;
    let totals =
        logits.iter().filter_map(|logits| Some(f64::from(*logits.start.first()?) + f64::from(*logits.end.first()?)));
    Ok(totals.fold(f64::INFINITY, f64::min))
}

impl Answer {
    /// The sum of start and end logit.
    pub fn total(&self) -> f64 {
        f64::from(self.start_logit) + f64::from(self.end_logit)
    }
}

fn check(windows: &[Window], logits: &[WindowLogits]) -> Result<(), LogitsError> {
    if windows.len() != logits.len() {
        return Err(LogitsError::Windows { found: logits.len(), expected: windows.len() });
    }
    for (index, (window, logits)) in windows.iter().zip(logits).enumerate() {
        for values in [logits.start, logits.end] {
            let Some(values) = values.get(..window.len()) else {
                return Err(LogitsError::Tokens { window: index, found: values.len(), expected: window.len() });
            };
            if let Some(position) = values.iter().position(|value| value.is_nan()) {
                return Err(LogitsError::NotANumber { window: index, position });
            }
        }
    }
    Ok(())
}

/// Enters the spans of one window into the list of the best.
fn search(window: &Window, logits: &WindowLogits, options: &SpanOptions, best: &mut Vec<Candidate>) {
    let tokens: Vec<_> = window.source().iter().zip(logits.start.iter().zip(logits.end)).collect();
    for (position, (start, (start_logit, _))) in tokens.iter().enumerate() {
        let Some(start) = start else { continue };
        for (end, (_, end_logit)) in tokens[position..].iter().take(options.max_tokens) {
            let Some(end) = end else { break };
            if end.end <= start.start {
                continue;
            }
            let bytes = start.start..end.end;
            enter(Candidate { bytes, start_logit: **start_logit, end_logit: **end_logit }, options.count, best);
        }
    }
}

fn enter(candidate: Candidate, count: usize, best: &mut Vec<Candidate>) {
    let full = best.len() >= count;
    if full && best.last().is_none_or(|last| candidate.order(last) != Ordering::Less) {
        return;
    }
    // Windows overlap, so a span may come twice.
    if let Some(same) = best.iter().position(|other| other.bytes == candidate.bytes) {
        if candidate.order(&best[same]) != Ordering::Less {
            return;
        }
        best.remove(same);
    }
    let place = best.partition_point(|other| other.order(&candidate) == Ordering::Less);
    best.insert(place, candidate);
    best.truncate(count);
}

/// The logarithm of the sum of the exponentials of all logits that count.
fn log_sum_exp<'a>(windows: &[Window], logits: impl Iterator<Item = &'a [f32]>) -> f64 {
    let values = windows.iter().zip(logits).flat_map(|(window, values)| {
        let counting = values.iter().take(window.len()).enumerate().filter(|(position, _)| window.counts(*position));
        counting.map(|(_, value)| f64::from(*value))
    });
    let values: Vec<f64> = values.collect();
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}
