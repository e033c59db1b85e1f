//! candle-onnx, for the benchmark `consumers`.

mod exchange;

use candle_core::{Device, Tensor};
use exchange::{Elements, Named, Result};

fn main() -> Result<()> {
    exchange::serve(|path| {
        let model = candle_onnx::read_file(path)?;
        Ok(move |inputs: Vec<Named>, outputs: &[String]| {
            let tensor = |Named { name, shape, elements }| {
                let tensor = match elements {
                    Elements::Float(elements) => Tensor::from_vec(elements, shape, &Device::Cpu),
                    Elements::Int(elements) => Tensor::from_vec(elements, shape, &Device::Cpu),
                };
                Ok((name, tensor?))
            };
            let found = candle_onnx::simple_eval(&model, inputs.into_iter().map(tensor).collect::<Result<_>>()?)?;
            let named = |name: &String| {
                let value = found.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
                let elements = Elements::Float(value.flatten_all()?.to_vec1()?);
                Ok(Named { name: name.clone(), shape: value.dims().to_vec(), elements })
            };
            outputs.iter().map(named).collect()
        })
    })
}
