//! Labels for pictures.

use engines::engine::{Engine, EngineError};
use models::imagenet::{Labels, Prediction, top};
use serde::Serialize;

use crate::images::{Images, OUTPUT};

/// What the network sees in one picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guess {
    /// The class number.
    pub class: usize,
    /// Its name.
    pub label: String,
    /// Its probability, from 0 to 1.
    pub probability: f64,
}

/// The `count` most probable classes of each picture, best first, from the normalised pixels of all.
///
/// # Errors
/// When the engine fails, or gives something else than logits.
pub fn guesses(
    images: &Images,
    engine: &mut dyn Engine,
    pixels: Vec<f32>,
    labels: &Labels,
    count: usize,
) -> Result<Vec<Vec<Guess>>, EngineError> {
    let logits = images.outputs(engine, &images.batch(pixels)?)?;
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(EngineError::Output {
            engine: engine.name().to_owned(),
            name: OUTPUT.to_owned(),
            found: "not finite".to_owned(),
        });
    }
    let guess =
        |Prediction { class, probability }| Guess { class, label: labels.name(class).unwrap_or_default(), probability };
    Ok(logits.chunks_exact(images.classes).map(|row| top(row, count).into_iter().map(guess).collect()).collect())
}
