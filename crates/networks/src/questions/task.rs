//! Questions with the texts that answer them: the article's, or SQuAD's.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use evaluation::task::{Case, Figure, Metric, Shipped, Task};
use models::bert::{BertConfig, InputError, Sequence, TokenBatch};
use models::question_answering::squad::{Rules, SquadQuestion};
use models::question_answering::{QaTokenizer, SpanOptions, WindowOptions};

use super::answer::{AnswerError, Found, Reader};
use super::random::random;
use super::{INPUTS, inputs};

/// Questions that cannot be asked and are shown.
const SHOWN: usize = 20;

/// Windows of questions that are compared with float64.
const COMPARED: usize = 4;

/// Questions to ask.
pub struct QuestionTask {
    /// The tokenizer.
    pub tokenizer: QaTokenizer,
    /// The sizes of the network.
    pub config: BertConfig,
    /// The Hugging Face folder that both come from.
    pub folder: PathBuf,
    /// The questions, with answers by people where those are known.
    pub questions: Vec<SquadQuestion>,
    /// How answers are picked.
    pub options: SpanOptions,
    /// Tokens in each sequence that is timed.
    pub sequence: usize,
}

impl QuestionTask {
    /// Tokenizer and configuration; some of the files may not be there.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        QaTokenizer::files(&self.folder).into_iter().chain([self.folder.join("config.json")])
    }

    /// What finds answers to questions of this tokenizer and network.
    pub fn reader(&self) -> Reader<'_> {
        Reader { tokenizer: &self.tokenizer, config: &self.config, windows: WindowOptions::default() }
    }

    /// Whether it is known what people answer.
    fn is_judged(&self) -> bool {
        self.questions.iter().any(|entry| !entry.answers.is_empty() || entry.rules == Rules::Version2)
    }
}

impl Task for QuestionTask {
    /// Which question, from zero.
    type Item = usize;
    /// The best answer, or why the question cannot be asked.
    type Answer = Result<String, String>;

    const ITEMS: &'static str = "questions";
    const AT_ONCE: usize = 64;

    fn count(&self) -> usize {
        self.questions.len()
    }

    fn items(&self, range: Range<usize>) -> Result<Vec<usize>, EngineError> {
        Ok(range.collect())
    }

    fn ask(&self, engine: &mut dyn Engine, items: &[usize]) -> Result<Vec<Self::Answer>, EngineError> {
        let pair = |&index: &usize| {
            let entry = self.questions.get(index);
            entry.map_or(("", ""), |entry| (entry.question.as_str(), &*entry.context))
        };
        let pairs: Vec<(&str, &str)> = items.iter().map(pair).collect();
        let options = SpanOptions { count: 1, ..self.options };
        let name = engine.name().to_owned();
        let answers = self.reader().answer_all(engine, &pairs, &options, &mut |_| ());
        let answers = answers.map_err(|error| match error {
            AnswerError::Engine(error) => error,
            other => EngineError::Run { engine: name, reason: other.to_string() },
        })?;
        let best = |index: usize, found: Found| {
            let best = found.answers.into_iter().next();
            self.questions.get(index).map_or_else(String::new, |entry| entry.prediction(best, found.no_answer))
        };
        let told = items.iter().zip(answers);
        Ok(told
            .map(|(&index, found)| found.map(|found| best(index, found)).map_err(|error| error.to_string()))
            .collect())
    }

    fn name(&self, item: &usize) -> String {
        self.questions.get(*item).map_or_else(String::new, |entry| entry.question.clone())
    }

    fn words(&self, answer: &Self::Answer) -> String {
        answer.clone().unwrap_or_default()
    }

    /// SQuAD's official figures. What cannot be asked counts as wrong.
    fn score(&self, answers: &[Self::Answer]) -> Vec<Metric> {
        if !self.is_judged() {
            return Vec::new();
        }
        let (mut exact, mut sum) = (0_usize, 0.0);
        for (entry, answer) in self.questions.iter().zip(answers) {
            let Ok(text) = answer else { continue };
            exact += usize::from(entry.exact_match(text));
            sum += entry.f1(text);
        }
        let share = |sum: f64| 100.0 * sum / answers.len().max(1) as f64;
        vec![Metric::percent("exact match", share(exact as f64)), Metric::percent("F1", share(sum))]
    }

    fn figures(&self, answers: &[Self::Answer]) -> Vec<Figure> {
        let refused =
            || self.questions.iter().zip(answers).filter_map(|(entry, found)| Some((entry, found.as_ref().err()?)));
        match refused().count() {
            0 => Vec::new(),
            total => vec![Figure::List {
                title: "Questions that cannot be asked, counted as wrong".to_owned(),
                items: refused().take(SHOWN).map(|(entry, reason)| format!("{}: {reason}", entry.id)).collect(),
                total,
            }],
        }
    }

    /// As SQuAD's official script reads them. What cannot be asked has none.
    fn predictions(&self, answers: &[Self::Answer]) -> BTreeMap<String, String> {
        if !self.is_judged() {
            return BTreeMap::new();
        }
        let answered = self.questions.iter().zip(answers);
        answered.filter_map(|(entry, found)| Some((entry.id.clone(), found.clone().ok()?))).collect()
    }

    /// The first questions that can be asked.
    fn cases(&self) -> Result<Vec<Case>, EngineError> {
        let reader = self.reader();
        let asked = self.questions.iter().filter_map(|entry| reader.windows(&entry.question, &entry.context).ok());
        let windows: Vec<_> = asked.flatten().take(COMPARED).collect();
        let sequences: Vec<Sequence> = windows.iter().map(|window| window.sequence()).collect();
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let batch = TokenBatch::padded(&sequences, &self.config).map_err(unsuitable)?;
        Ok(vec![(format!("{} x {} asked", batch.batch(), batch.sequence()), inputs(&batch)?)])
    }

    /// Random sequences of full length.
    fn timed(&self, batch: usize) -> Result<Vec<NamedTensor>, EngineError> {
        inputs(&random(&self.config, batch, self.sequence, false).map_err(unsuitable)?)
    }

    fn notes(&self) -> Vec<String> {
        let times = format!("the times are for {} tokens a question", self.sequence);
        self.tokenizer.warnings().iter().cloned().chain([times]).collect()
    }

    fn shipped(&self) -> Result<Shipped, EngineError> {
        let entry = self.questions.first();
        let (question, context) = entry.map_or(("", ""), |entry| (entry.question.as_str(), &*entry.context));
        let refused =
            |reason: String| EngineError::Input { engine: "the network".to_owned(), name: INPUTS.join(", "), reason };
        let windows = self.reader().windows(question, context).map_err(|error| refused(error.to_string()))?;
        let window = windows.first().ok_or_else(|| refused("the question has no tokens".to_owned()))?;
        let batch = TokenBatch::padded(&[window.sequence()], &self.config).map_err(unsuitable)?;
        let files = self.files().filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            Some((format!("tokenizer/{name}"), path.clone()))
        });
        Ok(Shipped {
            example: inputs(&batch)?,
            about: format!("the question \"{question}\" about \"{context}\""),
            labels: None,
            files: files.filter(|(_, path)| path.is_file()).collect(),
        })
    }
}

/// Tokens that do not suit the network.
pub(crate) fn unsuitable(error: InputError) -> EngineError {
    EngineError::Input { engine: "the network".to_owned(), name: INPUTS.join(", "), reason: error.to_string() }
}
