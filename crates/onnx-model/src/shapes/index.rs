//! Elements by position.

use super::extent::{Extent, Size};
use super::op::{Dims, Op, agree, axis};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Gather"], Rule::one(gather).elements(pick)),
    (&["GatherElements"], Rule::one(gather_elements)),
    (&["GatherND"], Rule::one(gather_nd)),
    (&["Scatter", "ScatterElements"], Rule::one(scatter_elements)),
    (&["ScatterND"], Rule::one(scatter_nd)),
    (&["TensorScatter"], Rule::one(tensor_scatter)),
    (&["TopK"], Rule::all(top_k)),
    (&["OneHot"], Rule::one(one_hot)),
    (&["NonZero"], Rule::one(non_zero)),
    (&["Compress"], Rule::one(compress)),
    (&["NonMaxSuppression"], Rule::one(non_max_suppression)),
    (&["CumProd", "CumSum"], Rule::one(cumulative)),
    (&["Trilu"], Rule::one(matrices)),
    (&["Det"], Rule::one(|op| Ok(matrices(op)?.map(|dims| dims[..dims.len().saturating_sub(2)].to_vec())))),
    (&["ReverseSequence"], Rule::one(reverse_sequence)),
    (&["Unique"], Rule::all(unique)),
];

fn gather(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 1, "a scalar has no axis to gather from")?;
    let (Some(data), Some(along)) = (op.dims(0), op.int("axis")) else { return Ok(None) };
    let along = axis(along, data.len())?;
    let Some(indices) = op.dims(1) else { return Ok(None) };
    let parts = [&data[..along], indices.as_slice(), &data[along + 1..]];
    Ok(Some(parts.concat()))
}

/// The elements that a `Gather` takes from a vector.
fn pick(op: &Op) -> Option<Vec<Size>> {
    let data = op.elements(0)?;
    (op.rank(0)? == 1).then_some(())?;
    let at = |index: i64| data.get(axis(index, data.len()).ok()?).cloned();
    op.constants(1)?.into_iter().map(at).collect()
}

fn gather_elements(op: &Op) -> Result<Option<Dims>, Problem> {
    same_rank(op, 0, 1)?;
    if let (Some(rank), Some(along)) = (op.rank(0).or(op.rank(1)), op.int("axis")) {
        axis(along, rank)?;
    }
    Ok(op.dims(1).cloned())
}

fn gather_nd(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 1, "a scalar has nothing to gather")?;
    op.rank_at_least(1, 1, "the last axis of the indices is a position")?;
    let (Some(data), Some(indices)) = (op.dims(0), op.dims(1)) else { return Ok(None) };
    let Some((depth, rest)) = indices.split_last() else { return Ok(None) };
    let Some(depth) = depth.as_ref().and_then(Extent::as_known) else { return Ok(None) };
    let batch = op.int("batch_dims").unwrap_or(0);
    let used = batch.checked_add(depth).and_then(|used| usize::try_from(used).ok());
    match used.filter(|used| *used <= data.len()) {
        Some(used) => Ok(Some([rest, &data[used..]].concat())),
        None => {
            let rule = "positions are no longer than the rank of the data";
            Err(Problem::Sizes { rule, left: depth.to_string(), right: data.len().to_string() })
        }
    }
}

fn scatter_elements(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 1, "a scalar has no axis to scatter along")?;
    same_rank(op, 0, 1)?;
    if let (Some(rank), Some(along)) = (op.rank(0), op.int("axis")) {
        axis(along, rank)?;
    }
    if let (Some(indices), Some(updates)) = (op.dims(1), op.dims(2)) {
        same_rank(op, 1, 2)?;
        for (index, update) in indices.iter().zip(updates) {
            agree(index, update, "there is one update for each index")?;
        }
    }
    Ok(op.dims(0).cloned())
}

fn scatter_nd(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 1, "a scalar has nothing to scatter into")?;
    op.rank_at_least(1, 1, "the last axis of the indices is a position")?;
    let (Some(data), Some(indices), Some(updates)) = (op.dims(0), op.dims(1), op.dims(2)) else {
        return Ok(op.dims(0).cloned());
    };
    if let Some((depth, rest)) = indices.split_last()
        && let Some(depth) = depth.as_ref().and_then(Extent::as_known)
    {
        let Some(tail) = usize::try_from(depth).ok().and_then(|depth| data.get(depth..)) else {
            let rule = "positions are no longer than the rank of the data";
            return Err(Problem::Sizes { rule, left: depth.to_string(), right: data.len().to_string() });
        };
        let expected = [rest, tail].concat();
        op.rank_is(2, expected.len(), "there is one update for each position")?;
        for (update, size) in updates.iter().zip(&expected) {
            agree(update, size, "there is one update for each position")?;
        }
    }
    Ok(Some(data.clone()))
}

