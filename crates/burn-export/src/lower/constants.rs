//! Constants of the recording, and numbers that follow an axis.

use std::collections::HashMap;

use burn::backend::capture::TensorId;
use burn::tensor::DType;
use bytes::Bytes;
use onnx_model::DataType;

use super::{Builder, Result, internal};
use crate::elements::{self, data_type};
use crate::graph::{Operand, ValueId};
use crate::program::{AffineTerm, Constant, Number, Program};
use crate::symbolic::Dim;

/// Writes the constant behind a tensor.
pub(super) fn write(b: &mut Builder, program: &Program, id: TensorId) -> Result<ValueId> {
    let constant = program.constants.get(&id).ok_or_else(|| internal("a tensor that nothing computes"))?;
    let shape = program.shapes.get(&id).cloned().unwrap_or_default();
    let of = |dtype: DType| data_type(dtype, || "a constant".to_string());
    match constant {
        Constant::Fixed(data) => {
            let dtype = of(data.dtype())?;
            let shape = data.shape().to_vec();
            let bytes = if dtype == DataType::Bool {
                let width = data.dtype().size();
                data.as_bytes().chunks_exact(width).map(|word| u8::from(word.iter().any(|byte| *byte != 0))).collect()
            } else {
                data.as_bytes().to_vec()
            };
            let bytes: Vec<u8> = bytes;
            let width = bytes.len() / shape.iter().product::<usize>().max(1);
            // One number throughout is a scalar, which operators broadcast.
            if let Some(first) = bytes.get(..width)
                && bytes.len() > width
                && width > 0
                && bytes.chunks_exact(width).all(|element| element == first)
            {
                let scalar = b.constant(dtype, &[], first.to_vec());
                return Ok(b.expand(scalar, shape.iter().map(|size| Dim::fixed(*size as i64)).collect()));
            }
            Ok(b.constant(dtype, &shape, Bytes::from(bytes)))
        }
        Constant::Fill(element) => {
            let dtype = of(element.dtype)?;
            Ok(b.filled(&shape, dtype, element.value, element.whole))
        }
        Constant::Affine { offset, steps, dtype } => affine(b, &shape, offset, steps, of(*dtype)?),
        Constant::Sizes(sizes, dtype) => {
            let count = Dim::fixed(sizes.len() as i64);
            let vector = b.node("Identity", [Operand::Dims(sizes.clone())], [], (DataType::I64, vec![count]));
            let vector = b.cast(vector, of(*dtype)?);
            Ok(b.reshape(vector, shape))
        }
        Constant::Triangle { diagonal, upper } => {
            let rank = shape.len();
            let (Some(columns), Some(rows)) = (shape.last(), shape.get(rank.wrapping_sub(2))) else {
                return Err(internal("a triangle without rows"));
            };
            let column = b.range(columns, DataType::I64);
            let row = b.range(rows, DataType::I64);
            let row = b.unsqueeze(row, &[1]);
            let shift = b.whole(DataType::I64, *diagonal);
            let edge = b.add(row, shift);
            let op = if *upper { "GreaterOrEqual" } else { "Less" };
            let mask = b.compare(op, column, edge);
            Ok(b.expand(mask, shape))
        }
    }
}

fn affine(
    b: &mut Builder,
    shape: &[Dim],
    offset: &AffineTerm,
    steps: &[AffineTerm],
    dtype: DataType,
) -> Result<ValueId> {
    let rank = shape.len();
    // Computed in int64: exact, and every runtime has the operators.
    let term = |b: &mut Builder, term: &AffineTerm| match term {
        AffineTerm::Whole(dim) => b.size(dim, DataType::I64),
        AffineTerm::Real(value) => b.whole(DataType::I64, *value as i64),
    };
    let is = |term: &AffineTerm, value: i64| match term {
        AffineTerm::Whole(dim) => dim.is(value),
        AffineTerm::Real(real) => *real == value as f64,
    };
    let mut sum: Option<ValueId> = None;
    for (axis, (step, size)) in steps.iter().zip(shape).enumerate() {
        if is(step, 0) {
            continue;
        }
        let mut ramp = b.range(size, DataType::I64);
        if !is(step, 1) {
            let step = term(b, step);
            ramp = b.mul(ramp, step);
        }
        let trailing: Vec<usize> = (1..rank - axis).collect();
        if !trailing.is_empty() {
            ramp = b.unsqueeze(ramp, &trailing);
        }
        sum = Some(match sum {
            Some(sum) => b.add(sum, ramp),
            None => ramp,
        });
    }
    let value = match sum {
        Some(sum) if is(offset, 0) => sum,
        Some(sum) => {
            let offset = term(b, offset);
            b.add(sum, offset)
        }
        None => term(b, offset),
    };
    let value = b.cast(value, dtype);
    Ok(b.expand(value, shape.to_vec()))
}

/// A number that follows an axis, as a scalar.
pub(super) fn number(b: &mut Builder, number: &Number, dtype: DataType) -> ValueId {
    // Roots are taken in float32 at least.
    let wide = if elements::is_float(dtype) && dtype != DataType::F64 { DataType::F32 } else { dtype };
    let value = match number {
        Number::Whole(dim) => b.size(dim, dtype),
        Number::Reciprocal(dim) => {
            let size = b.size(dim, wide);
            b.unary("Reciprocal", size)
        }
        Number::Root(dim) => {
            let size = b.size(dim, wide);
            b.unary("Sqrt", size)
        }
        Number::ReciprocalRoot(dim) => {
            let size = b.size(dim, wide);
            let root = b.unary("Sqrt", size);
            b.unary("Reciprocal", root)
        }
    };
    b.cast(value, dtype)
}

/// Outputs that no operation computes: constants and parameters returned as they are.
pub(super) fn missing_outputs(
    b: &mut Builder,
    program: &Program,
    values: &mut HashMap<TensorId, ValueId>,
) -> Result<()> {
    for id in &program.outputs {
        if !values.contains_key(id) {
            let value = write(b, program, *id)?;
            values.insert(*id, value);
        }
    }
    Ok(())
}
