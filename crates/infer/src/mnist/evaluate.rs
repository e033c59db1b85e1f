//! Is every engine right, do they agree with the framework, and how fast are they?

use std::time::Duration;

use models::mnist_cnn::{CLASSES, IMAGE_SIZE};
use models::mnist_digits::{Digits, PIXELS, normalize};
use serde::{Deserialize, Serialize};

use crate::burn_mnist::INPUT;
use crate::compare::{Difference, largest};
use crate::engine::{Engine, EngineError, Placement};
use crate::fingerprint::Library;
use crate::mnist::{batch, log_probabilities};
use crate::provider::Provider;
use crate::random::uniform;
use crate::statistics::Median;
use crate::tensor::{NamedTensor, Tensor};
use crate::timing::{Contender, Plan, Series, interleave, ratio};
use crate::usage::Usage;
use crate::verify::{Verification, verify};
use crate::worker::remote::RemoteEngine;

/// Images that are validated at once.
const VALIDATION_BATCH: usize = 250;

/// The batch sizes at which outputs are compared with float64.
const SWEEP: [usize; 4] = [1, 2, 7, 64];

/// An engine in an evaluation, and what is found out about it.
pub struct Subject {
    /// The engine, as long as it works.
    engine: Option<RemoteEngine>,
    /// The provider that was asked for; `None` for the framework.
    provider: Option<Provider>,
    /// What is known so far.
    pub row: Row,
}

/// What is known about an engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The engine.
    pub engine: String,
    /// Why it could not do all; what it did is in the other fields.
    pub error: Option<String>,
    /// Its runtime library.
    pub library: Option<Library>,
    /// Milliseconds that loading took. What an engine puts off until it is needed is not in it.
    pub load_ms: Option<f64>,
    /// Milliseconds that the very first run took, of one image.
    pub first_run_ms: Option<f64>,
    /// How many digits it recognises.
    pub accuracy: Option<Accuracy>,
    /// How it compares with the framework, digit by digit; `None` for the framework itself.
    pub agreement: Option<Agreement>,
    /// How far it strays from float64; `None` for the framework itself.
    pub verification: Option<Verification>,
    /// Where it ran.
    pub placement: Option<Placement>,
    /// Memory and CPU time of its process, over the whole evaluation.
    pub usage: Option<Usage>,
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

/// The times of all engines at one batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchTiming {
    /// Images in a run.
    pub batch: usize,
    /// The engines that worked, the framework first.
    pub engines: Vec<EngineTiming>,
}

/// The times of one engine at one batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineTiming {
    /// Images a second at the median time.
    pub images_per_second: f64,
    /// How many times as fast as the framework; `None` for the framework itself.
    pub speedup: Option<Median>,
    /// The samples and what they come to.
    #[serde(flatten)]
    pub series: Series,
}

impl Subject {
    /// An engine that was started, or why it was not.
    pub fn new(name: &str, provider: Option<Provider>, started: Result<RemoteEngine, EngineError>) -> Self {
        let (engine, error) = match started {
            Ok(engine) => (Some(engine), None),
            Err(error) => (None, Some(cli::failure::sentence(&error))),
        };
        let loaded = engine.as_ref().map(RemoteEngine::loaded);
        let row = Row {
            engine: name.to_owned(),
            error,
            library: loaded.and_then(|loaded| loaded.library.clone()),
            load_ms: loaded.map(|loaded| loaded.load_ms),
            first_run_ms: None,
            accuracy: None,
            agreement: None,
            verification: None,
            placement: None,
            usage: None,
        };
        Self { engine, provider, row }
    }

    /// The engine, if it still works.
    pub fn engine(&self) -> Option<&RemoteEngine> {
        self.engine.as_ref()
    }

