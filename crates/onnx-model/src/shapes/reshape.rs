//! Operators that keep the elements and change the shape.

use super::elementwise::kept;
use super::extent::{Extent, Size, product};
use super::op::{Dims, MAX_RANK, Op, Unproven, Value, agree, axis, broadcast, distinct_axes, equal};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Reshape"], Rule::one(reshape).elements(kept)),
    (&["Flatten"], Rule::one(flatten).elements(kept)),
    (&["Squeeze"], Rule::one(squeeze).elements(kept)),
    (&["Unsqueeze"], Rule::one(unsqueeze).elements(kept)),
    (&["Transpose"], Rule::one(transpose)),
    (&["Expand"], Rule::one(expand)),
    (&["Tile"], Rule::one(tile)),
    (&["Shape"], Rule::one(shape).elements(|op| Some(op.dims(0)?[shape_range(op)?].to_vec()))),
    (&["Size"], Rule::one(|_| Ok(Some(Vec::new()))).elements(|op| Some(vec![product(op.dims(0)?)]))),
];

/// The shape that an integer vector describes, as far as its elements, or at least its length, are known.
pub fn sized_by(value: &Value) -> Option<Dims> {
    if let Some(elements) = &value.elements {
        return Some(elements.clone());
    }
    // Ranks beyond reason are no ranks.
    let length = value.dims.as_ref()?.first()?.as_ref()?.as_known().filter(|length| *length <= 64)?;
    Some(vec![None; usize::try_from(length).ok()?])
}

fn reshape(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_is(1, 1, "the shape is a vector")?;
    let bad = |value: &[Size], rule| {
        let text = value.iter().map(|size| size.as_ref().map_or("?".to_owned(), Extent::to_string));
        Problem::Value { name: "shape", value: format!("[{}]", text.collect::<Vec<_>>().join(", ")), rule }
    };
    let Some(target) = op.elements(1) else { return Ok(op.input(1).and_then(sized_by)) };
    let source = op.dims(0);
    let mut sizes = target.clone();
    // Sizes that are copied cancel: only the others must have the same product.
    let mut copied = Vec::new();
    let mut open = None;
    for (position, item) in target.iter().enumerate() {
        match item.as_ref().and_then(Extent::as_known) {
            Some(0) if !op.flag("allowzero") => {
                copied.push(position);
                let Some(source) = source else {
                    sizes[position] = None;
                    continue;
                };
                let Some(size) = source.get(position) else {
                    return Err(bad(target, "a 0 keeps a size that the input does not have"));
                };
                sizes[position] = size.clone();
            }
            Some(-1) if open.is_some() => return Err(bad(target, "-1 may stand once")),
            Some(-1) => open = Some(position),
            Some(size) if size < -1 => return Err(bad(target, "sizes are -1 or more")),
            _ => {}
        }
    }
    let Some(source) = source else {
        if let Some(open) = open {
            sizes[open] = None;
        }
        return Ok(Some(sizes));
    };
    let rest = |sizes: &[Size], skip: Option<usize>| {
        let kept = sizes.iter().enumerate();
        let kept = kept.filter(|(position, _)| !copied.contains(position) && Some(*position) != skip);
        kept.map(|(_, size)| size.clone()).collect::<Vec<_>>()
    };
    let empty = copied.iter().any(|position| sizes[*position].as_ref().and_then(Extent::as_known) == Some(0));
    let (before, after) = (product(&rest(source, None)), product(&rest(&sizes, open)));
    let known = (before.as_ref().and_then(Extent::as_known), after.as_ref().and_then(Extent::as_known));
    match open {
        Some(open) => {
            if let (Some(before), Some(after)) = known
                && !empty
                && (after == 0 && before != 0 || after != 0 && before % after != 0)
            {
                return Err(bad(target, "the number of elements must stay the same"));
            }
            sizes[open] = match (before, after) {
                (Some(before), Some(after)) if !empty => before.divide_exactly(&after),
                _ => None,
            };
        }
        None if empty => {}
        None => {
            agree(&before, &after, "a Reshape keeps the number of elements")?;
        }
    }
    Ok(Some(sizes))
}

