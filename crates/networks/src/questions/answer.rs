//! From questions to answers.

use models::bert::{BertConfig, InputError, TokenBatch};
use models::question_answering::{
    Answer, ArticleAnswer, LogitsError, QaTokenizer, QuestionError, SpanOptions, Window, WindowLogits, WindowOptions,
    article_answer, best_answers, no_answer_total,
};

use super::{OUTPUTS, inputs};
use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;

/// Windows that run at once.
pub const BATCH: usize = 8;

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The question or its context cannot be used.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The tokens do not suit the network.
    #[error("the tokenizer and the network do not belong together: {0}")]
    Tokens(#[from] InputError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine gave something else than logits.
    #[error("{engine}: {error}")]
    Logits {
        /// The engine.
        engine: String,
        /// What is wrong with them.
        error: LogitsError,
    },
    /// The whole context has to fit one sequence here.
    #[error(
        "question and context need {windows} windows; the article's way of picking takes one sequence of {length} tokens"
    )]
    SeveralWindows {
        /// How many they need.
        windows: usize,
        /// The longest sequence.
        length: usize,
    },
}

/// A text side and the sizes of the network that it belongs to.
pub struct Reader<'a> {
    /// The tokenizer.
    pub tokenizer: &'a QaTokenizer,
    /// The network's configuration.
    pub config: &'a BertConfig,
    /// How long contexts are cut; the network's position table bounds the length.
    pub windows: WindowOptions,
}

/// What was found for a question.
#[derive(Debug, Clone)]
pub struct Found {
    /// The best answers, best first.
    pub answers: Vec<Answer>,
    /// What speaks for no answer, to be compared with [`Answer::total`] of the best.
    pub no_answer: f64,
}

/// Start and end logits of one window, padding included.
struct Logits {
    start: Vec<f32>,
    end: Vec<f32>,
}

impl Logits {
    fn view(&self) -> WindowLogits<'_> {
        WindowLogits { start: &self.start, end: &self.end }
    }
}

