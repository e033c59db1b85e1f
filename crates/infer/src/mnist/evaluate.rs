//! Is every engine right, and does it agree with the framework?

use models::mnist_cnn::{CLASSES, IMAGE_SIZE};
use models::mnist_digits::{Digits, PIXELS, normalize};
use serde::{Deserialize, Serialize};

use crate::burn_mnist::INPUT;
use crate::compare::{Difference, largest};
use crate::engine::EngineError;
use crate::field::Field;
use crate::mnist::{batch, log_probabilities};
use crate::random::uniform;
use crate::subject::Subject;
use crate::tensor::{NamedTensor, Tensor};
use crate::verify::Verification;

/// Images that are validated at once.
const VALIDATION_BATCH: usize = 250;

/// The batch sizes at which outputs are compared with float64.
const SWEEP: [usize; 4] = [1, 2, 7, 64];

/// What is found out about an engine on the digits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How many digits it recognises.
    pub accuracy: Option<Accuracy>,
    /// How it compares with the framework, digit by digit; `None` for the framework itself.
    pub agreement: Option<Agreement>,
    /// How far it strays from float64; `None` for the framework itself.
    pub verification: Option<Verification>,
}

/// How many digits an engine recognises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Digits recognised.
    pub correct: usize,
    /// Their share, from 0 to 1.
    pub accuracy: f64,
}

/// An engine beside the framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Images for which both give the same digit.
    pub agreeing: usize,
    /// The others.
    pub disagreements: Vec<Disagreement>,
    /// How far the outputs are apart.
    pub difference: Difference,
}

/// An image for which engine and framework give different digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Which test image, from zero.
    pub index: usize,
    /// What it shows.
    pub label: u8,
    /// What the framework reads.
    pub reference: usize,
    /// What the engine reads.
    pub digit: usize,
}

/// An image that the framework did not recognise.
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

/// What the framework makes of the test digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The engine.
    pub engine: String,
    /// How many digits there were.
    pub images: usize,
    /// The images that it misread.
    pub misread: Vec<Misread>,
    /// `confusion[label][digit]`: how often a label was read as a digit.
    pub confusion: Vec<Vec<usize>>,
}

impl Outcome {
    /// Whether the engine gave the same digits and strayed no further than float32 does, as far as that was found out.
    pub fn passed(&self) -> bool {
        let agrees = |agreement: &Agreement| agreement.disagreements.is_empty() && agreement.difference.not_finite == 0;
        self.agreement.as_ref().is_none_or(agrees)
            && self.verification.as_ref().is_none_or(|verification| verification.passed)
    }
}

/// What every output is compared with float64 on: random images and test digits, at several batch sizes.
///
/// # Errors
/// When the digits are no images.
pub fn cases(digits: &Digits) -> Result<Vec<(String, Vec<NamedTensor>)>, EngineError> {
    let mut cases = Vec::new();
    for size in SWEEP {
        let pixels = uniform(size as u64, size * PIXELS, normalize(0), normalize(u8::MAX));
        let shape = [size, 1, IMAGE_SIZE, IMAGE_SIZE];
        let random = Tensor::new(shape, pixels).map_err(|error| EngineError::Input {
            engine: "the MNIST CNN".to_owned(),
            name: INPUT.to_owned(),
            reason: error.to_string(),
        })?;
        cases.push((format!("{size} random"), vec![NamedTensor::new(INPUT, random)]));
        let images = digits.iter().map(|(image, _)| image).take(size);
        cases.push((format!("{} digits", size.min(digits.len())), vec![batch(images)?]));
    }
    Ok(cases)
}