    /// Does something with the engine if it still works. If that fails, the engine is out and the row says why.
    pub fn attempt<T>(&mut self, work: impl FnOnce(&mut RemoteEngine) -> Result<T, EngineError>) -> Option<T> {
        match work(self.engine.as_mut()?) {
            Ok(result) => Some(result),
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    fn fail(&mut self, error: &EngineError) {
        self.row.error.get_or_insert(cli::failure::sentence(error));
        self.engine = None;
    }

    /// Whether the engine did everything, gave the same digits, and strayed no further than float32 does.
    pub fn passed(&self) -> bool {
        let agrees = |agreement: &Agreement| agreement.disagreements.is_empty() && agreement.difference.not_finite == 0;
        self.row.error.is_none()
            && self.row.agreement.as_ref().is_none_or(agrees)
            && self.row.verification.as_ref().is_none_or(|verification| verification.passed)
    }
}

/// Measures the first run and finds out where each engine runs. That nothing ran on the provider asked for is an error.
pub fn start(subjects: &mut [&mut Subject], digits: &Digits) -> Result<(), EngineError> {
    let sample = [batch([digits.image(0).unwrap_or_default()])?];
    for subject in subjects {
        subject.row.first_run_ms = subject.attempt(|engine| {
            engine.prepare(&sample)?;
            Ok(engine.block(1)?.iter().sum::<f64>() * 1e3)
        });
        subject.row.placement = subject.attempt(|engine| engine.placement(&sample));
        if let (Some(provider), Some(placement)) = (subject.provider, &subject.row.placement) {
            if let Some(error) = elsewhere(provider, placement) {
                subject.fail(&error);
            }
        }
    }
    Ok(())
}

/// Why a placement is not what was asked for.
fn elsewhere(provider: Provider, placement: &Placement) -> Option<EngineError> {
    let wanted = provider.runtime_name();
    let missing = !placement.parts.iter().any(|part| part.provider == wanted && part.nodes > 0);
    missing.then(|| {
        let parts = placement.parts.iter().map(|part| format!("{} on {}", part.nodes, part.provider));
        EngineError::Run {
            engine: provider.engine_name(),
            reason: format!("no node ran on {wanted}: {}", parts.collect::<Vec<_>>().join(", ")),
        }
    })
}

/// Compares the candidates with the framework in float32 and float64 at several batch sizes, on random images and on
/// test digits.
///
/// # Errors
/// When the framework fails.
pub fn sweep(
    reference: &mut RemoteEngine,
    exact: &mut RemoteEngine,
    candidates: &mut [Subject],
    digits: &Digits,
) -> Result<(), EngineError> {
    let cases = cases(digits)?;
    for candidate in candidates {
        candidate.row.verification = candidate.attempt(|engine| verify(engine, reference, exact, &cases));
    }
    Ok(())
}

fn cases(digits: &Digits) -> Result<Vec<(String, Vec<NamedTensor>)>, EngineError> {
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

/// Runs all `digits` through the framework and every candidate, and compares digit by digit. `progress` hears the share
/// that is done.
///
/// # Errors
/// When the framework fails.
pub fn validate(
    reference: &mut Subject,
    candidates: &mut [Subject],
    digits: &Digits,
    mut progress: impl FnMut(f64),
) -> Result<Reference, EngineError> {
    let images: Vec<(&[u8], u8)> = digits.iter().collect();
    let mut tally = Tally::new();
    let mut tallies: Vec<Tally> = candidates.iter().map(|_| Tally::new()).collect();
    for (number, chunk) in images.chunks(VALIDATION_BATCH).enumerate() {
        let first = number * VALIDATION_BATCH;
        let input = batch(chunk.iter().map(|(image, _)| *image))?;
        let engine = reference.engine.as_mut().ok_or_else(|| gone(&reference.row))?;
        let expected = log_probabilities(engine, &input)?;
        let labels = || chunk.iter().map(|(_, label)| *label);
        tally.take(first, labels(), &expected, &expected);
        for (candidate, tally) in candidates.iter_mut().zip(&mut tallies) {
            if let Some(found) = candidate.attempt(|engine| log_probabilities(engine, &input)) {
                tally.take(first, labels(), &found, &expected);
            }
        }
        progress((first + chunk.len()) as f64 / images.len() as f64);
    }
    for (candidate, tally) in candidates.iter_mut().zip(tallies) {
        if candidate.engine.is_some() {
            candidate.row.accuracy = Some(tally.accuracy());
            candidate.row.agreement = Some(Agreement {
                agreeing: tally.images - tally.disagreements.len(),
                disagreements: tally.disagreements,
                difference: tally.difference,
            });
        }
    }
    reference.row.accuracy = Some(tally.accuracy());
    Ok(Reference {
        engine: reference.row.engine.clone(),
        images: tally.images,
        misread: tally.misread,
        confusion: tally.confusion,
    })
}

fn gone(row: &Row) -> EngineError {
    let reason = row.error.clone().unwrap_or_else(|| "it is gone".to_owned());
    EngineError::Worker { engine: row.engine.clone(), reason }
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

/// Times the engines side by side on the first `size` digits; from the start again if there are fewer. The first subject
/// is the framework.
///
/// # Errors
/// When the digits are no images.
pub fn time(
    subjects: &mut [&mut Subject],
    digits: &Digits,
    size: usize,
    least: Duration,
    progress: impl FnMut(f64),
) -> Result<BatchTiming, EngineError> {
    let images: Vec<&[u8]> = digits.iter().map(|(image, _)| image).collect();
    let inputs = [batch(images.into_iter().cycle().take(size))?];
    for subject in subjects.iter_mut() {
        subject.attempt(|engine| engine.prepare(&inputs));
    }
    let (indices, mut contenders): (Vec<usize>, Vec<Contender<'_>>) = subjects
        .iter_mut()
        .enumerate()
        .filter_map(|(index, subject)| {
            let name = subject.row.engine.clone();
            let engine = subject.engine.as_mut()?;
            Some((index, Contender { name, block: Box::new(move |runs| engine.block(runs)) }))
        })
        .unzip();
    let results = interleave(&mut contenders, &Plan::new(least), progress);
    drop(contenders);
    let mut base: Option<Series> = None;
    let mut engines = Vec::new();
    for (index, result) in indices.into_iter().zip(results) {
        match (result, subjects.get_mut(index)) {
            (Ok(series), _) => {
                let speedup = base.as_ref().and_then(|base| ratio(base, &series));
                if index == 0 {
                    base = Some(series.clone());
                }
                let images_per_second = size as f64 * 1e3 / series.latency_ms.p50;
                engines.push(EngineTiming { images_per_second, speedup, series });
            }
            (Err(error), Some(subject)) => subject.fail(&error),
            (Err(_), None) => {}
        }
    }
    Ok(BatchTiming { batch: size, engines })
}

/// Asks every process what it has used.
pub fn finish(subjects: &mut [&mut Subject]) {
    for subject in subjects {
        subject.row.usage = subject.attempt(RemoteEngine::usage).flatten();
    }
}
