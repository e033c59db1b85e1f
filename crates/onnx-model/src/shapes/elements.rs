//! The elements of small integer tensors: what shapes are computed from.

use super::extent::{Extent, Size};
use super::op::{Op, axis};
use super::reshape::shape_range;
use super::slice::slice_bounds;
use super::{MAX_ELEMENTS, constant_node};
use crate::{Attribute, DataType};

/// The elements of a node's first output, as far as they follow from its inputs.
pub fn of(op: &Op) -> Option<Vec<Size>> {
    let elements = match op.node.op_type.as_str() {
        "Constant" => constant_node(op.node)?.elements,
        "Shape" => Some(op.dims(0)?[shape_range(op)?].to_vec()),
        "Size" => Some(vec![super::extent::product(op.dims(0)?)]),
        "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" => op.elements(0).cloned(),
        "Cast" => op.elements(0).cloned(),
        "Flatten" => op.elements(0).cloned(),
        "Concat" => (0..op.inputs.len())
            .map(|input| op.elements(input).cloned())
            .collect::<Option<Vec<_>>>()
            .map(|parts| parts.concat()),
        "Gather" => gather(op),
        "Slice" => slice(op),
        "Add" => binary(op, |a, b| a.add(b)),
        "Sub" => binary(op, |a, b| a.sub(b)),
        "Mul" => binary(op, |a, b| a.mul(b)),
        "Div" => binary(op, divide),
        "Min" => {
            binary(op, |a, b| if b.as_known().is_some() { a.at_most(b.as_known()?) } else { b.at_most(a.as_known()?) })
        }
        "Max" => binary(
            op,
            |a, b| if b.as_known().is_some() { a.at_least(b.as_known()?) } else { b.at_least(a.as_known()?) },
        ),
        "ReduceProd" if op.rank(0) == Some(1) => Some(vec![super::extent::product(op.elements(0)?)]),
        "ReduceSum" if op.rank(0) == Some(1) => {
            let sum = op.elements(0)?.iter().try_fold(Extent::known(0), |sum, size| sum.add(size.as_ref()?));
            Some(vec![sum])
        }
        "Equal" => binary(op, equal),
        "Where" => choose(op),
        "ConstantOfShape" => filled(op),
        "Range" => range(op),
        _ => None,
    };
    elements.filter(|elements| elements.len() as u64 <= MAX_ELEMENTS)
}

/// Division of sizes: exact, or rounded down as ONNX does for values that are not negative.
fn divide(a: &Extent, b: &Extent) -> Size {
    match (a.as_known(), b.as_known()) {
        (Some(a), Some(b)) => a.checked_div(b).map(Extent::known),
        (None, Some(divisor)) if a.at_least(0).as_ref() == Some(a) => a.floor_div(divisor),
        _ => a.divide_exactly(b),
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
    let at = |input: usize, index: usize| {
        parts[input].get(if parts[input].len() == 1 { 0 } else { index }).cloned().flatten()
    };
    let chosen = |index| match at(0, index)?.as_known()? {
        0 => at(2, index),
        _ => at(1, index),
    };
    Some((0..count).map(chosen).collect())
}

/// Element by element; scalars broadcast.
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
    let at = |values: &[Size], index: usize| values.get(if values.len() == 1 { 0 } else { index }).cloned().flatten();
    Some((0..count).map(|index| at(a, index).zip(at(b, index)).and_then(|(a, b)| act(&a, &b))).collect())
}

fn gather(op: &Op) -> Option<Vec<Size>> {
    let data = op.elements(0)?;
    (op.rank(0)? == 1).then_some(())?;
    let pick = |index: i64| data.get(axis(index, data.len()).ok()?).cloned();
    op.constants(1)?.into_iter().map(pick).collect()
}

fn slice(op: &Op) -> Option<Vec<Size>> {
    let data = op.elements(0)?;
    (op.rank(0)? == 1).then_some(())?;
    let single = |position| match op.constants(position)?.as_slice() {
        [value] => Some(*value),
        _ => None,
    };
    let step = if op.input(4).is_some() { single(4)? } else { 1 };
    if step == 0 {
        return None;
    }
    let (start, count) = slice_bounds(data.len() as i64, single(1)?, single(2)?, step)?;
    (0..count).map(|index| data.get(usize::try_from(start + index * step).ok()?).cloned()).collect()
}

fn filled(op: &Op) -> Option<Vec<Size>> {
    let count = super::extent::product(op.elements(0)?)?.as_known().filter(|count| *count as u64 <= MAX_ELEMENTS)?;
    let value = match op.node.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) if matches!(tensor.dtype, DataType::I64 | DataType::I32) => {
            tensor.to_i64s().ok()?.first().copied()?
        }
        _ => return None,
    };
    Some(vec![Some(Extent::known(value)); usize::try_from(count).ok()?])
}

fn range(op: &Op) -> Option<Vec<Size>> {
    let single = |position| op.constants(position)?.first().copied();
    let (start, limit, delta) = (single(0)?, single(1)?, single(2)?);
    let within = |value: &i64| if delta > 0 { *value < limit } else { *value > limit };
    if delta == 0 {
        return None;
    }
    let values = std::iter::successors(Some(start), |value| value.checked_add(delta)).take_while(within);
    Some(values.take(MAX_ELEMENTS as usize + 1).map(|value| Some(Extent::known(value))).collect())
}
