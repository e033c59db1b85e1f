//! SQuAD (Rajpurkar, Zhang, Lopyrev and Liang, 2016; version 2: Rajpurkar, Jia and Liang, 2018): the data set, and its
//! official figures.

mod file;
mod score;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use file::{read, read_labelled};
pub use score::{exact_match, f1, normalized};

/// A question with the answers that people gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SquadQuestion {
    /// Its identifier in the data set.
    pub id: String,
    /// The question.
    pub question: String,
    /// The paragraph that holds the answer; shared by its questions.
    pub context: Arc<str>,
    /// What people answered; empty if the paragraph holds no answer, which version 2 asks as well.
    pub answers: Vec<String>,
    /// How answers are judged.
    pub rules: Rules,
}

/// A question to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The question.
    pub question: SquadQuestion,
    /// Its article in the file, from 0.
    pub article: usize,
    /// Where the first answer starts in the context, in characters (Unicode code points), if the file says so.
    pub start: Option<usize>,
}

impl Labelled {
    /// The bytes of the context that are the first answer; `None` where there is no answer, the file does not say where it
    /// starts, or the context is too short for it.
    pub fn answer(&self) -> Option<Range<usize>> {
        let (text, start) = (self.question.answers.first()?, self.start?);
        let context = &self.question.context;
        let mut ends = context.char_indices().map(|(byte, _)| byte).chain([context.len()]);
        let from = ends.nth(start)?;
        let to = match text.chars().count() {
            0 => from,
            characters => ends.nth(characters - 1)?,
        };
        Some(from..to)
    }
}

/// The version of the official script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Every question has an answer.
    Version1,
    /// A question may have none, and an empty prediction says so.
    Version2,
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
}
