//! AlexNet under every engine: what it takes and gives, and predictions for pictures.

pub mod evaluate;
pub mod predict;

use std::path::Path;

use models::alexnet::{CLASSES, IMAGE_SIZE};
use models::imagenet::normalize;

use crate::engine::{Dimension, Engine, EngineError, Signature, TensorInfo};
use crate::signature::require;
use crate::tensor::{ElementType, NamedTensor, Tensor};

/// The name of the network's input.
pub const INPUT: &str = "input";

/// The name of the network's output.
pub const OUTPUT: &str = "output";

/// What the network takes and gives: `input` `[batch, 3, 224, 224]`, `output` `[batch, 1000]`.
pub fn signature() -> Signature {
    let batch = || Dimension::Named("batch".to_owned());
    let tensor = |name: &str, sizes: &[usize]| TensorInfo {
        name: name.to_owned(),
        element: Some(ElementType::Float),
        shape: [batch()].into_iter().chain(sizes.iter().copied().map(Dimension::Fixed)).collect(),
    };
    Signature { inputs: vec![tensor(INPUT, &[3, IMAGE_SIZE, IMAGE_SIZE])], outputs: vec![tensor(OUTPUT, &[CLASSES])] }
}

/// Refuses a model that does not take pictures and give logits.
///
/// # Errors
/// When input or output have another name or shape; the message shows what the model has.
pub fn check_signature(engine: &dyn Engine, model: &Path) -> Result<(), EngineError> {
    require(engine, model, &signature(), "an AlexNet")
}

/// The normalised pixels of a picture that shows nothing real, `[3, 224, 224]`: a disc before a slope of colours, for an
/// example where there is no photograph. It is the same everywhere.
pub fn made_up_picture() -> Vec<f32> {
    const RADIUS: usize = IMAGE_SIZE / 4;
    let pixel = |index: usize| {
        let (x, y) = (index % IMAGE_SIZE, index / IMAGE_SIZE);
        let (from_left, from_top) = (x.abs_diff(IMAGE_SIZE / 2), y.abs_diff(IMAGE_SIZE / 2));
        let share = |part: usize| u8::try_from(255 * part / IMAGE_SIZE).unwrap_or(u8::MAX);
        match from_left.pow(2) + from_top.pow(2) < RADIUS.pow(2) {
            true => [230, 120, 40],
            false => [share(x), share(y), share(IMAGE_SIZE - y)],
        }
    };
    let pixels: Vec<[u8; 3]> = (0..IMAGE_SIZE * IMAGE_SIZE).map(pixel).collect();
    normalize(&pixels)
}

/// Pictures as the network takes them, from their normalised pixels, `[3, 224, 224]` each.
///
/// # Errors
/// When the pixels do not fill whole pictures.
pub fn batch(pixels: Vec<f32>) -> Result<NamedTensor, EngineError> {
    let count = pixels.len() / (3 * IMAGE_SIZE * IMAGE_SIZE);
    let tensor = Tensor::new([count, 3, IMAGE_SIZE, IMAGE_SIZE], pixels).map_err(|error| EngineError::Input {
        engine: "AlexNet".to_owned(),
        name: INPUT.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(NamedTensor::new(INPUT, tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, with ImageNet's means and deviations: the disc in the middle is (230, 120, 40), the corner (0, 0, 255).
    #[test]
    fn the_made_up_picture_is_a_disc_before_a_slope() {
        let picture = made_up_picture();
        let plane = IMAGE_SIZE * IMAGE_SIZE;
        assert_eq!(picture.len(), 3 * plane);
        let at = |place: usize| [0, 1, 2].map(|channel| picture[channel * plane + place]);
        let expected = |rgb: [f32; 3]| {
            let [r, g, b] = rgb.map(|value| value / 255.0);
            [(r - 0.485) / 0.229, (g - 0.456) / 0.224, (b - 0.406) / 0.225]
        };
        assert_eq!(at(IMAGE_SIZE / 2 * IMAGE_SIZE + IMAGE_SIZE / 2), expected([230.0, 120.0, 40.0]));
        assert_eq!(at(0), expected([0.0, 0.0, 255.0]));
    }
}