impl Reader<'_> {
    /// Cuts question and context into windows.
    ///
    /// # Errors
    /// When one of them is empty, or the question is too long.
    pub fn windows(&self, question: &str, context: &str) -> Result<Vec<Window>, QuestionError> {
        let length = self.windows.length.min(self.config.max_position_embeddings);
        self.tokenizer.windows(question, context, &WindowOptions { length, ..self.windows })
    }

    /// The best answers to one question. `progress` is told how many windows have run.
    ///
    /// # Errors
    /// When the question cannot be used, or the engine fails.
    pub fn answer(
        &self,
        engine: &mut dyn Engine,
        question: &str,
        context: &str,
        options: &SpanOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Answer>, AnswerError> {
        let windows = self.windows(question, context)?;
        let mut logits = Vec::new();
        for chunk in windows.chunks(BATCH) {
            let references: Vec<&Window> = chunk.iter().collect();
            logits.extend(self.run(engine, &references)?);
            progress(logits.len(), windows.len());
        }
        best(context, &windows, &logits, options, engine)
    }

    /// The best answers to each of several questions, and how much speaks for none, whose windows run in shared batches. A question that cannot be asked
    /// is an error in its place. `progress` is told which share of the windows has run.
    ///
    /// # Errors
    /// When the engine fails, or the tokens do not suit the network.
    pub fn answer_all(
        &self,
        engine: &mut dyn Engine,
        questions: &[(&str, &str)],
        options: &SpanOptions,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Result<Found, QuestionError>>, AnswerError> {
        let windows: Vec<Result<Vec<Window>, QuestionError>> =
            questions.iter().map(|(question, context)| self.windows(question, context)).collect();
        let mut order: Vec<(usize, &Window)> = windows.iter().flatten().flatten().enumerate().collect();
        // Windows of like length share a batch, so that little is padded.
        order.sort_by_key(|(_, window)| window.len());
        let mut logits: Vec<Option<Logits>> = Vec::new();
        logits.resize_with(order.len(), || None);
        let mut done = 0;
        for chunk in order.chunks(BATCH) {
            let references: Vec<&Window> = chunk.iter().map(|(_, window)| *window).collect();
            for ((index, _), result) in chunk.iter().zip(self.run(engine, &references)?) {
                if let Some(slot) = logits.get_mut(*index) {
                    *slot = Some(result);
                }
            }
            done += chunk.len();
            progress(done as f64 / order.len() as f64);
        }
        let mut logits = logits.into_iter().flatten();
        questions
            .iter()
            .zip(windows)
            .map(|((_, context), windows)| match windows {
                Err(error) => Ok(Err(error)),
                Ok(windows) => {
                    let own: Vec<Logits> = logits.by_ref().take(windows.len()).collect();
                    let answers = best(context, &windows, &own, options, engine)?;
                    let views: Vec<WindowLogits> = own.iter().map(Logits::view).collect();
                    let no_answer = no_answer_total(&windows, &views)
                        .map_err(|error| AnswerError::Logits { engine: engine.name().to_owned(), error })?;
                    Ok(Ok(Found { answers, no_answer }))
                }
            })
            .collect()
    }

    /// The answer by two separate maxima, over question and context in one sequence.
    ///
    /// # Errors
    /// As [`answer`](Self::answer); and when they do not fit the network's longest sequence.
    pub fn article(
        &self,
        engine: &mut dyn Engine,
        question: &str,
        context: &str,
    ) -> Result<ArticleAnswer, AnswerError> {
        let length = self.config.max_position_embeddings;
        let windows = self.tokenizer.windows(question, context, &WindowOptions { length, ..self.windows })?;
        let [window] = windows.as_slice() else {
            return Err(AnswerError::SeveralWindows { windows: windows.len(), length });
        };
        let logits = self.run(engine, &[window])?;
        let failed = |error| AnswerError::Logits { engine: engine.name().to_owned(), error };
        let first = logits.first().ok_or(failed(LogitsError::Windows { found: 0, expected: 1 }))?;
        article_answer(self.tokenizer, window, &first.view()).map_err(failed)
    }

    fn run(&self, engine: &mut dyn Engine, windows: &[&Window]) -> Result<Vec<Logits>, AnswerError> {
        let sequences: Vec<_> = windows.iter().map(|window| window.sequence()).collect();
        let batch = TokenBatch::padded(&sequences, self.config)?;
        let outputs = engine.run(&inputs(&batch)?)?;
        let [start, end] = OUTPUTS.map(|name| rows(engine.name(), &outputs, name, &batch));
        let pairs = start?.into_iter().zip(end?);
        Ok(pairs.map(|(start, end)| Logits { start, end }).collect())
    }
}

fn best(
    context: &str,
    windows: &[Window],
    logits: &[Logits],
    options: &SpanOptions,
    engine: &dyn Engine,
) -> Result<Vec<Answer>, AnswerError> {
    let views: Vec<WindowLogits> = logits.iter().map(Logits::view).collect();
    best_answers(context, windows, &views, options)
        .map_err(|error| AnswerError::Logits { engine: engine.name().to_owned(), error })
}

/// One row of logits for each sequence.
fn rows(engine: &str, outputs: &[NamedTensor], name: &str, batch: &TokenBatch) -> Result<Vec<Vec<f32>>, EngineError> {
    let found = |found: String| EngineError::Output { engine: engine.to_owned(), name: name.to_owned(), found };
    let output = outputs.iter().find(|output| output.name == name).ok_or_else(|| found("missing".to_owned()))?;
    let expected = [batch.batch(), batch.sequence()];
    match output.tensor.as_f32() {
        Some(values) if output.tensor.shape() == expected => {
            Ok(values.chunks(batch.sequence()).map(<[f32]>::to_vec).collect())
        }
        _ => {
            let (kind, shape) = (output.tensor.elements().element_type(), output.tensor.shape());
            Err(found(format!("{kind} {shape:?} instead of float {expected:?}")))
        }
    }
}
