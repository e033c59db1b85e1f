//! tract, for the benchmark `consumers`.

mod exchange;

use exchange::{Elements, Named, Result};
use tract_onnx::prelude::*;

fn main() -> Result<()> {
    exchange::serve(|path| {
        let path = path.to_owned();
        Ok(move |inputs: Vec<Named>, outputs: &[String]| {
            // A plan for the sizes of the case.
            let mut model = tract_onnx::onnx().model_for_path(&path)?;
            let mut values = TVec::new();
            for (place, Named { name, shape, elements }) in inputs.into_iter().enumerate() {
                let own = model.node(model.input_outlets()?[place].node).name.clone();
                if own != name {
                    return Err(format!("its input {place} is `{own}`, and not `{name}`").into());
                }
                let value = match elements {
                    Elements::Float(elements) => Tensor::from_shape(&shape, &elements)?,
                    Elements::Int(elements) => Tensor::from_shape(&shape, &elements)?,
                };
                model.set_input_fact(place, InferenceFact::dt_shape(value.datum_type(), &shape))?;
                values.push(value.into_tvalue());
            }
            let found = model.into_optimized()?.into_runnable()?.run(values)?;
            let named = |(name, value): (&String, &TValue)| {
                let value = value.cast_to::<f32>()?;
                let elements = Elements::Float(value.to_array_view::<f32>()?.iter().copied().collect());
                Ok(Named { name: name.clone(), shape: value.shape().to_vec(), elements })
            };
            outputs.iter().zip(found.iter()).map(named).collect()
        })
    })
}
