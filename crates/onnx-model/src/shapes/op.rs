//! A node as the shape rules see it: attributes with their defaults, inputs with what is known of them.

use super::extent::{Extent, Size};
use crate::problem::Problem;
use crate::schema::Schema;
use crate::{Attribute, DataType, Node, Tensor, TensorType};

/// Tensors of higher rank are refused: ranks could otherwise double with every node.
pub(crate) const MAX_RANK: usize = 256;

/// Longer integer tensors are data and not shapes.
pub(crate) const MAX_ELEMENTS: u64 = 64;

/// A shape whose rank is known.
pub type Dims = Vec<Size>;

/// What is known of a value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Value {
    /// The element type.
    pub dtype: Option<DataType>,
    /// The shape.
    pub dims: Option<Dims>,
    /// The elements of a small integer tensor, in row-major order: shapes, axes, bounds. Truth values are 0 and 1.
    pub elements: Option<Vec<Size>>,
    /// The elements of a small `float` constant: the scales of a `Resize`.
    pub floats: Option<Vec<f32>>,
}

impl Value {
    /// What is known of a constant.
    pub(crate) fn constant(tensor: &Tensor) -> Self {
        let dims = tensor.dims.iter().map(|size| i64::try_from(*size).ok().map(Extent::known)).collect();
        let small = tensor.elements().is_some_and(|count| count <= MAX_ELEMENTS);
        let elements = match tensor.dtype {
            DataType::I64 | DataType::I32 if small => tensor.to_i64s().ok(),
            _ => None,
        };
        let elements = elements.map(|values| values.into_iter().map(|value| Some(Extent::known(value))).collect());
        let floats = if small { tensor.to_vec().ok() } else { None };
        Self { dtype: Some(tensor.dtype), dims: Some(dims), elements, floats }
    }

    /// Its type, as far as the element type is known.
    pub(crate) fn tensor_type(&self) -> Option<TensorType> {
        let shape = self.dims.as_ref().map(|dims| dims.iter().map(Extent::to_dim).collect());
        Some(TensorType { dtype: self.dtype?, shape })
    }
}

/// A node with its inputs.
pub struct Op<'a> {
    /// The node.
    pub node: &'a Node,
    /// Its signature.
    pub schema: &'static Schema,
    /// The inputs; `None` where one is left out.
    pub inputs: Vec<Option<Value>>,
}

impl Op<'_> {
    /// The input at `position`, when it is there.
    pub fn input(&self, position: usize) -> Option<&Value> {
        self.inputs.get(position)?.as_ref()
    }

    /// The element type of an input, when it is there and known.
    pub fn dtype(&self, position: usize) -> Option<DataType> {
        self.input(position)?.dtype
    }

    /// The shape of an input, when it is there and its rank is known.
    pub fn dims(&self, position: usize) -> Option<&Dims> {
        self.input(position)?.dims.as_ref()
    }

    /// The rank of an input, where it is known.
    pub fn rank(&self, position: usize) -> Option<usize> {
        self.dims(position).map(Vec::len)
    }

    /// The elements of an integer input, each of which may be unknown.
    pub fn elements(&self, position: usize) -> Option<&Vec<Size>> {
        self.input(position)?.elements.as_ref()
    }

    /// The elements of an integer input that is constant.
    pub(crate) fn constants(&self, position: usize) -> Option<Vec<i64>> {
        self.elements(position)?.iter().map(|element| element.as_ref()?.as_known()).collect()
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        let default = || self.schema.attribute(name)?.default.as_ref();
        self.node.attributes.get(name).or_else(default)
    }

    /// An integer attribute or its default.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name) {
            Some(Attribute::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// A number among the attributes or its default.
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.attribute(name) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }

    /// A truth value among the attributes; `false` when it is absent and has no default.
    pub fn flag(&self, name: &str) -> bool {
        self.int(name).unwrap_or(0) != 0
    }

    /// An attribute of integers or its default.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    /// A text attribute or its default.
    pub fn string(&self, name: &str) -> Option<&str> {
        match self.attribute(name) {
            Some(Attribute::String(value)) => Some(value),
            _ => None,
        }
    }

    /// Sizes that are an attribute at some opsets and the input at `position` at others. `Ok(None)` when they are left
    /// out, `Err(Unproven)` when they are computed.
    pub(crate) fn list(&self, name: &str, position: usize) -> Result<Option<Vec<Size>>, Unproven> {
        let known = |values: &[i64]| values.iter().map(|value| Some(Extent::known(*value))).collect();
        match (self.schema.attribute(name), self.attribute(name), self.input(position)) {
            (Some(_), Some(Attribute::Ints(values)), _) => Ok(Some(known(values))),
            (Some(_), Some(Attribute::Int(value)), _) => Ok(Some(known(&[*value]))),
            (Some(_), _, _) | (None, _, None) => Ok(None),
            (None, _, Some(input)) => input.elements.clone().map(Some).ok_or(Unproven),
        }
    }

    /// As [`Self::list`], of numbers.
    pub(crate) fn numbers(&self, name: &str, position: usize) -> Result<Option<Vec<i64>>, Unproven> {
        let Some(sizes) = self.list(name, position)? else { return Ok(None) };
        let numbers = sizes.into_iter().map(|size| size?.as_known());
        numbers.collect::<Option<_>>().map(Some).ok_or(Unproven)
    }

    /// The axes, an attribute or the input at `position`.
    pub(crate) fn axes(&self, position: usize) -> Result<Option<Vec<i64>>, Unproven> {
        self.numbers("axes", position)
    }

    /// Demands a rank of at least `least` where the rank is known.
    pub(crate) fn rank_at_least(&self, input: usize, least: usize, rule: &'static str) -> Result<(), Problem> {
        match self.rank(input) {
            Some(found) if found < least => Err(Problem::Rank { input, found, rule }),
            _ => Ok(()),
        }
    }

    /// Demands one rank where the rank is known.
    pub(crate) fn rank_is(&self, input: usize, rank: usize, rule: &'static str) -> Result<(), Problem> {
        match self.rank(input) {
            Some(found) if found != rank => Err(Problem::Rank { input, found, rule }),
            _ => Ok(()),
        }
    }
}

