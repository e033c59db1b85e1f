//! Weights as integers among the constants of a graph.

use onnx_model::Tensor;

use crate::arithmetic::Weight;
use crate::error::QuantizeError;
use crate::writer::WeightOptions;

/// A weight as integers, with its scales.
pub struct Integers {
    /// The name of the steps.
    pub name: String,
    /// That of the scales.
    pub scale: String,
    /// That of the zero points, which are zero.
    pub zero_point: String,
    /// The scales.
    pub scales: Vec<f32>,
}

impl Integers {
    /// The integers of a weight, and the constants that they are. `fresh` gives names that nothing has yet.
    ///
    /// # Errors
    /// When the steps do not suit the shape.
    pub fn of(
        tensor: &Tensor,
        quantised: &Weight,
        options: WeightOptions,
        mut fresh: impl FnMut(String) -> String,
    ) -> Result<(Self, Vec<Tensor>), QuantizeError> {
        let [name, scale, zero_point] =
            ["quantized", "scale", "zero_point"].map(|ending| fresh(format!("{}_{ending}", tensor.name)));
        let zeros = vec![0_i8; quantised.scales.len()];
        let parameters = match (options.per_channel, quantised.scales.first()) {
            (false, Some(only)) => [Tensor::scalar(scale.clone(), *only), Tensor::scalar(zero_point.clone(), 0_i8)],
            _ => [Tensor::vector(scale.clone(), &quantised.scales), Tensor::vector(zero_point.clone(), &zeros)],
        };
        let mut made = vec![Tensor::from_slice(name.clone(), tensor.dims.clone(), &quantised.steps)?];
        made.extend(parameters);
        Ok((Self { name, scale, zero_point, scales: quantised.scales.clone() }, made))
    }
}

/// The values of a weight, if all are finite.
///
/// # Errors
/// When one is not.
pub fn finite(tensor: &Tensor) -> Result<Vec<f32>, QuantizeError> {
    let values: Vec<f32> = tensor.to_vec()?;
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(QuantizeError::Weight(tensor.name.clone())),
    }
}
