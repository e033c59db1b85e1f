//! The data of a run: questions in windows with the tokens of their answers, and questions to judge by.

use std::path::{Path, PathBuf};

use models::bert::Sequence;
use models::question_answering::squad::{self, Labelled, SquadError, SquadQuestion};
use models::question_answering::{QaTokenizer, QuestionError, Window, WindowOptions};
use rayon::prelude::*;

use crate::random::{Generator, Purpose};

/// The steps among whose windows those of like length are put together.
const BUCKET: usize = 50;

/// What is learnt from and judged by.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Windows to learn from.
    pub lessons: Vec<Lesson>,
    /// Questions to judge by.
    pub exam: Vec<Examined>,
    /// How it came about.
    pub summary: Summary,
}

/// Counts of a [`Data`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Questions to learn from.
    pub learnt: usize,
    /// Those among them that cannot be asked, or have no usable answer.
    pub left_out: usize,
    /// Articles held out of the file to learn from.
    pub held_out: usize,
}

/// A window with the tokens of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    input_ids: Vec<i64>,
    token_type_ids: Vec<i64>,
    /// The first and the last token of the answer; both 0, the first token, where the window does not hold all of it.
    pub answer: (usize, usize),
}

/// A question to judge by, with the windows that it is asked in; none if it cannot be asked.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The question.
    pub question: SquadQuestion,
    /// Its windows.
    pub windows: Vec<Window>,
}

/// Why questions cannot be learnt.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file is not usable.
    #[error(transparent)]
    Squad(#[from] SquadError),
    /// The file does not say where its answers start.
    #[error("{} does not say where its answers start (answer_start), as learning from it needs", path.display())]
    Unlabelled {
        /// The file.
        path: PathBuf,
    },
    /// No question is left to learn from.
    #[error("{}: no question is left to learn from, of {questions} in {articles} articles", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// Its questions.
        questions: usize,
        /// Its articles.
        articles: usize,
    },
    /// The share that is held out holds no article.
    #[error(
        "{}: of {articles} articles, a share of {share} is none to judge by; a larger --hold-out holds some out, 0 judges \
         by nothing, and --dev names another file", path.display()
    )]
    NothingHeldOut {
        /// The file.
        path: PathBuf,
        /// Its articles.
        articles: usize,
        /// The share that was asked for.
        share: f64,
    },
}

/// Where questions come from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What is learnt from.
    pub learnt: &'a Path,
    /// What is judged by, if that is another file.
    pub judged: Option<&'a Path>,
    /// The share of the articles to judge by, where that is the same file.
    pub hold_out: Option<f64>,
    /// Only this many questions of each part.
    pub limit: Option<usize>,
}

impl Source<'_> {
    /// Reads the questions and cuts them into windows.
    ///
    /// # Errors
    /// When a file is not usable, or nothing is left to learn from or, where something is to be, to judge by.
    pub fn load(&self, tokenizer: &QaTokenizer, options: &WindowOptions) -> Result<Data, DataError> {
        let path = || self.learnt.to_owned();
        let all = squad::read_labelled(self.learnt)?;
        if all.iter().all(|labelled| labelled.start.is_none()) {
            return Err(DataError::Unlabelled { path: path() });
        }
        let (questions, articles) = (all.len(), all.last().map_or(0, |last| last.article + 1));
        let share = self.hold_out.unwrap_or(0.0);
        let (held_out, mut learnt): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| is_held_out(one.article, share));
        let mut judged: Vec<SquadQuestion> = match self.judged {
            Some(path) => squad::read(path)?,
            None => held_out.into_iter().map(|labelled| labelled.question).collect(),
        };
        if share > 0.0 && judged.is_empty() {
            return Err(DataError::NothingHeldOut { path: path(), articles, share });
        }
        learnt.truncate(self.limit.unwrap_or(usize::MAX));
        judged.truncate(self.limit.unwrap_or(usize::MAX));
        let lessons: Vec<Vec<Lesson>> = learnt.par_iter().map(|one| lessons(one, tokenizer, options)).collect();
        let summary = Summary {
            learnt: learnt.len(),
            left_out: lessons.iter().filter(|lessons| lessons.is_empty()).count(),
            held_out: (0..articles).filter(|article| is_held_out(*article, share)).count(),
        };
        let lessons: Vec<Lesson> = lessons.into_iter().flatten().collect();
        if lessons.is_empty() {
            return Err(DataError::Nothing { path: path(), questions, articles });
        }
        let exam = judged.into_par_iter().map(|question| {
            let windows = tokenizer.windows(&question.question, &question.context, options).unwrap_or_default();
            Examined { question, windows }
        });
        Ok(Data { lessons, exam: exam.collect(), summary })
    }
}