fn same_rank(op: &Op, one: usize, other: usize) -> Result<(), Problem> {
    match (op.rank(one), op.rank(other)) {
        (Some(a), Some(b)) if a != b => {
            Err(Problem::Rank { input: other, found: b, rule: "data, indices and updates have the same rank" })
        }
        _ => Ok(()),
    }
}

fn top_k(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    op.rank_at_least(0, 1, "a scalar has no axis to sort")?;
    let (Some(dims), Some(along)) = (op.dims(0), op.int("axis")) else { return Ok(vec![None; 2]) };
    let along = axis(along, dims.len())?;
    let count = op.list("k", 1).ok().flatten().and_then(|elements| elements.first().cloned()).flatten();
    let known = |size: &Size| size.as_ref().and_then(Extent::as_known);
    if let (Some(count), Some(size)) = (known(&count), known(&dims[along]))
        && count > size
    {
        let rule = "no more elements are taken than there are";
        return Err(Problem::Sizes { rule, left: count.to_string(), right: format!("{size} or less") });
    }
    let mut result = dims.clone();
    result[along] = count;
    Ok(vec![Some(result); 2])
}

fn one_hot(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(dims), Some(along)) = (op.dims(0), op.int("axis")) else { return Ok(None) };
    let along = axis(along, dims.len() + 1)?;
    let depth = op.elements(1).and_then(|elements| elements.first().cloned()).flatten();
    let mut result = dims.clone();
    result.insert(along, depth);
    Ok(Some(result))
}

fn non_zero(op: &Op) -> Result<Option<Dims>, Problem> {
    let rank = op.rank(0).filter(|rank| *rank > 0).map(|rank| Extent::known(rank as i64));
    Ok(Some(vec![rank, None]))
}

fn compress(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(along) = op.int("axis") else { return Ok(Some(vec![None])) };
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let mut result = dims.clone();
    result[axis(along, dims.len())?] = None;
    Ok(Some(result))
}

fn cumulative(op: &Op) -> Result<Option<Dims>, Problem> {
    if let (Some(rank), Some(axes)) = (op.rank(0), op.constants(1)) {
        for along in axes {
            axis(along, rank)?;
        }
    }
    Ok(op.dims(0).cloned())
}

fn matrices(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 2, "it must hold matrices")?;
    Ok(op.dims(0).cloned())
}

fn reverse_sequence(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 2, "it has a batch and a time axis")?;
    op.rank_is(1, 1, "it has one length for each sequence")?;
    let batch = op.int("batch_axis").and_then(|batch| usize::try_from(batch).ok());
    if let (Some(dims), Some(batch), Some([count])) = (op.dims(0), batch, op.dims(1).map(Vec::as_slice)) {
        agree(dims.get(batch).unwrap_or(&None), count, "there is one length for each sequence")?;
    }
    Ok(op.dims(0).cloned())
}

/// The distinct elements, or slices along an axis, and three vectors of positions and counts.
fn unique(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    let vector = || Some(vec![None]);
    let distinct = match (op.dims(0), op.int("axis")) {
        (_, None) => vector(),
        (None, Some(_)) => None,
        (Some(dims), Some(along)) => {
            let mut result = dims.clone();
            result[axis(along, dims.len())?] = None;
            Some(result)
        }
    };
    Ok(vec![distinct, vector(), vector(), vector()])
}

/// Updates written into a cache: the two agree in every axis but the one that is written along.
fn tensor_scatter(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_is(2, 1, "it has one position for each sequence")?;
    if let (Some(cache), Some(update)) = (op.dims(0), op.dims(1)) {
        same_rank(op, 0, 1)?;
        let along = op.int("axis").map(|along| axis(along, cache.len())).transpose()?;
        for (position, (cache, update)) in cache.iter().zip(update).enumerate() {
            if Some(position) != along {
                agree(cache, update, "cache and update agree in the other axes")?;
            }
        }
        if let Some([count]) = op.dims(2).map(Vec::as_slice) {
            agree(count, cache.first().unwrap_or(&None), "it has one position for each sequence")?;
        }
    }
    Ok(op.dims(0).cloned())
}

/// One row of batch, class and box for each box that is kept.
fn non_max_suppression(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_is(0, 3, "boxes have a batch, a number and four corners")?;
    op.rank_is(1, 3, "scores have a batch, a class and a number")?;
    if let (Some([batch, boxes, corners]), Some([scored, _, scores])) =
        (op.dims(0).map(Vec::as_slice), op.dims(1).map(Vec::as_slice))
    {
        agree(batch, scored, "boxes and scores have the same batch")?;
        agree(boxes, scores, "there is one score for each box")?;
        agree(corners, &Some(Extent::known(4)), "a box has two corners")?;
    }
    Ok(Some(vec![None, Some(Extent::known(3))]))
}
