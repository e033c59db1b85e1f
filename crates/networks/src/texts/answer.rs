//! From texts to answers.

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use models::bert::Sequence;
use models::encoder::{EncoderConfig, EncoderTask, EncoderTokenizer, Problem, Side, TextError, TokenBatch, Tokens};
use serde::{Deserialize, Serialize};

use super::entities::{Entity, entities};
use super::{inputs, unsuitable};

/// Texts that run at once.
pub const BATCH: usize = 8;

/// The most tokens of an answer to a question.
const LONGEST_ANSWER: usize = 30;

/// A text, or a pair of texts: a premise and what follows, a question and the text that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// The one that goes with it.
    pub pair: Option<String>,
}

/// A label of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Its name.
    pub label: String,
    /// How likely it is, from 0 to 1; of a regression the number itself.
    pub score: f32,
}

/// What may stand in the place of a mask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filling {
    /// The token.
    pub token: String,
    /// Its id.
    pub id: i64,
    /// How likely it is, from 0 to 1.
    pub score: f32,
    /// The text with it.
    pub sequence: String,
}

/// Where a text answers a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The words.
    pub answer: String,
    /// How likely start and end are together, from 0 to 1.
    pub score: f32,
    /// The first character in the text.
    pub start: usize,
    /// The character behind the last.
    pub end: usize,
}

/// What an engine makes of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The labels, the likeliest first.
    Labels(Vec<Label>),
    /// The entities in the order of the text.
    Entities(Vec<Entity>),
    /// For each mask the likeliest tokens.
    Fillings(Vec<Vec<Filling>>),
    /// The vector of the text.
    Embedding(Vec<f32>),
    /// The vectors of its tokens.
    Features(Vec<Vec<f32>>),
    /// The likeliest places of the answer.
    Spans(Vec<Span>),
}

/// A text side and the sizes of the network that it belongs to.
#[derive(Debug, Clone)]
pub struct TextReader {
    /// The tokenizer.
    pub tokenizer: EncoderTokenizer,
    /// The network's configuration.
    pub config: EncoderConfig,
    /// How many labels, fillings or answers a text gets.
    pub top: usize,
}

impl TextReader {
    /// The tokens of a text.
    ///
    /// # Errors
    /// When it is empty, too long, or lacks what the task asks about.
    pub fn tokens(&self, text: &Text) -> Result<Tokens, TextError> {
        let wrong = |reason: &str| Err(TextError::Tokenizer { reason: reason.to_owned() });
        let tokens = self.tokenizer.encode(&text.text, text.pair.as_deref())?;
        match self.config.task {
            EncoderTask::FillMask => match self.tokenizer.mask() {
                Some(mask) if tokens.ids.contains(&mask) => Ok(tokens),
                Some(mask) => {
                    let token = self.tokenizer.token(mask).unwrap_or_default();
                    wrong(&format!("nothing is to be filled in: {token} stands nowhere"))
                }
                None => wrong("the tokenizer has no token for what is to be filled in"),
            },
            EncoderTask::QuestionAnswering if text.pair.is_none() => wrong("a question needs a text that answers it"),
            _ => Ok(tokens),
        }
    }