/// Runs all `digits` through the framework and every candidate, and compares digit by digit. Gives what the framework
/// makes of them, and what came of each candidate. `progress` hears the share that is done.
///
/// # Errors
/// When the framework fails.
pub fn validate(
    field: &mut Field,
    digits: &Digits,
    mut progress: impl FnMut(f64),
) -> Result<(Reference, Accuracy, Vec<Outcome>), EngineError> {
    let images: Vec<(&[u8], u8)> = digits.iter().collect();
    let mut tally = Tally::new();
    let mut tallies: Vec<Tally> = field.candidates.iter().map(|_| Tally::new()).collect();
    for (number, chunk) in images.chunks(VALIDATION_BATCH).enumerate() {
        let first = number * VALIDATION_BATCH;
        let input = batch(chunk.iter().map(|(image, _)| *image))?;
        let expected = log_probabilities(field.reference.required()?, &input)?;
        let labels = || chunk.iter().map(|(_, label)| *label);
        tally.take(first, labels(), &expected, &expected);
        for (candidate, tally) in field.candidates.iter_mut().zip(&mut tallies) {
            if let Some(found) = candidate.attempt(|engine| log_probabilities(engine, &input)) {
                tally.take(first, labels(), &found, &expected);
            }
        }
        progress((first + chunk.len()) as f64 / images.len() as f64);
    }
    let outcome = |(candidate, tally): (&Subject, Tally)| match candidate.engine() {
        Some(_) => Outcome {
            accuracy: Some(tally.accuracy()),
            agreement: Some(Agreement {
                agreeing: tally.images - tally.disagreements.len(),
                disagreements: tally.disagreements,
                difference: tally.difference,
            }),
            verification: None,
        },
        None => Outcome::default(),
    };
    let outcomes = field.candidates.iter().zip(tallies).map(outcome).collect();
    let accuracy = tally.accuracy();
    let reference = Reference {
        engine: field.reference.row.engine.clone(),
        images: tally.images,
        misread: tally.misread,
        confusion: tally.confusion,
    };
    Ok((reference, accuracy, outcomes))
}

/// What an engine's readings add up to.
struct Tally {
    images: usize,
    correct: usize,
    misread: Vec<Misread>,
    confusion: Vec<Vec<usize>>,
    disagreements: Vec<Disagreement>,
    difference: Difference,
}

impl Tally {
    fn new() -> Self {
        Self {
            images: 0,
            correct: 0,
            misread: Vec::new(),
            confusion: vec![vec![0; CLASSES]; CLASSES],
            disagreements: Vec::new(),
            difference: Difference::none(),
        }
    }

    /// Takes the images from `first` on in; `found` and `expected` hold ten logarithms for each.
    fn take(&mut self, first: usize, labels: impl Iterator<Item = u8>, found: &[f32], expected: &[f32]) {
        self.difference = self.difference.clone().and(Difference::between(found, expected, CLASSES));
        let rows = found.chunks_exact(CLASSES).zip(expected.chunks_exact(CLASSES));
        for (index, (label, (found, expected))) in (first..).zip(labels.zip(rows)) {
            let (Some(digit), Some(reference)) = (largest(found), largest(expected)) else { continue };
            self.images += 1;
            self.correct += usize::from(digit == usize::from(label));
            if let Some(count) = self.confusion.get_mut(usize::from(label)).and_then(|row| row.get_mut(digit)) {
                *count += 1;
            }
            if digit != usize::from(label) {
                let probability = found.get(digit).map_or(0.0, |log| f64::from(*log).exp());
                self.misread.push(Misread { index, label, digit, probability });
            }
            if digit != reference {
                self.disagreements.push(Disagreement { index, label, reference, digit });
            }
        }
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy { correct: self.correct, accuracy: self.correct as f64 / self.images.max(1) as f64 }
    }
}

/// The first `size` digits as the network takes them; from the start again if there are fewer.
///
/// # Errors
/// When the digits are no images.
pub fn timed_batch(digits: &Digits, size: usize) -> Result<NamedTensor, EngineError> {
    let images: Vec<&[u8]> = digits.iter().map(|(image, _)| image).collect();
    batch(images.into_iter().cycle().take(size))
}
