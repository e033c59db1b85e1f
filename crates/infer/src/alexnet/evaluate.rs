//! Is every engine right about pictures, and does it see the same as the framework?

use std::path::PathBuf;

use models::alexnet::{CLASSES, IMAGE_SIZE};
use models::imagenet::{Labels, preprocess_file, top};

use super::{OUTPUT, batch};
use crate::engine::{Engine, EngineError};
use crate::field::Field;
use crate::network::Agreement;
use crate::random::uniform;
use crate::tensor::NamedTensor;

/// The batch sizes at which outputs are compared with float64: one, two, a prime, and what a server would gather.
const SWEEP: [usize; 4] = [1, 2, 7, 32];

/// Given pictures that are compared with float64 at once.
const REAL: usize = 7;

/// Pictures that run at once.
const AT_ONCE: usize = 16;

/// The numbers of one picture.
const PIXELS: usize = 3 * IMAGE_SIZE * IMAGE_SIZE;

/// Pictures with their normalised pixels, `[3, 224, 224]` each.
pub struct Pictures {
    files: Vec<PathBuf>,
    pixels: Vec<Vec<f32>>,
}

impl Pictures {
    /// Reads picture files.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(files: Vec<PathBuf>) -> Result<Self, models::imagenet::ImageError> {
        let pixels = files.iter().map(|file| preprocess_file(file)).collect::<Result<_, _>>()?;
        Ok(Self { files, pixels })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Random pictures at every batch size, and the first of those given.
    ///
    /// # Errors
    /// Never for pictures that were read.
    pub fn cases(&self) -> Result<Vec<(String, Vec<NamedTensor>)>, EngineError> {
        let mut cases = Vec::new();
        for size in SWEEP {
            cases.push((format!("{size} random"), vec![random(size)?]));
        }
        let real: Vec<f32> = self.pixels.iter().take(REAL).flatten().copied().collect();
        if !real.is_empty() {
            cases.push((format!("{} given", real.len() / PIXELS), vec![batch(real)?]));
        }
        Ok(cases)
    }

    /// `size` pictures to be timed: those given, from the start again if they are fewer; random ones if there are none.
    ///
    /// # Errors
    /// Never for pictures that were read.
    pub fn timed(&self, size: usize) -> Result<NamedTensor, EngineError> {
        match self.is_empty() {
            true => random(size),
            false => batch(self.pixels.iter().cycle().take(size).flatten().copied().collect()),
        }
    }

    /// Compares what the framework and each candidate see in every picture. `None` for a candidate that failed, and for
    /// all if there are no pictures. `progress` hears the share that is done.
    ///
    /// # Errors
    /// When the framework fails.
    pub fn agreements(
        &self,
        field: &mut Field,
        labels: Option<&Labels>,
        progress: impl Fn(f64),
    ) -> Result<Vec<Option<Agreement>>, EngineError> {
        let mut agreements: Vec<Agreement> = field.candidates.iter().map(|_| Agreement::default()).collect();
        for (number, pixels) in self.pixels.chunks(AT_ONCE).enumerate() {
            let input = batch(pixels.concat())?;
            let expected = seen(field.reference.required()?, &input)?;
            let files = self.files.iter().skip(number * AT_ONCE);
            for (candidate, agreement) in field.candidates.iter_mut().zip(&mut agreements) {
                let Some(found) = candidate.attempt(|engine| seen(engine, &input)) else { continue };
                for (file, (expected, found)) in files.clone().zip(expected.iter().zip(&found)) {
                    let name =
                        |classes: &[usize]| classes.first().map_or_else(String::new, |&class| called(labels, class));
                    agreement.take(&file.display().to_string(), &name(expected), &name(found));
                    let sorted = |classes: &[usize]| {
                        let mut classes = classes.to_vec();
                        classes.sort_unstable();
                        classes
                    };
                    *agreement.same_top5.get_or_insert(0) += usize::from(sorted(expected) == sorted(found));
                }
            }
            progress((number * AT_ONCE + pixels.len()) as f64 / self.pixels.len() as f64);
        }
        let whole =
            |agreement: Agreement| Some(agreement).filter(|found| found.items > 0 && found.items == self.files.len());
        Ok(agreements.into_iter().map(whole).collect())
    }
}

/// Pictures that are random within the range of normalised pixels.
fn random(size: usize) -> Result<NamedTensor, EngineError> {
    batch(uniform(size as u64, size * PIXELS, -2.1, 2.6))
}

fn called(labels: Option<&Labels>, class: usize) -> String {
    labels.and_then(|labels| labels.name(class)).unwrap_or_else(|| format!("class {class}"))
}

/// The five most probable classes of each picture, best first.
fn seen(engine: &mut dyn Engine, input: &NamedTensor) -> Result<Vec<Vec<usize>>, EngineError> {
    let pictures = input.tensor.shape().first().copied().unwrap_or(0);
    let outputs = engine.run(std::slice::from_ref(input))?;
    let found =
        |found: String| EngineError::Output { engine: engine.name().to_owned(), name: OUTPUT.to_owned(), found };
    let output = outputs.iter().find(|output| output.name == OUTPUT).ok_or_else(|| found("missing".to_owned()))?;
    let logits = output.tensor.as_f32().filter(|_| output.tensor.shape() == [pictures, CLASSES]);
    let logits = logits.ok_or_else(|| found(format!("of shape {:?} or no float", output.tensor.shape())))?;
    Ok(logits.chunks(CLASSES).map(|row| top(row, 5).into_iter().map(|found| found.class).collect()).collect())
}