/// Something depends on values that are not known before the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unproven;

/// The position of an axis that may count from the end.
///
/// # Errors
/// When it is outside of the rank.
pub fn axis(axis: i64, rank: usize) -> Result<usize, Problem> {
    let outside = Problem::Axis { axis, rank };
    let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    match from_front.and_then(|position| usize::try_from(position).ok()) {
        Some(position) if position < rank => Ok(position),
        _ => Err(outside),
    }
}

/// The positions of distinct axes.
pub(crate) fn distinct_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, Problem> {
    let twice = || Problem::Value { name: "axes", value: format!("{axes:?}"), rule: "each axis may stand once" };
    // A longer list repeats itself; it is not searched, as it could be very long.
    if axes.len() > rank {
        return Err(axes.iter().find_map(|item| axis(*item, rank).err()).unwrap_or_else(twice));
    }
    let mut positions = Vec::with_capacity(axes.len());
    for item in axes {
        let position = axis(*item, rank)?;
        if positions.contains(&position) {
            return Err(twice());
        }
        positions.push(position);
    }
    Ok(positions)
}

/// Demands that two sizes may be equal, and gives the more definite of the two.
pub(crate) fn agree(left: &Size, right: &Size, rule: &'static str) -> Result<Size, Problem> {
    match (left, right) {
        (Some(a), Some(b)) if a.differs(b) => Err(Problem::Sizes { rule, left: a.to_string(), right: b.to_string() }),
        (Some(a), Some(b)) => Ok(Some(if a.as_known().is_some() { a.clone() } else { b.clone() })),
        (Some(known), None) | (None, Some(known)) => Ok(Some(known.clone())),
        (None, None) => Ok(None),
    }
}

/// Demands that two numbers are equal.
pub(crate) fn equal(found: usize, expected: usize, rule: &'static str) -> Result<(), Problem> {
    agree(&Some(Extent::known(found as i64)), &Some(Extent::known(expected as i64)), rule).map(|_| ())
}

/// Demands that a size, where it is known, is a multiple of a number.
pub(crate) fn multiple(size: &Size, of: i64, rule: &'static str) -> Result<(), Problem> {
    match size.as_ref().and_then(Extent::as_known) {
        Some(size) if size.checked_rem(of) != Some(0) => {
            Err(Problem::Sizes { rule, left: size.to_string(), right: format!("a multiple of {of}") })
        }
        _ => Ok(()),
    }
}

/// The shape that several broadcast to, by ONNX's (NumPy's) rule.
pub(crate) fn broadcast(shapes: &[&Dims]) -> Result<Dims, Problem> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut result = vec![Some(Extent::known(1)); rank];
    for shape in shapes {
        let offset = rank - shape.len();
        for (slot, size) in result[offset..].iter_mut().zip(shape.iter()) {
            *slot = broadcast_size(slot, size)?;
        }
    }
    Ok(result)
}

fn broadcast_size(left: &Size, right: &Size) -> Result<Size, Problem> {
    let (known_left, known_right) =
        (left.as_ref().and_then(Extent::as_known), right.as_ref().and_then(Extent::as_known));
    Ok(match (known_left, known_right) {
        (Some(1), _) => right.clone(),
        (_, Some(1)) => left.clone(),
        (Some(a), Some(b)) if a != b => {
            let rule = "sizes that broadcast are equal or 1";
            return Err(Problem::Sizes { rule, left: a.to_string(), right: b.to_string() });
        }
        // The other is equal to it or 1.
        (Some(_), _) => left.clone(),
        (_, Some(_)) => right.clone(),
        _ if left == right => left.clone(),
        // A table of positions cut to the length of the input: where the two fit, nothing was cut.
        _ => match (left, right) {
            (Some(cut), Some(whole)) | (Some(whole), Some(cut)) if cut.is_cut_from(whole) => Some(whole.clone()),
            _ => None,
        },
    })
}
