//! No model makes the rewrite fail otherwise than by an error.

use float64::to_float64;
use onnx_model::{Attribute, DataType, Dim, Model, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::models;

const EXTREMES: &[i64] = &[i64::MIN, i64::MIN + 1, -2, -1, 0, 1, 2, i32::MAX as i64, i64::MAX - 1, i64::MAX];

proptest! {
    /// Real files with a few bytes changed: sizes, axes, pads and types go wild.
    #[test]
    fn damaged_models_are_refused_or_rewritten(
        seed in any::<proptest::sample::Index>(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let models: Vec<_> = models().collect();
        let mut bytes = seed.get(&models).1.to_vec();
        for (place, value) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        if let Ok(model) = Model::decode(bytes) {
            let _ = to_float64(&model);
        }
    }

    /// Attributes and constants with extreme integers.
    #[test]
    fn extreme_numbers_are_refused_or_rewritten(
        seed in any::<proptest::sample::Index>(),
        numbers in vec(proptest::sample::select(EXTREMES), 8),
    ) {
        let models: Vec<_> = models().collect();
        let Ok(mut model) = Model::decode(seed.get(&models).1) else { return Ok(()) };
        let mut numbers = numbers.into_iter().cycle();
        let mut next = || numbers.next().unwrap_or(0);
        for node in &mut model.graph.nodes {
            for attribute in node.attributes.values_mut() {
                match attribute {
                    Attribute::Int(value) => *value = next(),
                    Attribute::Ints(values) => values.iter_mut().for_each(|value| *value = next()),
                    _ => {}
                }
            }
        }
        for tensor in &mut model.graph.initializers {
            if let (DataType::I64, Some(count)) = (tensor.dtype, tensor.elements()) {
                let values: Vec<i64> = (0..count).map(|_| next()).collect();
                *tensor = Tensor::from_slice(tensor.name.clone(), tensor.dims.clone(), &values).expect("a tensor");
            }
        }
        for input in &mut model.graph.inputs {
            for dim in input.ty.iter_mut().flat_map(|ty| ty.shape.iter_mut().flatten()) {
                let size = next();
                *dim = u64::try_from(size).map_or(Dim::from("n"), Dim::Known);
            }
        }
        let _ = (model.check(), to_float64(&model));
    }
}
