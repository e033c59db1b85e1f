//! Element by element.

use super::extent::{Extent, Size};
use super::op::{Dims, Op, broadcast};
use super::rule::{Family, Rule};
use crate::problem::Problem;

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf",
       "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal",
       "RegexFullMatch", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt",
       "Swish", "Tan", "Tanh", "ThresholdedRelu"], Rule::one(same)),
    (&["Identity"], Rule::one(same).elements(kept)),
    (&["Dropout"], Rule::all(|op| Ok(vec![op.dims(0).cloned(); 2]))),
    (&["And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mean",
       "Mod", "Or", "Pow", "StringConcat", "Sum", "SwiGLU", "Xor"], Rule::one(all)),
    (&["Add"], Rule::one(all).elements(|op| binary(op, Extent::add))),
    (&["Sub"], Rule::one(all).elements(|op| binary(op, Extent::sub))),
    (&["Mul"], Rule::one(all).elements(|op| binary(op, Extent::mul))),
    (&["Div"], Rule::one(all).elements(|op| binary(op, divide))),
    (&["Min"], Rule::one(all).elements(|op| binary(op, |a, b| bounded(a, b, Extent::at_most)))),
    (&["Max"], Rule::one(all).elements(|op| binary(op, |a, b| bounded(a, b, Extent::at_least)))),
    (&["Equal"], Rule::one(all).elements(|op| binary(op, equal))),
    (&["Where"], Rule::one(all).elements(choose)),
    (&["PRelu"], Rule::one(one_way)),
];

/// The shape of the first input.
pub fn same(op: &Op) -> Result<Option<Dims>, Problem> {
    Ok(op.dims(0).cloned())
}

/// The elements of the first input.
pub fn kept(op: &Op) -> Option<Vec<Size>> {
    op.elements(0).cloned()
}

fn all(op: &Op) -> Result<Option<Dims>, Problem> {
    let shapes: Option<Vec<&Dims>> = op.inputs.iter().map(|input| input.as_ref()?.dims.as_ref()).collect();
    shapes.map(|shapes| broadcast(&shapes)).transpose()
}

/// The second input broadcasts to the first, and not the other way round.
fn one_way(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(to), Some(from)) = (op.dims(0), op.dims(1)) else { return Ok(op.dims(0).cloned()) };
    let both = broadcast(&[to, from])?;
    let grows = |(before, after): (&Size, &Size)| match (before, after) {
        (Some(before), Some(after)) => before.as_known().is_some() && before.differs(after),
        _ => false,
    };
    match both.len() > to.len() || to.iter().zip(&both).any(grows) {
        true => Err(Problem::Rank { input: 1, found: from.len(), rule: "it must broadcast to the first input" }),
        false => Ok(Some(to.clone())),
    }
}

/// Element by element of two inputs; scalars broadcast.
fn binary(op: &Op, act: impl Fn(&Extent, &Extent) -> Size) -> Option<Vec<Size>> {
    let (a, b) = (op.elements(0)?, op.elements(1)?);
    if op.inputs.len() != 2 || op.rank(0)? > 1 || op.rank(1)? > 1 {
        return None;
    }
    let count = match (a.len(), b.len()) {
        (a, b) if a == b => a,
        (a, 1) => a,
        (1, b) => b,
        _ => return None,
    };
    let pair = |index| at(a, index).zip(at(b, index));
    Some((0..count).map(|index| pair(index).and_then(|(a, b)| act(&a, &b))).collect())
}

/// The element at a position of a vector, or the only one.
fn at(values: &[Size], index: usize) -> Size {
    values.get(if values.len() == 1 { 0 } else { index }).cloned().flatten()
}

/// Division of sizes: exact, or rounded down as ONNX does for values that are not negative.
fn divide(a: &Extent, b: &Extent) -> Size {
    match (a.as_known(), b.as_known()) {
        (Some(a), Some(b)) => a.checked_div(b).map(Extent::known),
        (None, Some(divisor)) if a.at_least(0).as_ref() == Some(a) => a.floor_div(divisor),
        _ => a.divide_exactly(b),
    }
}

/// The lesser or greater of two, one of which is a number.
fn bounded(a: &Extent, b: &Extent, by: fn(&Extent, i64) -> Size) -> Size {
    match b.as_known() {
        Some(bound) => by(a, bound),
        None => by(b, a.as_known()?),
    }
}

/// 1 when two sizes are the same, 0 when they cannot be: a size is never -1.
fn equal(a: &Extent, b: &Extent) -> Size {
    let above = |size: &Extent, bound: &Extent| bound.as_known().is_some_and(|bound| size.is_above(bound));
    match a == b {
        true => Some(Extent::known(1)),
        false => (a.differs(b) || above(a, b) || above(b, a)).then(|| Extent::known(0)),
    }
}

/// Where of three vectors of one length, or scalars.
fn choose(op: &Op) -> Option<Vec<Size>> {
    let parts = [op.elements(0)?, op.elements(1)?, op.elements(2)?];
    let count = parts.iter().map(|part| part.len()).max()?;
    let fits = |input: usize| op.rank(input).is_some_and(|rank| rank <= 1) && [1, count].contains(&parts[input].len());
    (0..3).all(fits).then_some(())?;
    let chosen = |index| match at(parts[0], index)?.as_known()? {
        0 => at(parts[2], index),
        _ => at(parts[1], index),
    };
    Some((0..count).map(chosen).collect())
}
