//! Quantisation: what is rounded to integers stays so, and the scales are in float64.

use super::forms::{Outputs, Reason, Step};
use super::writer::Expr;
use crate::DataType;

/// One value.
type One<'w> = Result<Expr<'w>, Reason>;

/// The least and the greatest number of an integer type.
fn bounds(dtype: DataType) -> Option<(f64, f64)> {
    Some(match dtype {
        DataType::U8 => (0.0, 255.0),
        DataType::I8 => (-128.0, 127.0),
        DataType::U16 => (0.0, 65535.0),
        DataType::I16 => (-32768.0, 32767.0),
        _ => return None,
    })
}

/// A scale or zero point, one for all or one for each position of an axis, in the rank of the input.
fn along<'w>(step: &Step<'_, 'w>, position: usize) -> One<'w> {
    let value = step.input(position).cast(DataType::F64);
    if step.int("block_size") != 0 {
        return Err("it is quantised in blocks");
    }
    match step.rank(position)? {
        0 => Ok(value),
        1 if step.sizes(position)? == [Some(1)] => Ok(value),
        1 => {
            let rank = step.rank(0)? as i64;
            let axis = step.op.int("axis").unwrap_or(1);
            let axis = if axis < 0 { axis + rank } else { axis };
            let mut sizes = vec![1; usize::try_from(rank - axis).map_err(|_| "its axis is outside of its input")?];
            sizes[0] = -1;
            Ok(value.reshape(&sizes))
        }
        _ => Err("it is quantised in blocks"),
    }
}

pub fn quantize<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let dtype = step.output.ok_or("the type that it quantises to is not known")?;
    let (least, most) = bounds(dtype).ok_or("it quantises to a type that is not handled")?;
    let rounded = (step.input(0).cast(DataType::F64) / along(step, 1)?).round();
    let moved = match step.optional(2) {
        Some(_) => rounded + along(step, 2)?,
        None => rounded,
    };
    Ok(moved.max(least).min(most).cast(dtype))
}

pub fn dequantize<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0).cast(DataType::F64);
    let moved = match step.optional(2) {
        Some(_) => x - along(step, 2)?,
        None => x,
    };
    Ok(moved * along(step, 1)?)
}

pub fn dynamic<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    let x = step.input(0);
    let all: Vec<i64> = (0..step.rank(0)? as i64).collect();
    let (most, least) = bounds(DataType::U8).map_or((0.0, 0.0), |(least, most)| (most, least));
    let low = x.reduce("ReduceMin", &all, false).min(0.0);
    let scale = (x.reduce("ReduceMax", &all, false).max(0.0) - low) / (most - least);
    let zero_point = (-low / scale).max(least).min(most).round();
    let y = ((x / scale).round() + zero_point).max(least).min(most);
    Ok(vec![y.cast(DataType::U8), scale, zero_point.cast(DataType::U8)])
}
