//! Quantisation: what is rounded to integers stays so, and the scales are in float64.

use super::correlate;
use super::form::{Family, Form};
use super::step::{One, Outputs, Reason, Step};
use super::writer::Expr;
use onnx_model::{DataType, shapes};

pub const FAMILY: Family = &[
    (&["DequantizeLinear"], 0, Form::One(dequantize)),
    (&["DynamicQuantizeLinear"], 0, Form::All(dynamic)),
    (&["QLinearConv"], 0, Form::One(conv)),
    (&["QLinearMatMul"], 0, Form::One(matmul)),
    (&["QuantizeLinear"], 0, Form::One(quantize)),
];

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

/// The scale or zero point at `position`, for values of `rank`: one for all, or one for each position of `axis`.
fn along<'w>(step: &Step<'_, 'w>, position: usize, rank: usize, axis: i64) -> One<'w> {
    let value = step.input(position).cast(DataType::F64);
    match step.rank(position)? {
        0 => Ok(value),
        1 if step.sizes(position)? == [Some(1)] => Ok(value.reshape(&[])),
        1 => {
            let axis = shapes::axis(axis, rank).map_err(|_| "its axis is outside of its input")?;
            let mut sizes = vec![1; rank - axis];
            sizes[0] = -1;
            Ok(value.reshape(&sizes))
        }
        _ => Err("it is quantised in blocks"),
    }
}

/// The number that rounding to integers of the type `dtype` leaves of `x`, with the scale and zero point at these positions.
fn rounded<'w>(step: &Step<'_, 'w>, x: Expr<'w>, scale: usize, rank: usize, axis: i64) -> One<'w> {
    let dtype = step.output.ok_or("the type that it quantises to is not known")?;
    let (least, most) = bounds(dtype).ok_or("it quantises to a type that is not handled")?;
    let steps = (x / along(step, scale, rank, axis)?).round();
    let moved = match step.optional(scale + 1) {
        Some(_) => steps + along(step, scale + 1, rank, axis)?,
        None => steps,
    };
    Ok(moved.max(least).min(most).cast(dtype))
}

/// The value that the integers at `position` stand for; their scale and zero point follow them.
fn meant<'w>(step: &Step<'_, 'w>, position: usize, axis: i64) -> One<'w> {
    let rank = step.rank(position)?;
    let x = step.input(position).cast(DataType::F64);
    let moved = match step.optional(position + 2) {
        Some(_) => x - along(step, position + 2, rank, axis)?,
        None => x,
    };
    Ok(moved * along(step, position + 1, rank, axis)?)
}

/// The axis of `QuantizeLinear` and its inverse; opset 11 has none, and scalars alone.
fn axis(step: &Step) -> Result<i64, Reason> {
    match step.int("block_size") {
        0 => Ok(step.op.int("axis").unwrap_or(1)),
        _ => Err("it is quantised in blocks"),
    }
}

fn quantize<'w>(step: &Step<'_, 'w>) -> One<'w> {
    rounded(step, step.input(0).cast(DataType::F64), 1, step.rank(0)?, axis(step)?)
}

fn dequantize<'w>(step: &Step<'_, 'w>) -> One<'w> {
    meant(step, 0, axis(step)?)
}

/// The product of what the integers stand for, rounded as the last scale says.
fn matmul<'w>(step: &Step<'_, 'w>) -> One<'w> {
    if [1, 4, 6]
        .iter()
        .any(|scale| step.rank(*scale).is_ok_and(|rank| rank > 0 && step.sizes(*scale) != Ok(vec![Some(1)])))
    {
        return Err("it has a scale for each row or column");
    }
    let product = meant(step, 0, 0)?.matmul(meant(step, 3, 0)?);
    rounded(step, product, 6, step.rank(0)?.max(step.rank(3)?), 0)
}

/// The same for a convolution, whose weight and bias may have a scale for each output channel.
fn conv<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let (x, weight) = (meant(step, 0, 1)?, meant(step, 3, 0)?);
    let bias = match step.optional(8) {
        Some(bias) => {
            let scale = |position| step.input(position).cast(DataType::F64).reshape(&[-1]);
            Some(bias.cast(DataType::F64) * (scale(1) * scale(4)))
        }
        None => None,
    };
    rounded(step, correlate::of(step, x, weight, 3, bias)?, 6, step.rank(3)?, 1)
}

fn dynamic<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    let x = step.input(0);
    let all: Vec<i64> = (0..step.rank(0)? as i64).collect();
    let (most, least) = bounds(DataType::U8).map_or((0.0, 0.0), |(least, most)| (most, least));
    let low = x.reduce("ReduceMin", &all, false).min(0.0);
    let scale = (x.reduce("ReduceMax", &all, false).max(0.0) - low) / (most - least);
    let zero_point = (-low / scale).max(least).min(most).round();
    let y = ((x / scale).round() + zero_point).max(least).min(most);
    Ok(vec![y.cast(DataType::U8), scale, zero_point.cast(DataType::U8)])
}
