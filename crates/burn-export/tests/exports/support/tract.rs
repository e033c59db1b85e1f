//! tract for tests: a second runtime, in Rust, that shares nothing with ONNX Runtime.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{BoolStore, DType, TensorData};
use tract_onnx::prelude::*;

/// Where tract stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It does not take the graph: an operator, a form of it, or an element type that it does not know.
    Refuses,
    /// It took the graph, and failed when it ran.
    Fails,
    /// It panicked.
    Panics,
    /// It did not end in time.
    Hangs,
    /// It gave another shape or other numbers than Burn and ONNX Runtime.
    Differs,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuses => "refuses the graph",
            Self::Fails => "fails to run",
            Self::Panics => "panics",
            Self::Hangs => "does not end",
            Self::Differs => "gives another result",
        })
    }
}

/// Runs a model on inputs, planned for their shapes.
pub fn run(bytes: &[u8], inputs: &[(&str, &TensorData)]) -> Result<Vec<TensorData>, (Failure, String)> {
    catch_unwind(AssertUnwindSafe(|| guarded(bytes, inputs)))
        .unwrap_or_else(|_| Err((Failure::Panics, "a panic".to_string())))
}

fn guarded(bytes: &[u8], inputs: &[(&str, &TensorData)]) -> Result<Vec<TensorData>, (Failure, String)> {
    let refuses = |error: TractError| (Failure::Refuses, format!("{error:#}"));
    let fails = |error: TractError| (Failure::Fails, format!("{error:#}"));
    // What the file declares inside names axes that a plan gives sizes to.
    let reader = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let mut model = reader.model_for_read(&mut &*bytes).map_err(refuses)?;
    let mut values = TVec::new();
    let outlets = model.input_outlets().map_err(refuses)?.to_vec();
    for (position, outlet) in outlets.iter().enumerate() {
        let name = model.node(outlet.node).name.clone();
        let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, data)| *data);
        let data = given.unwrap_or_else(|| panic!("no input is called {name}"));
        let value = tensor(data).map_err(refuses)?;
        let fact = InferenceFact::dt_shape(value.datum_type(), value.shape());
        model.set_input_fact(position, fact).map_err(refuses)?;
        values.push(value.into_tvalue());
    }
    let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(refuses)?;
    let outputs = plan.run(values).map_err(fails)?;
    outputs.iter().map(|value| data(value).map_err(fails)).collect()
}

fn tensor(data: &TensorData) -> TractResult<Tensor> {
    let shape = data.shape().to_vec();
    macro_rules! copied {
        ($element:ty) => {
            Tensor::from_shape(&shape, data.as_slice::<$element>().unwrap_or_default())
        };
    }
    match data.dtype() {
        DType::F32 => copied!(f32),
        DType::F64 => copied!(f64),
        DType::F16 => copied!(half::f16),
        DType::I64 => copied!(i64),
        DType::I32 => copied!(i32),
        DType::U8 => copied!(u8),
        DType::Bool(_) => Tensor::from_shape(&shape, &data.iter::<bool>().collect::<Vec<bool>>()),
        other => panic!("no input of type {other:?}"),
    }
}

fn data(value: &Tensor) -> TractResult<TensorData> {
    // Whole numbers may come back as symbolic sizes.
    let kind = if value.datum_type() == DatumType::TDim { DatumType::I64 } else { value.datum_type() };
    let value = value.cast_to_dt(kind)?;
    let shape = value.shape().to_vec();
    macro_rules! copied {
        ($element:ty) => {
            TensorData::new(value.to_plain_array_view::<$element>()?.iter().copied().collect::<Vec<_>>(), shape)
        };
    }
    Ok(match kind {
        DatumType::F32 => copied!(f32),
        DatumType::F64 => copied!(f64),
        DatumType::F16 => copied!(half::f16),
        DatumType::I64 => copied!(i64),
        DatumType::I32 => copied!(i32),
        DatumType::U8 => copied!(u8),
        DatumType::Bool => {
            let bytes = value.to_plain_array_view::<bool>()?.iter().map(|truth| u8::from(*truth)).collect();
            TensorData::from_bytes_vec(bytes, shape, DType::Bool(BoolStore::U8))
        }
        other => return Err(TractError::msg(format!("an output of type {other:?}"))),
    })
}
