//! Operators that take an axis away.

use super::extent::{Extent, Size, product, sum};
use super::op::{Dims, Op, Unproven, axis, distinct_axes};
use super::rule::{Family, Rule};
use crate::problem::Problem;

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSumSquare"],
        Rule::one(reduce)),
    (&["ReduceProd"], Rule::one(reduce).elements(|op| Some(vec![product(vector(op)?)]))),
    (&["ReduceSum"], Rule::one(reduce).elements(|op| Some(vec![sum(vector(op)?)]))),
    (&["ArgMax", "ArgMin"], Rule::one(arg)),
];

/// The elements of a vector.
fn vector<'a>(op: &'a Op) -> Option<&'a Vec<Size>> {
    op.elements(0).filter(|_| op.rank(0) == Some(1))
}

fn reduce(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(dims) = op.dims(0) else { return Ok(None) };
    let keep = op.flag("keepdims");
    let axes = match op.axes(1) {
        Err(Unproven) => return Ok(keep.then(|| vec![None; dims.len()])),
        Ok(axes) => axes.unwrap_or_default(),
    };
    let axes = match axes.is_empty() {
        true if op.flag("noop_with_empty_axes") => return Ok(Some(dims.clone())),
        true => (0..dims.len()).collect(),
        false => distinct_axes(&axes, dims.len())?,
    };
    Ok(Some(without(dims, &axes, keep)))
}

fn arg(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(dims), Some(along)) = (op.dims(0), op.int("axis")) else { return Ok(None) };
    let along = axis(along, dims.len())?;
    Ok(Some(without(dims, &[along], op.flag("keepdims"))))
}

fn without(dims: &Dims, axes: &[usize], keep: bool) -> Dims {
    let sizes = dims.iter().enumerate().filter_map(|(position, size)| match axes.contains(&position) {
        true if keep => Some(Some(Extent::known(1))),
        true => None,
        false => Some(size.clone()),
    });
    sizes.collect()
}
