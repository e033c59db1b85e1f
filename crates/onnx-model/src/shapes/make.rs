//! Values made from attributes and sizes.

use super::cast::named;
use super::elementwise::same;
use super::extent::{Extent, Size, product};
use super::op::{Dims, MAX_ELEMENTS, Op, Value};
use super::reshape::sized_by;
use super::rule::{Family, Rule};
use crate::problem::Problem;
use crate::{Attribute, DataType, Node, Tensor};

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["Constant"], Rule::one(|op| Ok(constant(op.node).and_then(|value| value.dims)))
        .dtype(|op| Ok(constant(op.node).and_then(|value| value.dtype)))
        .elements(|op| constant(op.node)?.elements)),
    (&["ConstantOfShape"], Rule::one(|op| Ok(op.input(0).and_then(sized_by))).dtype(filled).elements(fill)),
    (&["Range"], Rule::one(range).elements(count)),
    (&["EyeLike"], Rule::one(|op| op.rank_is(0, 2, "it must be a matrix").map(|()| op.dims(0).cloned())).dtype(like)),
    (&["Bernoulli", "RandomNormalLike", "RandomUniformLike"], Rule::one(same).dtype(like)),
    (&["RandomNormal", "RandomUniform"], Rule::one(|op| Ok(op.list("shape", 0).ok().flatten())).dtype(|op| named(op, "dtype"))),
    (&["Multinomial"], Rule::one(samples).dtype(|op| Ok(named(op, "dtype")?.or(Some(DataType::I32))))),
    (&["BlackmanWindow", "HammingWindow", "HannWindow"], Rule::one(|op| Ok(Some(vec![first(op, 0)]))).dtype(window)),
    (&["MelWeightMatrix"], Rule::one(|op| Ok(Some(vec![bins(op), first(op, 0)]))).dtype(window)),
];

/// The tensor that a `Constant` node makes.
pub fn constant(node: &Node) -> Option<Value> {
    let (_, attribute) = node.attributes.iter().find(|(name, _)| name.starts_with("value"))?;
    let text = |dims| Value { dtype: Some(DataType::String), dims: Some(dims), ..Value::default() };
    Some(match attribute {
        Attribute::Tensor(tensor) => Value::constant(tensor),
        Attribute::Float(value) => Value::constant(&Tensor::scalar("", *value)),
        Attribute::Floats(values) => Value::constant(&Tensor::vector("", values)),
        Attribute::Int(value) => Value::constant(&Tensor::scalar("", *value)),
        Attribute::Ints(values) => Value::constant(&Tensor::vector("", values)),
        Attribute::String(_) => text(Vec::new()),
        Attribute::Strings(values) => text(vec![Some(Extent::known(values.len() as i64))]),
        _ => return None,
    })
}

fn first(op: &Op, input: usize) -> Size {
    op.elements(input)?.first().cloned().flatten()
}

fn filled(op: &Op) -> Result<Option<DataType>, Problem> {
    Ok(match op.node.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) => Some(tensor.dtype),
        _ => Some(DataType::F32),
    })
}

fn like(op: &Op) -> Result<Option<DataType>, Problem> {
    Ok(named(op, "dtype")?.or(op.dtype(0)))
}

fn window(op: &Op) -> Result<Option<DataType>, Problem> {
    named(op, "output_datatype")
}

/// The frequencies of a transform of the stated length.
fn bins(op: &Op) -> Size {
    first(op, 1)?.floor_div(2)?.plus(1)
}

fn samples(op: &Op) -> Result<Option<Dims>, Problem> {
    let batch = op.dims(0).and_then(|dims| dims.first().cloned()).flatten();
    Ok(Some(vec![batch, op.int("sample_size").map(Extent::known)]))
}

fn fill(op: &Op) -> Option<Vec<Size>> {
    let count = product(op.elements(0)?)?.as_known().filter(|count| *count as u64 <= MAX_ELEMENTS)?;
    let value = match op.node.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) if matches!(tensor.dtype, DataType::I64 | DataType::I32) => {
            tensor.to_i64s().ok()?.first().copied()?
        }
        _ => return None,
    };
    Some(vec![Some(Extent::known(value)); usize::try_from(count).ok()?])
}

fn range(op: &Op) -> Result<Option<Dims>, Problem> {
    for input in 0..3 {
        // ONNX takes vectors of one element for scalars here.
        if let Some(found) = op.rank(input).filter(|rank| *rank > 1) {
            return Err(Problem::Rank { input, found, rule: "start, limit and delta are scalars" });
        }
    }
    let count = || {
        let (start, limit, delta) = (first(op, 0)?, first(op, 1)?, first(op, 2)?.as_known()?);
        let span = if delta > 0 { limit.sub(&start)? } else { start.sub(&limit)? };
        let delta = delta.checked_abs().filter(|delta| *delta > 0)?;
        span.at_least(0)?.plus(delta - 1)?.floor_div(delta)
    };
    Ok(Some(vec![count()]))
}

/// The elements of a `Range`.
fn count(op: &Op) -> Option<Vec<Size>> {
    let single = |position| op.constants(position)?.first().copied();
    let (start, limit, delta) = (single(0)?, single(1)?, single(2)?);
    let within = |value: &i64| if delta > 0 { *value < limit } else { *value > limit };
    if delta == 0 {
        return None;
    }
    let values = std::iter::successors(Some(start), |value| value.checked_add(delta)).take_while(within);
    Some(values.take(MAX_ELEMENTS as usize + 1).map(|value| Some(Extent::known(value))).collect())
}
