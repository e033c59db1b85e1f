//! A question and a context as sequences that a network can take.

use std::ops::Range;

use tokenizers::{Encoding, TruncationDirection};

use super::QaTokenizer;
use crate::bert::Sequence;

/// How a long context is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowOptions {
    /// The longest sequence in tokens, with the question and the special tokens. The network's position table bounds it.
    pub length: usize,
    /// Tokens of the context that neighbouring windows share, as `stride` means in `transformers`. Halved room takes its
    /// place where a long question leaves no more.
    pub stride: usize,
}

impl Default for WindowOptions {
    /// 384 tokens, of which 128 are shared.
    fn default() -> Self {
        Self { length: 384, stride: 128 }
    }
}

/// A question with a part of its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    input_ids: Vec<i64>,
    token_type_ids: Vec<i64>,
    /// The bytes of the context that a token stands for; `None` for the question and special tokens.
    source: Vec<Option<Range<usize>>>,
    /// Whether the first token is special: the one that stands for "no answer here".
    begins_special: bool,
}

/// Why a question cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// There is no question.
    #[error("the question is empty")]
    EmptyQuestion,
    /// There is nothing to search for an answer.
    #[error("the context is empty")]
    EmptyContext,
    /// The question leaves no room for the context.
    #[error("the question has {tokens} tokens; of {length} in a sequence, it leaves no room for the context")]
    QuestionTooLong {
        /// Its length in tokens.
        tokens: usize,
        /// The longest sequence.
        length: usize,
    },
    /// The tokenizer failed.
    #[error("the text cannot be tokenised: {reason}")]
    Tokenizer {
        /// Its reason.
        reason: String,
    },
}

impl QaTokenizer {
    /// Cuts `context` into windows that begin with `question`; one window if everything fits. There is at least one.
    ///
    /// # Errors
    /// When question or context holds no token, or the question is too long for a window.
    pub fn windows(
        &self,
        question: &str,
        context: &str,
        options: &WindowOptions,
    ) -> Result<Vec<Window>, QuestionError> {
        let failed = |reason: String| QuestionError::Tokenizer { reason };
        let question = self.encode(question).map_err(failed)?;
        let mut context = self.encode(context).map_err(failed)?;
        if question.is_empty() {
            return Err(QuestionError::EmptyQuestion);
        }
        if context.is_empty() {
            return Err(QuestionError::EmptyContext);
        }
        let frame = self.join(question.clone(), Encoding::default()).map_err(failed)?;
        let room = options.length.saturating_sub(frame.len());
        if room == 0 {
            return Err(QuestionError::QuestionTooLong { tokens: question.len(), length: options.length });
        }
        let stride = if options.stride < room { options.stride } else { room / 2 };
        context.truncate(room, stride, TruncationDirection::Right);
        let rest = context.take_overflowing();
        [context]
            .into_iter()
            .chain(rest)
            .map(|part| {
                let joined = self.join(question.clone(), part).map_err(failed)?;
                Ok(Window::new(&joined))
            })
            .collect()
    }
}

impl Window {
    fn new(encoding: &Encoding) -> Self {
        let sequences = encoding.get_sequence_ids();
        let source = encoding.get_offsets().iter().zip(&sequences);
        let source = source.map(|(&(start, end), sequence)| (*sequence == Some(1)).then_some(start..end));
        Self {
            input_ids: encoding.get_ids().iter().map(|id| i64::from(*id)).collect(),
            token_type_ids: encoding.get_type_ids().iter().map(|id| i64::from(*id)).collect(),
            source: source.collect(),
            begins_special: sequences.first() == Some(&None),
        }
    }

    /// The ids of the window's tokens, without padding.
    pub fn input_ids(&self) -> &[i64] {
        &self.input_ids
    }

    /// 0 for the question's tokens and 1 for the context's.
    pub fn token_type_ids(&self) -> &[i64] {
        &self.token_type_ids
    }

    /// What a network takes.
    pub fn sequence(&self) -> Sequence<'_> {
        Sequence { input_ids: &self.input_ids, token_type_ids: &self.token_type_ids }
    }

    /// The number of tokens; never zero.
    pub fn len(&self) -> usize {
        self.input_ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.input_ids.is_empty()
    }

    /// The bytes of the context that each token stands for; `None` for the question and special tokens.
    pub fn source(&self) -> &[Option<Range<usize>>] {
        &self.source
    }

    /// The first and the last token of these bytes of the context; `None` if the window does not hold all of them.
    pub fn tokens_of(&self, bytes: Range<usize>) -> Option<(usize, usize)> {
        let context = || self.source.iter().enumerate().filter_map(|(index, source)| Some((index, source.as_ref()?)));
        let (first, last) = (context().next()?.1.start, context().next_back()?.1.end);
        if bytes.start < first || bytes.end > last {
            return None;
        }
        let start = context().take_while(|(_, token)| token.start <= bytes.start).last()?.0;
        let end = context().find(|(_, token)| token.end >= bytes.end)?.0;
        Some((start, end))
    }

    /// Whether the logits of a token take part in the normalisation of scores: the context, and the first token, on which
    /// a network puts what it does not find.
    pub(super) fn counts(&self, position: usize) -> bool {
        let in_context = self.source.get(position).is_some_and(Option::is_some);
        in_context || (position == 0 && self.begins_special)
    }
}
