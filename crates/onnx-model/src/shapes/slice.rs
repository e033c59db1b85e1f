//! Parts of tensors, joined tensors, and tensors with more around them.

use super::extent::{Extent, Size, sum};
use super::op::{Dims, Op, agree, axis, distinct_axes, equal, multiple};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Concat"], Rule::one(concat).elements(joined)),
    (&["Slice"], Rule::one(slice).elements(part)),
    (&["Split"], Rule::all(split)),
    (&["Pad"], Rule::one(pad)),
];

/// Bounds from here on mean "to the end", as exporters write it.
const FAR: i64 = i32::MAX as i64;

fn slice(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let unknown = Ok(Some(vec![None; dims.len()]));
    let (Ok(Some(starts)), Ok(Some(ends))) = (op.list("starts", 1), op.list("ends", 2)) else { return unknown };
    let (Ok(axes), Ok(steps)) = (op.axes(3), op.numbers("steps", 4)) else { return unknown };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    for length in [ends.len(), axes.len(), steps.len()] {
        equal(length, starts.len(), "starts, ends, axes and steps have the same length")?;
    }
    let mut result = dims.clone();
    let positions = distinct_axes(&axes, dims.len())?;
    for (index, position) in positions.into_iter().enumerate() {
        let step = steps[index];
        if step == 0 {
            return Err(Problem::Value { name: "steps", value: format!("{steps:?}"), rule: "a step is not 0" });
        }
        result[position] = sliced(&dims[position], &starts[index], &ends[index], step);
    }
    Ok(Some(result))
}

/// The elements of a slice of a vector.
fn part(op: &Op) -> Option<Vec<Size>> {
    let data = op.elements(0)?;
    (op.rank(0)? == 1).then_some(())?;
    let single = |name, position| match op.numbers(name, position).ok()??.as_slice() {
        [value] => Some(*value),
        _ => None,
    };
    let step = if op.input(4).is_some() { single("steps", 4)? } else { 1 };
    if step == 0 {
        return None;
    }
    let (start, count) = slice_bounds(data.len() as i64, single("starts", 1)?, single("ends", 2)?, step)?;
    (0..count).map(|index| data.get(usize::try_from(start + index * step).ok()?).cloned()).collect()
}

/// The number of elements from `start` to `end`.
fn sliced(size: &Size, start: &Size, end: &Size, step: i64) -> Size {
    let (size, start, end) = (size.as_ref()?, start.as_ref()?, end.as_ref()?);
    let known = (size.as_known(), start.as_known(), end.as_known());
    if let (Some(size), Some(start), Some(end)) = known {
        return slice_bounds(size, start, end, step).map(|(_, count)| Extent::known(count));
    }
    if step < 0 {
        // All of it, backwards.
        let from_end =
            start.as_known().is_some_and(|start| start == -1 || start >= FAR) || size.plus(-1).as_ref() == Some(start);
        let whole = step == -1 && from_end && end.as_known().is_some_and(|end| end <= -FAR);
        return whole.then(|| size.clone());
    }
    let end = match end.as_known() {
        Some(end) if end >= FAR => size.clone(),
        Some(end) if end < 0 => size.plus(end)?.at_least(0)?,
        Some(end) => size.at_most(end)?,
        None => within(end, size)?,
    };
    let start = match start.as_known() {
        Some(start) if start < 0 => size.plus(start)?.at_least(0)?,
        Some(start) => Extent::known(start),
        None => start.clone(),
    };
    // The end was never below zero.
    let span = if start.as_known() == Some(0) { Some(end) } else { end.sub(&start)?.at_least(0) };
    span?.plus(step - 1)?.floor_div(step)
}

/// The smaller of `end` and `size`, where it is known.
fn within(end: &Extent, size: &Extent) -> Size {
    if let Some(size) = size.as_known().filter(|_| end.is_above(-1)) {
        return end.at_most(size);
    }
    size.sub(end)?.is_above(-1).then(|| end.clone())
}

/// The first position and the number of elements of a slice whose bounds are all known, clamped as ONNX does.
fn slice_bounds(size: i64, start: i64, end: i64, step: i64) -> Option<(i64, i64)> {
    let from_front = |bound: i64| if bound < 0 { bound.saturating_add(size) } else { bound };
    let (start, end) = (from_front(start), from_front(end));
    let (start, span) = if step > 0 {
        let (start, end) = (start.clamp(0, size), end.clamp(0, size));
        (start, end - start)
    } else {
        let (start, end) = (start.clamp(-1, size - 1), end.clamp(-1, size - 1));
        (start, start - end)
    };
    let stride = step.checked_abs()?;
    Some((start, span.max(0).checked_add(stride - 1)? / stride))
}

