//! rten, for the benchmark `consumers`.

mod exchange;

use exchange::{Elements, Named, Result};
use rten::{Model, Value};

fn main() -> Result<()> {
    exchange::serve(|path| {
        let model = Model::load_file(path)?;
        Ok(move |inputs: Vec<Named>, outputs: &[String]| {
            let mut given = Vec::new();
            for Named { name, shape, elements } in inputs {
                let value = match elements {
                    Elements::Float(elements) => Value::from_shape(shape, elements)?,
                    // It has no integers of 64 bits.
                    Elements::Int(elements) => {
                        let narrow = elements.into_iter().map(i32::try_from).collect::<std::result::Result<Vec<i32>, _>>()?;
                        Value::from_shape(shape, narrow)?
                    }
                };
                given.push((model.node_id(&name)?, value.into()));
            }
            let ids = outputs.iter().map(|name| model.node_id(name)).collect::<std::result::Result<Vec<_>, _>>()?;
            let named = |(name, value): (&String, Value)| match value {
                Value::FloatTensor(tensor) => {
                    let (name, shape) = (name.clone(), tensor.shape().to_vec());
                    Ok(Named { name, shape, elements: Elements::Float(tensor.to_vec()) })
                }
                _ => Err(format!("`{name}` is not of floats").into()),
            };
            outputs.iter().zip(model.run(given, &ids, None)?).map(named).collect()
        })
    })
}
