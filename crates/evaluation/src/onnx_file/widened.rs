//! A model in float64, fed by what the model in float32 takes.

use engines::engine::{Engine, EngineError, Placement, Signature};
use engines::tensor::{Elements, NamedTensor, Tensor};

/// An engine whose model takes float64 in place of every other floating-point type.
pub struct Widened<'a>(pub &'a mut dyn Engine);

impl Engine for Widened<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        self.0.run(&widened(inputs))
    }

    fn placement(&mut self, inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        self.0.placement(&widened(inputs))
    }
}

/// The same values, the floating-point ones in float64.
fn widened(inputs: &[NamedTensor]) -> Vec<NamedTensor> {
    let one = |input: &NamedTensor| match input.tensor.elements() {
        Elements::F32(_) | Elements::F16(_) | Elements::BF16(_) => {
            // As many elements as before fill the same shape.
            let wide =
                Tensor::new(input.tensor.shape(), input.tensor.to_f64()).unwrap_or_else(|_| input.tensor.clone());
            NamedTensor::new(&input.name, wide)
        }
        _ => input.clone(),
    };
    inputs.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_widen_and_whole_numbers_stay() {
        let tensor = |elements: Elements| NamedTensor::new("x", Tensor::new([2], elements).unwrap());
        let wide = widened(&[tensor(vec![0.1_f32, -1.0].into()), tensor(vec![3_i64, 4].into())]);
        assert_eq!(wide[0].tensor.elements(), &Elements::from(vec![f64::from(0.1_f32), -1.0]));
        assert_eq!(wide[1].tensor.elements(), &Elements::from(vec![3_i64, 4]));
    }
}
