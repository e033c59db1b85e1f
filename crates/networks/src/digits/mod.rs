//! Which digit an image shows.

pub mod picture;
pub mod predict;

use std::ops::Range;
use std::path::{Path, PathBuf};

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use evaluation::compare::largest;
use evaluation::task::{Case, Figure, Metric, Shipped, Task, Thumbnail};
use models::digits::{Digits, DigitsError, Part, Split, normalization_table};
use serde::{Deserialize, Serialize};

use crate::images::Images;

/// Misread digits that are shown.
const SHOWN: usize = 100;

/// The batch sizes of test digits on which outputs are compared with float64.
const SWEEP: [usize; 4] = [1, 2, 7, 64];

/// The test digits, and the network's input and output.
pub struct DigitTask {
    digits: Digits,
    /// What the classes are called.
    names: Vec<String>,
    images: Images,
}

/// What an engine reads in an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The most likely class.
    pub digit: usize,
    /// Its probability.
    pub probability: f64,
}

/// The files of digits in a folder: those of the training, or of the test.
pub fn files(folder: &Path, split: Split) -> [PathBuf; 2] {
    [split.images_file(), split.labels_file()].map(|name| folder.join(name))
}

/// Images as the network takes them: normalised.
///
/// # Errors
/// When an image does not have 784 pixels.
pub fn batch<'a>(images: &Images, pixels: impl IntoIterator<Item = &'a [u8]>) -> Result<NamedTensor, EngineError> {
    let table = normalization_table();
    let value = |&pixel: &u8| table.get(usize::from(pixel)).copied();
    images.batch(pixels.into_iter().flatten().filter_map(value).collect())
}

/// The logarithms of the probabilities of every class, image by image.
///
/// # Errors
/// When the engine fails, or gives something else.
pub fn log_probabilities(
    images: &Images,
    engine: &mut dyn Engine,
    input: &NamedTensor,
) -> Result<Vec<f32>, EngineError> {
    let outputs = images.outputs(engine, input)?;
    match outputs.iter().all(|value| value.is_finite() || *value == f32::NEG_INFINITY) {
        true => Ok(outputs),
        false => Err(EngineError::Output {
            engine: engine.name().to_owned(),
            name: crate::images::OUTPUT.to_owned(),
            found: "not finite".to_owned(),
        }),
    }
}

impl DigitTask {
    /// Reads the digits of the training or of the test.
    ///
    /// # Errors
    /// When they are not in the folder, or damaged, or of other classes than the network's.
    pub fn read(folder: &Path, split: Split, images: Images) -> Result<Self, DigitsError> {
        let part = Part::read(folder, split)?;
        let classes = part.classes_of(images.classes);
        Ok(Self { names: part.names(classes)?, digits: Digits::of(part, classes)?, images })
    }

    /// The first of them alone.
    ///
    /// # Errors
    /// How many there are, if there are fewer.
    pub fn limited(mut self, count: usize) -> Result<Self, usize> {
        if count > self.digits.len() {
            return Err(self.digits.len());
        }
        self.digits.truncate(count);
        Ok(self)
    }

    /// The digits.
    pub fn digits(&self) -> &Digits {
        &self.digits
    }

    /// What the classes are called.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn called(&self, class: usize) -> String {
        self.names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    fn pixels(&self, index: usize) -> &[u8] {
        self.digits.image(index).unwrap_or_default()
    }

    /// The readings that are wrong, with the index and the label of each.
    fn misread<'a>(&'a self, answers: &'a [Reading]) -> impl Iterator<Item = (usize, u8, &'a Reading)> {
        let labelled = answers.iter().zip(self.digits.labels()).enumerate();
        labelled
            .filter(|(_, (answer, label))| answer.digit != usize::from(**label))
            .map(|(index, (answer, label))| (index, *label, answer))
    }
}

impl Task for DigitTask {
    /// Which test image, from zero.
    type Item = usize;
    type Answer = Reading;

    const ITEMS: &'static str = "images";
    const AT_ONCE: usize = 250;

    fn count(&self) -> usize {
        self.digits.len()
    }

    fn items(&self, range: Range<usize>) -> Result<Vec<usize>, EngineError> {
        Ok(range.collect())
    }

    fn ask(&self, engine: &mut dyn Engine, items: &[usize]) -> Result<Vec<Reading>, EngineError> {
        let input = batch(&self.images, items.iter().map(|&index| self.pixels(index)))?;
        let outputs = log_probabilities(&self.images, engine, &input)?;
        let read = |row: &[f32]| {
            let digit = largest(row).unwrap_or_default();
            Reading { digit, probability: row.get(digit).map_or(0.0, |log| f64::from(*log).exp()) }
        };
        Ok(outputs.chunks_exact(self.images.classes).map(read).collect())
    }

    fn name(&self, item: &usize) -> String {
        let label = self.digits.label(*item).map(|label| format!(", a {}", self.called(label.into())));
        format!("test image {item}{}", label.unwrap_or_default())
    }

    fn class(&self, item: &usize) -> Option<usize> {
        self.digits.label(*item).map(Into::into)
    }

    fn words(&self, answer: &Reading) -> String {
        self.called(answer.digit)
    }

    fn score(&self, answers: &[Reading]) -> Vec<Metric> {
        let correct = answers.len() - self.misread(answers).count();
        let accuracy = 100.0 * correct as f64 / answers.len().max(1) as f64;
        vec![Metric::count("correct", correct, answers.len()), Metric::percent("accuracy", accuracy)]
    }

    fn figures(&self, answers: &[Reading]) -> Vec<Figure> {
        let labels: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let pairs = self.digits.labels().iter().zip(answers).map(|(label, answer)| (usize::from(*label), answer.digit));
        let thumbnail = |(index, label, answer): (usize, u8, &Reading)| Thumbnail {
            caption: format!(
                "{index}: a {}, read as {} ({:.0} %)",
                self.called(label.into()),
                self.called(answer.digit),
                100.0 * answer.probability
            ),
            width: self.images.size,
            grey: self.pixels(index).iter().map(|pixel| format!("{pixel:02x}")).collect(),
        };
        let confusion = Figure::confusion(&labels, pairs);
        let misread = Figure::Thumbnails {
            title: "The digits that were misread".to_owned(),
            thumbnails: self.misread(answers).take(SHOWN).map(thumbnail).collect(),
            total: self.misread(answers).count(),
        };
        vec![confusion, misread]
    }

    fn cases(&self) -> Result<Vec<Case>, EngineError> {
        let case = |&size: &usize| {
            let digits = self.digits.iter().map(|(pixels, _)| pixels).take(size);
            Ok((format!("{} digits", size.min(self.digits.len())), vec![batch(&self.images, digits)?]))
        };
        SWEEP.iter().map(case).collect()
    }

    /// The first digits; from the start again if there are fewer.
    fn timed(&self, size: usize) -> Result<Vec<NamedTensor>, EngineError> {
        let digits: Vec<&[u8]> = self.digits.iter().map(|(pixels, _)| pixels).collect();
        Ok(vec![batch(&self.images, digits.into_iter().cycle().take(size))?])
    }

    fn shipped(&self) -> Result<Shipped, EngineError> {
        Ok(Shipped {
            example: vec![batch(&self.images, [self.pixels(0)])?],
            about: "the test image 0".to_owned(),
            labels: Some(self.names.clone()),
            files: Default::default(),
        })
    }
}
