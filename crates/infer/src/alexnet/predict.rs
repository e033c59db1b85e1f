//! Labels for pictures.

use models::alexnet::CLASSES;
use models::imagenet::{Labels, top};
use serde::Serialize;

use super::{OUTPUT, batch};
use crate::engine::{Engine, EngineError};

/// What the network sees in one picture, best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guess {
    /// The class number.
    pub class: usize,
    /// Its name.
    pub label: String,
    /// Its probability, from 0 to 1.
    pub probability: f64,
}

/// The `count` most probable classes of each picture, from their normalised pixels, `[3, 224, 224]` each.
///
/// # Errors
/// When the engine fails, or gives something else than logits.
pub fn guesses(
    engine: &mut dyn Engine,
    pixels: Vec<f32>,
    labels: &Labels,
    count: usize,
) -> Result<Vec<Vec<Guess>>, EngineError> {
    let input = batch(pixels)?;
    let pictures = input.tensor.shape().first().copied().unwrap_or(0);
    let outputs = engine.run(std::slice::from_ref(&input))?;
    let found =
        |found: String| EngineError::Output { engine: engine.name().to_owned(), name: OUTPUT.to_owned(), found };
    let Some(output) = outputs.into_iter().find(|output| output.name == OUTPUT) else {
        return Err(found("missing".to_owned()));
    };
    let (shape, logits) = (output.tensor.shape(), output.tensor.as_f32());
    let Some(logits) = logits.filter(|_| shape == [pictures, CLASSES]) else {
        let kind = output.tensor.elements().element_type();
        return Err(found(format!("{kind} {shape:?} instead of float [{pictures}, {CLASSES}]")));
    };
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(found("not finite".to_owned()));
    }
    let guess = |prediction: models::imagenet::Prediction| Guess {
        class: prediction.class,
        label: labels.name(prediction.class).unwrap_or_default(),
        probability: prediction.probability,
    };
    Ok(logits.chunks(CLASSES).map(|row| top(row, count).into_iter().map(guess).collect()).collect())
}