    /// What the engine makes of each text, those of like length together. A text that cannot be used is an error in its place.
    /// `progress` is told which share has run.
    ///
    /// # Errors
    /// When the engine fails, or gives something else than the outputs of the task.
    pub fn answer_all(
        &self,
        engine: &mut dyn Engine,
        texts: &[Text],
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Result<Answer, TextError>>, EngineError> {
        let read: Vec<Result<Tokens, TextError>> = texts.iter().map(|text| self.tokens(text)).collect();
        let mut order: Vec<(usize, &Tokens)> =
            read.iter().enumerate().filter_map(|(index, tokens)| Some((index, tokens.as_ref().ok()?))).collect();
        order.sort_by_key(|(_, tokens)| tokens.len());
        let mut found: Vec<Option<Answer>> = Vec::new();
        found.resize_with(texts.len(), || None);
        for (done, chunk) in order.chunks(BATCH).enumerate() {
            let sequences: Vec<Sequence> = chunk.iter().map(|(_, tokens)| tokens.sequence()).collect();
            let batch = TokenBatch::padded(&sequences, Side::Right, &self.config).map_err(unsuitable)?;
            let outputs = engine.run(&inputs(&batch, &self.config)?)?;
            for (row, (index, tokens)) in chunk.iter().enumerate() {
                let given = Given { engine: engine.name(), outputs: &outputs, batch: &batch, row, tokens };
                let answer = texts.get(*index).map(|text| self.answer(&given, text)).transpose()?;
                if let Some(place) = found.get_mut(*index) {
                    *place = answer;
                }
            }
            progress(((done + 1) * BATCH).min(order.len()) as f64 / order.len() as f64);
        }
        Ok(read
            .into_iter()
            .zip(found)
            .map(|(read, found)| {
                read.and_then(|_| {
                    found.ok_or_else(|| TextError::Tokenizer { reason: "it was lost on the way".to_owned() })
                })
            })
            .collect())
    }

    fn answer(&self, given: &Given, text: &Text) -> Result<Answer, EngineError> {
        let config = &self.config;
        Ok(match config.task {
            EncoderTask::TextClassification => Answer::Labels(self.labels(&given.text("logits", config.labels.len())?)),
            EncoderTask::TokenClassification => {
                let logits = given.tokens("logits", config.labels.len())?;
                let scores: Vec<Vec<f32>> = logits.iter().map(|row| softmax(row)).collect();
                Answer::Entities(entities(given.tokens, &scores, &config.labels, &self.tokenizer))
            }
            EncoderTask::FillMask => {
                let logits = given.tokens("logits", config.vocab_size)?;
                let places = given.tokens.ids.iter().enumerate().filter(|(_, id)| Some(**id) == self.tokenizer.mask());
                let places: Vec<usize> = places.map(|(place, _)| place).collect();
                let filled = places.iter().map(|place| {
                    let row = logits.get(*place).map(Vec::as_slice).unwrap_or_default();
                    self.fillings(given.tokens, *place, places.len() == 1, row)
                });
                Answer::Fillings(filled.collect())
            }
            EncoderTask::SentenceEmbeddings => {
                Answer::Embedding(given.text("sentence_embedding", config.sentence_width())?)
            }
            EncoderTask::FeatureExtraction => Answer::Features(given.tokens("last_hidden_state", config.hidden_size)?),
            EncoderTask::QuestionAnswering => {
                let [start, end] = ["start_logits", "end_logits"].map(|name| given.tokens(name, 1));
                let flat = |rows: Vec<Vec<f32>>| rows.into_iter().flatten().collect::<Vec<f32>>();
                Answer::Spans(self.spans(given.tokens, text, &flat(start?), &flat(end?)))
            }
        })
    }

    fn labels(&self, logits: &[f32]) -> Vec<Label> {
        let scores = match self.config.problem {
            Problem::SingleLabel => softmax(logits),
            Problem::MultiLabel => logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
            Problem::Regression => logits.to_vec(),
        };
        let named = self.config.labels.iter().cloned().zip(scores);
        let mut labels: Vec<Label> = named.map(|(label, score)| Label { label, score }).collect();
        labels.sort_by(|a, b| b.score.total_cmp(&a.score));
        labels.truncate(self.top);
        labels
    }

    fn fillings(&self, tokens: &Tokens, place: usize, alone: bool, logits: &[f32]) -> Vec<Filling> {
        let scores = softmax(logits);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores.get(*b).unwrap_or(&0.0).total_cmp(scores.get(*a).unwrap_or(&0.0)));
        let filling = |id: usize| {
            let mut ids = tokens.ids.clone();
            if let Some(slot) = ids.get_mut(place) {
                *slot = id as i64;
            }
            Filling {
                token: self.tokenizer.decode(&[id as i64], false).unwrap_or_default(),
                id: id as i64,
                score: scores.get(id).copied().unwrap_or(0.0),
                sequence: self.tokenizer.decode(&ids, alone).unwrap_or_default(),
            }
        };
        order.into_iter().take(self.top).map(filling).collect()
    }