fn split(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    let parts = op.node.outputs.len();
    let (Some(dims), Some(along)) = (op.dims(0), op.int("axis")) else { return Ok(vec![None; parts]) };
    let along = axis(along, dims.len())?;
    let lengths = match op.ints("split") {
        Some(lengths) => Some(lengths.iter().map(|length| Some(Extent::known(*length))).collect()),
        None if op.input(1).is_some() => Some(op.elements(1).cloned().unwrap_or_else(|| vec![None; parts])),
        None => None,
    };
    if let (Some(_), Some(count)) = (&lengths, op.int("num_outputs")) {
        let rule = "it may not stand beside a list of lengths";
        return Err(Problem::Value { name: "num_outputs", value: count.to_string(), rule });
    }
    let lengths: Vec<Size> = match lengths {
        Some(lengths) => {
            equal(lengths.len(), parts, "there is one length for each output")?;
            agree(&sum(&lengths), &dims[along], "the parts together have the size of the axis")?;
            lengths
        }
        None => even_parts(op, &dims[along], parts as i64)?,
    };
    let part = |length: Size| {
        let mut part = dims.clone();
        part[along] = length;
        Some(part)
    };
    Ok(lengths.into_iter().map(part).collect())
}

fn even_parts(op: &Op, size: &Size, parts: i64) -> Result<Vec<Size>, Problem> {
    if op.schema.attribute("num_outputs").is_some() && op.int("num_outputs") != Some(parts) {
        let value = op.int("num_outputs").map_or("absent".to_owned(), |count| count.to_string());
        let rule = "without lengths it is the number of outputs";
        return Err(Problem::Value { name: "num_outputs", value, rule });
    }
    let Some(size) = size else { return Ok(vec![None; parts as usize]) };
    let even = size.floor_div(parts).filter(|part| part.times(parts).as_ref() == Some(size));
    match (even, size.as_known()) {
        (Some(part), _) => Ok(vec![Some(part); parts as usize]),
        (None, Some(size)) if op.schema.since >= 18 => {
            // The last part is what is left.
            let chunk = size / parts + i64::from(size % parts != 0);
            let lengths = (0..parts).map(|part| size.saturating_sub(part.saturating_mul(chunk)).clamp(0, chunk));
            Ok(lengths.map(|length| Some(Extent::known(length))).collect())
        }
        (None, _) => {
            multiple(&Some(size.clone()), parts, "without lengths the axis splits evenly")?;
            Ok(vec![None; parts as usize])
        }
    }
}

fn pad(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let axes = match (op.input(3), op.constants(3)) {
        (None, _) => (0..dims.len()).collect(),
        (Some(_), Some(axes)) => distinct_axes(&axes, dims.len())?,
        (Some(_), None) => return Ok(Some(vec![None; dims.len()])),
    };
    let Ok(Some(pads)) = op.list("pads", 1) else { return Ok(Some(vec![None; dims.len()])) };
    equal(pads.len(), 2 * axes.len(), "there are two pads for each axis")?;
    let mut result = dims.clone();
    for (index, position) in axes.iter().enumerate() {
        let (before, after) = (&pads[index], &pads[index + axes.len()]);
        result[*position] = padded(&dims[*position], before, after);
    }
    Ok(Some(result))
}

fn padded(size: &Size, before: &Size, after: &Size) -> Size {
    size.as_ref()?.add(before.as_ref()?)?.add(after.as_ref()?)
}

/// The elements of joined vectors.
fn joined(op: &Op) -> Option<Vec<Size>> {
    let parts: Option<Vec<_>> = (0..op.inputs.len()).map(|input| op.elements(input).cloned()).collect();
    parts.map(|parts| parts.concat())
}

fn concat(op: &Op) -> Result<Option<Dims>, Problem> {
    let shapes: Option<Vec<&Dims>> = (0..op.inputs.len()).map(|input| op.dims(input)).collect();
    let (Some(shapes), Some(along)) = (shapes, op.int("axis")) else { return Ok(None) };
    let Some((first, others)) = shapes.split_first() else { return Ok(None) };
    let along = axis(along, first.len())?;
    let mut result = (*first).clone();
    for (input, shape) in others.iter().enumerate() {
        if shape.len() != first.len() {
            let rule = "all parts have the same rank";
            return Err(Problem::Rank { input: input + 1, found: shape.len(), rule });
        }
        for (position, (slot, size)) in result.iter_mut().zip(shape.iter()).enumerate() {
            *slot = match position == along {
                true => slot.as_ref().zip(size.as_ref()).and_then(|(sum, size)| sum.add(size)),
                false => agree(slot, size, "parts agree in every axis but the one they are joined along")?,
            };
        }
    }
    Ok(Some(result))
}