fn flatten(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(dims), Some(at)) = (op.dims(0), op.int("axis")) else { return Ok(None) };
    // The axis may be the rank itself: everything is then in the first dimension.
    let at = if at == dims.len() as i64 { dims.len() } else { axis(at, dims.len())? };
    Ok(Some(vec![product(&dims[..at]), product(&dims[at..])]))
}

fn squeeze(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let known = |size: &Size| size.as_ref().and_then(Extent::as_known);
    let removed = match op.axes(1) {
        Err(Unproven) => return Ok(None),
        Ok(Some(axes)) => distinct_axes(&axes, dims.len())?,
        Ok(None) if dims.iter().any(|size| known(size).is_none()) => return Ok(None),
        Ok(None) => (0..dims.len()).filter(|position| known(&dims[*position]) == Some(1)).collect(),
    };
    for position in &removed {
        agree(&dims[*position], &Some(Extent::known(1)), "a squeezed axis has size 1")?;
    }
    let kept = dims.iter().enumerate().filter(|(position, _)| !removed.contains(position));
    Ok(Some(kept.map(|(_, size)| size.clone()).collect()))
}

fn unsqueeze(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(dims), Ok(Some(axes))) = (op.dims(0), op.axes(1)) else { return Ok(None) };
    let rank = dims.len() + axes.len();
    if rank > MAX_RANK {
        let value = op.node.outputs.first().cloned().unwrap_or_default();
        return Err(Problem::Axes { value, found: rank, most: MAX_RANK });
    }
    let added = distinct_axes(&axes, rank)?;
    let mut rest = dims.iter().cloned();
    let size = |position| match added.contains(&position) {
        true => Some(Extent::known(1)),
        false => rest.next().flatten(),
    };
    Ok(Some((0..rank).map(size).collect()))
}

fn transpose(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let Some(permutation) = op.ints("perm") else { return Ok(Some(dims.iter().rev().cloned().collect())) };
    let rule = "it is a permutation of the input's axes";
    let bad = || Problem::Value { name: "perm", value: format!("{permutation:?}"), rule };
    if permutation.len() != dims.len() || permutation.iter().any(|axis| *axis < 0) {
        return Err(bad());
    }
    let positions = distinct_axes(permutation, dims.len()).map_err(|_| bad())?;
    Ok(Some(positions.into_iter().map(|position| dims[position].clone()).collect()))
}

fn expand(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(dims), Some(target)) = (op.dims(0), op.input(1).and_then(sized_by)) else { return Ok(None) };
    broadcast(&[dims, &target]).map(Some)
}

fn tile(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let Some(repeats) = op.elements(1) else { return Ok(Some(vec![None; dims.len()])) };
    equal(repeats.len(), dims.len(), "there is one repeat for each axis")?;
    let times = |(size, repeat): (&Size, &Size)| size.as_ref()?.mul(repeat.as_ref()?);
    Ok(Some(dims.iter().zip(repeats).map(times).collect()))
}

/// The part of the input's shape that `Shape` gives: all of it before opset 15.
fn shape_range(op: &Op) -> Option<std::ops::Range<usize>> {
    let rank = op.rank(0)?;
    let clamp = |bound: i64| {
        let bound = if bound < 0 { bound.saturating_add(rank as i64) } else { bound };
        bound.clamp(0, rank as i64) as usize
    };
    let start = op.int("start").map_or(0, clamp);
    let end = op.int("end").map_or(rank, clamp);
    Some(start..end.max(start))
}

fn shape(op: &Op) -> Result<Option<Dims>, Problem> {
    let length = shape_range(op).map(|range| Extent::known(range.len() as i64));
    Ok(Some(vec![length]))
}