/// Whether an article is among the evenly spread share that is held out: of 0.2, every fifth one.
pub fn is_held_out(article: usize, share: f64) -> bool {
    // A share such as 0.29 is a little less or more in binary; its multiples count as whole all the same.
    let count = |articles: usize| (articles as f64 * share + 1e-9).floor();
    count(article + 1) > count(article)
}

/// The windows of a question to learn from; none if it cannot be asked, or has an answer that cannot be found.
fn lessons(labelled: &Labelled, tokenizer: &QaTokenizer, options: &WindowOptions) -> Vec<Lesson> {
    let answer = labelled.answer();
    if answer.is_none() && !labelled.question.answers.is_empty() {
        return Vec::new();
    }
    let SquadQuestion { question, context, .. } = &labelled.question;
    let windows: Result<Vec<Window>, QuestionError> = tokenizer.windows(question, context, options);
    let lesson = |window: Window| Lesson {
        input_ids: window.input_ids().to_vec(),
        token_type_ids: window.token_type_ids().to_vec(),
        answer: answer.clone().and_then(|bytes| window.tokens_of(bytes)).unwrap_or_default(),
    };
    windows.unwrap_or_default().into_iter().map(lesson).collect()
}

impl Lesson {
    /// What a network takes.
    pub fn sequence(&self) -> Sequence<'_> {
        Sequence { input_ids: &self.input_ids, token_type_ids: &self.token_type_ids }
    }
}

/// The windows of each step of an epoch, by their numbers: in random order, those of like length together, but for the last step,
/// which takes what is left.
pub fn batches(lessons: &[Lesson], batch_size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let order = Generator::new(seed, Purpose::Shuffle, epoch, 0).permutation(lessons.len() as u32);
    let mut order: Vec<usize> = order.into_iter().map(|index| index as usize).collect();
    let whole = order.len() / batch_size * batch_size;
    let rest = order.split_off(whole);
    for bucket in order.chunks_mut(BUCKET * batch_size) {
        bucket.sort_by_key(|&index| lessons.get(index).map_or(0, |lesson| lesson.input_ids.len()));
    }
    let sorted: Vec<&[usize]> = order.chunks(batch_size).collect();
    let shuffled = Generator::new(seed, Purpose::Batches, epoch, 0).permutation(sorted.len() as u32);
    let batches = shuffled.into_iter().filter_map(|index| sorted.get(index as usize)).map(|batch| batch.to_vec());
    batches.chain((!rest.is_empty()).then_some(rest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_held_out_is_evenly_spread() {
        let held_out = |share| (0..48).filter(|article| is_held_out(*article, share)).collect::<Vec<_>>();
        assert_eq!(held_out(0.2), [4, 9, 14, 19, 24, 29, 34, 39, 44]);
        assert!(held_out(0.0).is_empty());
        assert_eq!(held_out(0.5).len(), 24);
    }

    #[test]
    fn every_window_is_used_once_with_others_of_its_length() {
        let lesson =
            |length: usize| Lesson { input_ids: vec![0; length], token_type_ids: vec![0; length], answer: (0, 0) };
        let lessons: Vec<Lesson> = (0..1003).map(|index| lesson(20 + index * 7919 % 300)).collect();
        let first = batches(&lessons, 8, 1, 0);
        assert_eq!(first.len(), 126);
        assert_eq!(first.last().map(Vec::len), Some(3));
        let mut all: Vec<usize> = first.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1003));
        // Fifty steps of eight spread over 300 lengths: a batch spans about a fiftieth of them, up to chance.
        for batch in &first[..125] {
            let lengths: Vec<usize> = batch.iter().map(|&index| lessons[index].input_ids.len()).collect();
            let span = lengths.iter().max().unwrap() - lengths.iter().min().unwrap();
            assert!(span < 40, "{lengths:?}");
        }
        assert_eq!(first, batches(&lessons, 8, 1, 0));
        assert_ne!(first, batches(&lessons, 8, 1, 1));
        assert_ne!(first, batches(&lessons, 8, 2, 0));
    }
}
