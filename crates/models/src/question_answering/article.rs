//! The answer by two separate maxima.

use super::{LogitsError, QaTokenizer, Window, WindowLogits};

/// The tokens from the most likely start to the most likely end.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ArticleAnswer {
    /// The tokens as text: lower-case with an uncased vocabulary, and empty if the end comes before the start.
    pub text: String,
    /// The most likely start, as a position in the sequence from 0.
    pub start_token: usize,
    /// The most likely end.
    pub end_token: usize,
}

/// The answer as the simplest example program finds it: the largest start logit and the largest end logit, each by itself
/// and over the whole sequence. It may lie in the question, hold special tokens, or be empty.
///
/// # Errors
/// When there are fewer logits than tokens, or one is not a number.
pub fn article_answer(
    tokenizer: &QaTokenizer,
    window: &Window,
    logits: &WindowLogits,
) -> Result<ArticleAnswer, LogitsError> {
    let start_token = largest(logits.start, window.len())?;
    let end_token = largest(logits.end, window.len())?;
    let tokens = window.input_ids().get(start_token..=end_token).unwrap_or_default();
    let ids: Vec<u32> = tokens.iter().filter_map(|id| u32::try_from(*id).ok()).collect();
    // Decoding fails only in decoders that BERT's tokenizers do not have.
    let text = tokenizer.decode(&ids).unwrap_or_default();
    Ok(ArticleAnswer { text, start_token, end_token })
}

/// The position of the first largest value.
fn largest(values: &[f32], count: usize) -> Result<usize, LogitsError> {
    let Some(values) = values.get(..count) else {
        return Err(LogitsError::Tokens { window: 0, found: values.len(), expected: count });
    };
    let mut best = 0;
    let mut largest = f32::NEG_INFINITY;
    for (position, &value) in values.iter().enumerate() {
        if value.is_nan() {
            return Err(LogitsError::NotANumber { window: 0, position });
        }
        if value > largest {
            (best, largest) = (position, value);
        }
    }
    Ok(best)
}
