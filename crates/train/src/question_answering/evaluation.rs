//! How well a network answers questions that it has not learnt from.

use artifact::interrupt;
use burn::tensor::Device;
use models::bert::{BertConfig, BertForQuestionAnswering, PackedTokens};
use models::question_answering::{SpanOptions, Window, WindowLogits, best_answers, no_answer_total};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::question_answering::data::Examined;
use crate::training;

/// SQuAD's official figures on a set of questions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// How many answers are exactly one of those that people gave.
    pub exact: usize,
    /// The mean F1, from 0 to 1; 0 where nothing is judged.
    pub f1: f64,
    /// How many questions there are.
    pub questions: usize,
}

/// The fields of an evaluation in a line of the metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// Percent.
    exact_match: f64,
    /// Percent.
    f1: f64,
    questions: usize,
}

impl Evaluation {
    /// The share of exact answers, in percent.
    pub fn exact_match(&self) -> f64 {
        100.0 * self.exact as f64 / self.questions.max(1) as f64
    }
}

impl training::Evaluation for Evaluation {
    type Metrics = Metrics;

    fn metrics(&self) -> Metrics {
        Metrics { exact_match: self.exact_match(), f1: 100.0 * self.f1, questions: self.questions }
    }

    fn told(&self) -> String {
        match self.questions {
            0 => "Nothing to judge by".to_owned(),
            questions => {
                format!(
                    "Held out: exact match {:.1}, F1 {:.1}, of {questions} questions",
                    self.exact_match(),
                    100.0 * self.f1
                )
            }
        }
    }
}

/// Start and end logits of a window.
type Logits = (Vec<f32>, Vec<f32>);

/// A network with what its answers depend on.
#[derive(Debug, Clone, Copy)]
pub struct Examinee<'a> {
    /// The network, without autodiff.
    pub network: &'a BertForQuestionAnswering,
    /// Its configuration.
    pub config: &'a BertConfig,
    /// Windows that run at once.
    pub batch_size: usize,
    /// Where it is.
    pub device: &'a Device,
}

impl Examinee<'_> {
    /// Judges its answers to all questions; one that cannot be asked counts as wrong. `progress` is told which share is done.
    ///
    /// # Errors
    /// When the device fails, a logit is no number, or somebody interrupts it.
    pub fn judge(&self, exam: &[Examined], progress: &dyn Fn(f64)) -> Result<Evaluation, TrainError> {
        let logits = self.logits(exam.iter().flat_map(|one| &one.windows).collect(), progress)?;
        let mut views = logits.iter().map(|(start, end)| WindowLogits { start, end });
        let (mut exact, mut sum) = (0, 0.0);
        for Examined { question, windows } in exam {
            let own: Vec<WindowLogits> = views.by_ref().take(windows.len()).collect();
            let best = best_answers(&question.context, windows, &own, &SpanOptions::default())?.into_iter().next();
            let prediction = question.prediction(best, no_answer_total(windows, &own)?);
            if !windows.is_empty() {
                exact += usize::from(question.exact_match(&prediction));
                sum += question.f1(&prediction);
            }
        }
        Ok(Evaluation { exact, f1: sum / exam.len().max(1) as f64, questions: exam.len() })
    }

    /// Start and end logits of each window, in the order of the windows.
    fn logits(&self, windows: Vec<&Window>, progress: &dyn Fn(f64)) -> Result<Vec<Logits>, TrainError> {
        let mut logits = Vec::with_capacity(windows.len());
        for chunk in windows.chunks(self.batch_size) {
            interrupt::check()?;
            let sequences: Vec<_> = chunk.iter().map(|window| window.sequence()).collect();
            let tokens = PackedTokens::new(&sequences, self.config)?;
            let values = self.network.packed_logits(&tokens, None, self.device);
            let values: Vec<f32> = values.try_into_vec_as()?;
            let mut rows = values.chunks_exact(2).map(|row| (row[0], row[1]));
            logits.extend(tokens.lengths().iter().map(|&length| rows.by_ref().take(length).unzip()));
            progress(logits.len() as f64 / windows.len() as f64);
        }
        Ok(logits)
    }
}
