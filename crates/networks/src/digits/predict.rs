//! One image through every engine.

use serde::Serialize;

use super::{batch, log_probabilities};
use crate::images::Images;
use engines::engine::{Engine, EngineError};
use evaluation::compare::largest;
use terminal::plain::line;
use terminal::table::Table;

/// What the engines make of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The image: `test image 100`, or a file.
    pub image: String,
    /// What it shows, where that is known: the class, from zero.
    pub label: Option<u8>,
    /// What the classes are called.
    pub names: Vec<String>,
    /// What each engine reads.
    pub readings: Vec<Reading>,
    /// Whether all read the same digit.
    pub agree: bool,
}

/// What one engine reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// The engine.
    pub engine: String,
    /// The most likely digit.
    pub digit: usize,
    /// The probability of each digit.
    pub probabilities: Vec<f64>,
}

/// Runs one image of 28x28 pixels, light on dark, through the engines.
///
/// # Errors
/// When an engine fails or gives no digit.
pub fn predict(
    images: &Images,
    engines: &mut [Box<dyn Engine>],
    pixels: &[u8],
    image: String,
    label: Option<u8>,
    names: Vec<String>,
) -> Result<Prediction, EngineError> {
    let input = batch(images, [pixels])?;
    let mut readings = Vec::new();
    for engine in engines {
        let row = log_probabilities(images, engine.as_mut(), &input)?;
        let digit = largest(&row).ok_or_else(|| EngineError::Run {
            engine: engine.name().to_owned(),
            reason: "it gave no probabilities".to_owned(),
        })?;
        let probabilities = row.iter().map(|log| f64::from(*log).exp()).collect();
        readings.push(Reading { engine: engine.name().to_owned(), digit, probabilities });
    }
    let agree = readings.windows(2).all(|pair| matches!(pair, [a, b] if a.digit == b.digit));
    Ok(Prediction { image, label, names, readings, agree })
}

impl Prediction {
    /// The image in characters, the answer, and the probabilities.
    pub fn text(&self, pixels: &[u8]) -> String {
        let label = self.label.map(|label| format!(", labelled {}", self.called(label.into()))).unwrap_or_default();
        let mut text = drawing(pixels) + &line(format_args!("{}{label}", self.image));
        let digits = self.names.iter().cloned();
        let mut table = Table::new(["engine".to_owned(), "digit".to_owned()].into_iter().chain(digits));
        for reading in &self.readings {
            let percent = reading.probabilities.iter().map(|share| format!("{:.2} %", 100.0 * share));
            table.row([reading.engine.clone(), self.called(reading.digit)].into_iter().chain(percent));
        }
        text += &table.render();
        text
    }

    fn called(&self, class: usize) -> String {
        self.names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// The pixels as shades, two rows of pixels to a line, without the empty margin.
fn drawing(pixels: &[u8]) -> String {
    const SHADES: [char; 5] = [' ', '.', ':', 'o', '@'];
    let width = pixels.len().isqrt();
    let rows: Vec<&[u8]> = pixels.chunks_exact(width).collect();
    let lines: Vec<String> = rows
        .chunks(2)
        .map(|pair| {
            let shade = |column: usize| {
                let values = pair.iter().filter_map(|row| row.get(column));
                let (sum, count) = values.fold((0, 0), |(sum, count), &value| (sum + usize::from(value), count + 1));
                let level = (sum / count.max(1) * SHADES.len() / 256).min(SHADES.len() - 1);
                SHADES.get(level).copied().unwrap_or(' ')
            };
            (0..width).map(shade).collect::<String>().trim_end().to_owned()
        })
        .collect();
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(0);
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |index| index + 1);
    let shown = lines.get(first..last).unwrap_or_default();
    shown.iter().map(|line| format!("  {line}\n")).collect()
}
