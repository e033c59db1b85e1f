//! Labels for pictures.

use engines::engine::{Engine, EngineError};
use models::imagenet::{Labels, Prediction, best, top};
use serde::Serialize;

use crate::images::Images;

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

/// The `count` most probable classes of each picture, best first, from the normalised pixels of all. Without labels they go by their
/// numbers.
///
/// # Errors
/// When the engine fails, or gives something else than logits.
pub fn guesses(
    images: &Images,
    engine: &mut dyn Engine,
    pixels: Vec<f32>,
    labels: Option<&Labels>,
    count: usize,
) -> Result<Vec<Vec<Guess>>, EngineError> {
    let logits = images.answers(engine, pixels)?;
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(EngineError::Output {
            engine: engine.name().to_owned(),
            name: images.form.output.clone(),
            found: "not finite".to_owned(),
        });
    }
    let guess = |Prediction { class, probability }| {
        let label = labels.and_then(|labels| labels.name(class)).unwrap_or_else(|| format!("class {class}"));
        Guess { class, label, probability }
    };
    let likely = |row: &[f32]| match images.form.probabilities {
        true => best(row.iter().copied().map(f64::from), count),
        false => top(row, count),
    };
    Ok(logits.chunks_exact(images.classes).map(|row| likely(row).into_iter().map(guess).collect()).collect())
}
