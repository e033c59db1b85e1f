//! Operators that compare positions.

use super::form::{Family, Form};
use super::step::{One, Step};
use super::writer::Expr;
use onnx_model::DataType;

pub const FAMILY: Family = &[
    (&["Hardmax"], 0, Form::One(hardmax)),
    (&["NonZero"], 0, Form::One(non_zero)),
    (&["OneHot"], 0, Form::One(one_hot)),
];

fn non_zero<'w>(step: &Step<'_, 'w>) -> One<'w> {
    Ok(step.writer.node("NonZero", &[step.input(0).cast(DataType::Bool)], &[]))
}

/// Where `positions` equals the position along a new axis that `rest` axes follow, of which there are `depth`.
fn matches<'w>(positions: Expr<'w>, depth: Expr<'w>, rest: usize) -> Expr<'w> {
    let mut sizes = vec![1; rest + 1];
    sizes[0] = -1;
    positions.equal(positions.writer().range(depth).reshape(&sizes))
}

fn hardmax<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let rank = step.rank(0)?;
    let (axis, rank) = (step.axis("axis", rank)?, rank as i64);
    // Up to opset 12 all axes from this one on are one.
    let flat = step.writer.opset < 13;
    let rows = match flat {
        true => step.writer.node("Flatten", &[x], &[("axis", axis.into())]),
        false => x,
    };
    let (axis, rank) = if flat { (1, 2) } else { (axis, rank) };
    let first = step.writer.node("ArgMax", &[rows], &[("axis", axis.into())]);
    let found = matches(first, rows.shape().gather(axis, 0), (rank - 1 - axis) as usize).cast(DataType::F64);
    Ok(if flat { found.reshape_to(x.shape()) } else { found })
}

fn one_hot<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let rank = step.rank(0)?;
    let (axis, rank) = (step.axis("axis", rank + 1)?, rank as i64);
    let indices = step.input(0).cast(DataType::I64);
    // A depth is a scalar or a vector of one.
    let depth = step.input(1).cast(DataType::I64).reshape(&[]);
    let positions = indices.less(0).select(indices + depth, indices).unsqueeze(&[axis]);
    let values = step.input(2);
    Ok(matches(positions, depth, (rank - axis) as usize).select(values.gather(1, 0), values.gather(0, 0)))
}