    /// The likeliest pairs of start and end within the second text.
    fn spans(&self, tokens: &Tokens, text: &Text, start: &[f32], end: &[f32]) -> Vec<Span> {
        let within: Vec<usize> = (0..tokens.len()).filter(|place| tokens.part.get(*place) == Some(&Some(1))).collect();
        let pick = |logits: &[f32]| -> Vec<f32> {
            softmax(&within.iter().filter_map(|place| logits.get(*place).copied()).collect::<Vec<f32>>())
        };
        let (starts, ends) = (pick(start), pick(end));
        let mut best: Vec<(f32, usize, usize)> = Vec::new();
        for (first, start) in starts.iter().enumerate() {
            for (last, end) in ends.iter().enumerate().skip(first).take(LONGEST_ANSWER) {
                best.push((start * end, first, last));
            }
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        let offset = |index: usize| within.get(index).and_then(|place| tokens.offsets.get(*place)).copied();
        let context: Vec<char> = text.pair.as_deref().unwrap_or_default().chars().collect();
        let span = |(score, first, last): (f32, usize, usize)| {
            let ((start, _), (_, end)) = (offset(first)?, offset(last)?);
            Some(Span { answer: context.get(start..end)?.iter().collect(), score, start, end })
        };
        best.into_iter().take(self.top).filter_map(span).collect()
    }
}

/// The outputs of a batch, for one of its texts.
struct Given<'a> {
    engine: &'a str,
    outputs: &'a [NamedTensor],
    batch: &'a TokenBatch,
    row: usize,
    tokens: &'a Tokens,
}

impl Given<'_> {
    fn output(&self, name: &str, expected: &[usize]) -> Result<&[f32], EngineError> {
        let wrong =
            |found: String| EngineError::Output { engine: self.engine.to_owned(), name: name.to_owned(), found };
        let output = self.outputs.iter().find(|output| output.name == name);
        let tensor = &output.ok_or_else(|| wrong("missing".to_owned()))?.tensor;
        match tensor.as_f32() {
            Some(values) if tensor.shape() == expected => Ok(values),
            _ => {
                let (kind, shape) = (tensor.elements().element_type(), tensor.shape());
                Err(wrong(format!("{kind} {shape:?} instead of float {expected:?}")))
            }
        }
    }

    /// The numbers of the text.
    fn text(&self, name: &str, width: usize) -> Result<Vec<f32>, EngineError> {
        let values = self.output(name, &[self.batch.batch(), width])?;
        Ok(values.chunks(width).nth(self.row).unwrap_or_default().to_vec())
    }

    /// The numbers of each of its tokens.
    fn tokens(&self, name: &str, width: usize) -> Result<Vec<Vec<f32>>, EngineError> {
        let (batch, sequence) = (self.batch.batch(), self.batch.sequence());
        let flat =
            width == 1 && self.outputs.iter().any(|output| output.name == name && output.tensor.shape().len() == 2);
        let shape: &[usize] = if flat { &[batch, sequence] } else { &[batch, sequence, width] };
        let values = self.output(name, shape)?;
        let own = values.chunks(sequence * width).nth(self.row).unwrap_or_default();
        Ok(own.chunks(width).take(self.tokens.len()).map(<[f32]>::to_vec).collect())
    }
}

/// The shares that the exponentials of the numbers have.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let total: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}

/// The cosine of the angle between two vectors; 0 where one has no length.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = product(a, a).sqrt() * product(b, b).sqrt();
    if lengths > 0.0 { product(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_is_that_of_the_angle() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert!((cosine(&[1.0, 1.0], &[2.0, 2.0]) - 1.0).abs() < 1e-12);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }

    #[test]
    fn shares_are_of_the_exponentials() {
        let shares = softmax(&[0.0, 1000.0, 1000.0]);
        assert_eq!(shares, [0.0, 0.5, 0.5]);
    }
}
