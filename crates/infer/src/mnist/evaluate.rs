//! Are both right, do they agree, and how fast are they?

use std::time::Duration;

use models::mnist_cnn::CLASSES;
use models::mnist_digits::Digits;
use serde::{Deserialize, Serialize};

use crate::compare::{Difference, largest};
use crate::engine::{Engine, EngineError};
use crate::mnist::{batch, log_probabilities};
use crate::statistics::Median;
use crate::timing::{Contender, Plan, Series, interleave, ratio};

/// Images that are validated at once.
const VALIDATION_BATCH: usize = 250;

/// What two engines make of the test digits; the first is the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// How many digits.
    pub images: usize,
    /// Reference and candidate.
    pub engines: Vec<Accuracy>,
    /// Images for which both give the same digit.
    pub agreeing: usize,
    /// The others.
    pub disagreements: Vec<Disagreement>,
    /// How far the candidate's outputs are from the reference's.
    pub difference: Difference,
    /// The images that the reference misread.
    pub misread: Vec<Misread>,
    /// `confusion[label][digit]`: how often the reference read a label as a digit.
    pub confusion: Vec<Vec<usize>>,
}

/// How many digits an engine recognises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The engine.
    pub engine: String,
    /// Digits recognised.
    pub correct: usize,
    /// Their share, from 0 to 1.
    pub accuracy: f64,
}

/// An image for which the engines give different digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Which test image, from zero.
    pub index: usize,
    /// What it shows.
    pub label: u8,
    /// What each engine reads, in their order.
    pub digits: Vec<usize>,
}

/// An image that was not recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Misread {
    /// Which test image, from zero.
    pub index: usize,
    /// What it shows.
    pub label: u8,
    /// What was read.
    pub digit: usize,
    /// The probability that the network gave to it.
    pub probability: f64,
}

/// The times of all engines at one batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchTiming {
    /// Images in a run.
    pub batch: usize,
    /// The engines, in the order in which they were given.
    pub engines: Vec<EngineTiming>,
    /// How many times as long as the second engine the first one takes.
    pub ratio: Option<Median>,
}

/// The times of one engine at one batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineTiming {
    /// Images a second at the median time.
    pub images_per_second: f64,
    /// The samples and what they come to.
    #[serde(flatten)]
    pub series: Series,
}

/// Runs all `digits` through both engines and compares digit by digit. `progress` hears the share that is done.
///
/// # Errors
/// When an engine fails or gives no digits.
pub fn validate(
    reference: &mut dyn Engine,
    candidate: &mut dyn Engine,
    digits: &Digits,
    mut progress: impl FnMut(f64),
) -> Result<Validation, EngineError> {
    let images: Vec<(&[u8], u8)> = digits.iter().collect();
    let mut correct = [0, 0];
    let mut confusion = vec![vec![0; CLASSES]; CLASSES];
    let (mut disagreements, mut misread) = (Vec::new(), Vec::new());
    let mut difference = Difference::none();
    for (chunk_index, chunk) in images.chunks(VALIDATION_BATCH).enumerate() {
        let input = batch(chunk.iter().map(|(image, _)| *image))?;
        let expected = log_probabilities(reference, &input)?;
        let found = log_probabilities(candidate, &input)?;
        difference = difference.and(Difference::between(&found, &expected, CLASSES));
        let rows = expected.chunks_exact(CLASSES).zip(found.chunks_exact(CLASSES));
        for (offset, ((expected, found), &(_, label))) in rows.zip(chunk).enumerate() {
            let index = chunk_index * VALIDATION_BATCH + offset;
            let (Some(expected_digit), Some(found_digit)) = (largest(expected), largest(found)) else { continue };
            let wanted = usize::from(label);
            for (correct, digit) in correct.iter_mut().zip([expected_digit, found_digit]) {
                *correct += usize::from(digit == wanted);
            }
            if let Some(count) = confusion.get_mut(wanted).and_then(|row| row.get_mut(expected_digit)) {
                *count += 1;
            }
            if expected_digit != found_digit {
                disagreements.push(Disagreement { index, label, digits: vec![expected_digit, found_digit] });
            }
            if expected_digit != wanted {
                let probability = expected.get(expected_digit).map_or(0.0, |log| f64::from(*log).exp());
                misread.push(Misread { index, label, digit: expected_digit, probability });
            }
        }
        progress((chunk_index * VALIDATION_BATCH + chunk.len()) as f64 / images.len() as f64);
    }
    let accuracy = |engine: &dyn Engine, correct: usize| Accuracy {
        engine: engine.name().to_owned(),
        correct,
        accuracy: correct as f64 / images.len().max(1) as f64,
    };
    let [reference_correct, candidate_correct] = correct;
    Ok(Validation {
        images: images.len(),
        engines: vec![accuracy(reference, reference_correct), accuracy(candidate, candidate_correct)],
        agreeing: images.len() - disagreements.len(),
        disagreements,
        difference,
        misread,
        confusion,
    })
}

impl Validation {
    /// Whether both give the same digit for every image, from outputs that are numbers.
    pub fn passed(&self) -> bool {
        self.disagreements.is_empty() && self.difference.not_finite == 0
    }
}

/// Times two engines side by side on the first `size` digits; from the start again if there are fewer.
///
/// # Errors
/// When an engine fails.
pub fn time(
    engines: [&mut dyn Engine; 2],
    digits: &Digits,
    size: usize,
    least: Duration,
    progress: impl FnMut(f64),
) -> Result<BatchTiming, EngineError> {
    let digits: Vec<&[u8]> = digits.iter().map(|(image, _)| image).collect();
    let images = digits.into_iter().cycle().take(size);
    let inputs = [batch(images)?];
    let mut contenders = engines
        .map(|engine| Contender { name: engine.name().to_owned(), run: Box::new(|| engine.run(&inputs).map(drop)) });
    let series = interleave(&mut contenders, &Plan::new(least), progress)?;
    let ratio = match series.as_slice() {
        [first, second] => ratio(first, second),
        _ => None,
    };
    let engines = series
        .into_iter()
        .map(|series| EngineTiming { images_per_second: size as f64 * 1e3 / series.latency_ms.p50, series })
        .collect();
    Ok(BatchTiming { batch: size, engines, ratio })
}
