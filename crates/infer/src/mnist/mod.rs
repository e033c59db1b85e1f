//! The MNIST CNN under every engine: validation on the test digits, timing, prediction.

pub mod evaluate;
pub mod page;
pub mod picture;
pub mod predict;
pub mod report;
pub mod training;

use std::path::Path;

use models::mnist_cnn::{CLASSES, IMAGE_SIZE};
use models::mnist_digits::{Digits, DigitsError, PIXELS, Split, normalization_table};

use crate::burn_mnist::{INPUT, OUTPUT};
use crate::engine::{Dimension, Engine, EngineError};
use crate::tensor::{NamedTensor, Tensor};

/// Reads the test digits.
///
/// # Errors
/// When they are not in the folder, or damaged.
pub fn test_digits(folder: &Path) -> Result<Digits, DigitsError> {
    Digits::read(folder, Split::Test)
}

/// Images as the network takes them: `input`, `[images, 1, 28, 28]`, normalised.
///
/// # Errors
/// When an image does not have 784 pixels.
pub fn batch<'a>(images: impl IntoIterator<Item = &'a [u8]>) -> Result<NamedTensor, EngineError> {
    let table = normalization_table();
    let pixels: Vec<f32> =
        images.into_iter().flatten().filter_map(|&pixel| table.get(usize::from(pixel)).copied()).collect();
    let count = pixels.len() / PIXELS;
    let tensor = Tensor::new([count, 1, IMAGE_SIZE, IMAGE_SIZE], pixels).map_err(|error| EngineError::Input {
        engine: "the MNIST CNN".to_owned(),
        name: INPUT.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(NamedTensor::new(INPUT, tensor))
}

/// The logarithms of the probabilities, ten for each image, that an engine gives.
///
/// # Errors
/// When the engine fails, or gives something else.
pub fn log_probabilities(engine: &mut dyn Engine, input: &NamedTensor) -> Result<Vec<f32>, EngineError> {
    let images = input.tensor.shape().first().copied().unwrap_or(0);
    let outputs = engine.run(std::slice::from_ref(input))?;
    let found = |name: &str, found: String| EngineError::Output {
        engine: engine.name().to_owned(),
        name: name.to_owned(),
        found,
    };
    let Some(output) = outputs.into_iter().find(|output| output.name == OUTPUT) else {
        return Err(found(OUTPUT, "missing".to_owned()));
    };
    let (shape, elements) = (output.tensor.shape(), output.tensor.as_f32());
    match elements {
        Some(elements) if shape == [images, CLASSES] => Ok(elements.to_vec()),
        _ => {
            let kind = output.tensor.elements().element_type();
            Err(found(OUTPUT, format!("{kind} {shape:?} instead of float [{images}, {CLASSES}]")))
        }
    }
}

/// Refuses a model that does not take digits and give probabilities.
///
/// # Errors
/// When input or output have another name or shape; the message shows what the model has.
pub fn check_signature(engine: &dyn Engine, model: &Path) -> Result<(), EngineError> {
    let signature = engine.signature();
    let image = [Dimension::Fixed(1), Dimension::Fixed(IMAGE_SIZE), Dimension::Fixed(IMAGE_SIZE)];
    let fits = match (signature.inputs.as_slice(), signature.outputs.as_slice()) {
        ([input], [output]) => {
            input.name == INPUT
                && output.name == OUTPUT
                && matches!(input.shape.as_slice(), [batch, rest @ ..] if is_free(batch) && rest == image)
                && matches!(output.shape.as_slice(), [batch, Dimension::Fixed(CLASSES)] if is_free(batch))
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let listed =
        |tensors: &[crate::engine::TensorInfo]| tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(EngineError::Load {
        engine: engine.name().to_owned(),
        path: model.to_owned(),
        reason: format!(
            "it is not an MNIST network: it takes ({}) and gives ({}) instead of ({INPUT}: float [batch, 1, {IMAGE_SIZE}, \
             {IMAGE_SIZE}]) and ({OUTPUT}: float [batch, {CLASSES}])",
            listed(&signature.inputs),
            listed(&signature.outputs),
        ),
    })
}

fn is_free(dimension: &Dimension) -> bool {
    matches!(dimension, Dimension::Named(_) | Dimension::Unknown)
}
