//! Questions with the texts that answer them: the article's, or SQuAD's.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use evaluation::task::{Case, Figure, Metric, Shipped, Task};
use models::bert::{BertConfig, InputError, Sequence, TokenBatch};
use models::question_answering::squad::{SquadQuestion, exact_match, f1};
use models::question_answering::{QaTokenizer, SpanOptions, WindowOptions};

use super::answer::{AnswerError, Reader};
use super::random::random;
use super::{INPUTS, inputs};

/// Questions that cannot be asked and are shown.
const SHOWN: usize = 20;

/// Windows of questions that are compared with float64.
const COMPARED: usize = 4;

/// What a tokenizer is made of, and the network's configuration.
const TEXT_SIDE: [&str; 5] =
    ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"];

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
    /// What finds answers to questions of this tokenizer and network.
    pub fn reader(&self) -> Reader<'_> {
        Reader { tokenizer: &self.tokenizer, config: &self.config, windows: WindowOptions::default() }
    }

    /// Whether it is known what people answer.
    fn is_judged(&self) -> bool {
        self.questions.iter().any(|entry| !entry.answers.is_empty())
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
        let best = |found: Vec<models::question_answering::Answer>| {
            found.into_iter().next().map(|answer| answer.text).unwrap_or_default()
        };
        Ok(answers.into_iter().map(|found| found.map(best).map_err(|error| error.to_string())).collect())
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
            exact += usize::from(exact_match(text, &entry.answers));
            sum += f1(text, &entry.answers);
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
        vec![format!("the times are for {} tokens a question", self.sequence)]
    }

    fn shipped(&self) -> Result<Shipped, EngineError> {
        let entry = self.questions.first();
        let (question, context) = entry.map_or(("", ""), |entry| (entry.question.as_str(), &*entry.context));
        let refused =
            |reason: String| EngineError::Input { engine: "the network".to_owned(), name: INPUTS.join(", "), reason };
        let windows = self.reader().windows(question, context).map_err(|error| refused(error.to_string()))?;
        let window = windows.first().ok_or_else(|| refused("the question has no tokens".to_owned()))?;
        let batch = TokenBatch::padded(&[window.sequence()], &self.config).map_err(unsuitable)?;
        let files = TEXT_SIDE.map(|name| (format!("tokenizer/{name}"), self.folder.join(name)));
        Ok(Shipped {
            example: inputs(&batch)?,
            about: format!("the question \"{question}\" about \"{context}\""),
            labels: None,
            files: BTreeMap::from_iter(files.into_iter().filter(|(_, path)| path.is_file())),
        })
    }
}

/// Tokens that do not suit the network.
pub(crate) fn unsuitable(error: InputError) -> EngineError {
    EngineError::Input { engine: "the network".to_owned(), name: INPUTS.join(", "), reason: error.to_string() }
}
