//! What is known of each operator beyond its signature: every family lists its own, a line each.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::extent::Size;
use super::op::{Dims, Op};
use super::{
    attention, cast, control, conv, elementwise, index, make, matmul, normalise, reduce, regions, reshape, resize,
    slice,
};
use crate::DataType;
use crate::problem::Problem;

/// The rule of an operator.
#[derive(Clone, Copy)]
pub struct Rule {
    /// The shapes of the outputs, `None` where nothing is known. May be shorter than the list of outputs.
    pub shapes: Shapes,
    /// The element type of the first output, where the signature alone does not give it.
    pub dtype: Option<fn(&Op) -> Result<Option<DataType>, Problem>>,
    /// The elements of the first output when it is a small integer tensor: what shapes are computed from.
    pub elements: Option<fn(&Op) -> Option<Vec<Size>>>,
}

/// How the shapes of the outputs follow.
#[derive(Clone, Copy)]
pub enum Shapes {
    /// Of the only output, or the first.
    One(fn(&Op) -> Result<Option<Dims>, Problem>),
    /// Of all outputs.
    All(fn(&Op) -> Result<Vec<Option<Dims>>, Problem>),
    /// From what the graphs inside make.
    Graphs,
    /// They are not followed.
    Unknown,
}

/// Operators that share a rule, family by family.
pub type Family = &'static [(&'static [&'static str], Rule)];

const FAMILIES: [Family; 15] = [
    attention::FAMILY,
    cast::FAMILY,
    control::FAMILY,
    conv::FAMILY,
    elementwise::FAMILY,
    index::FAMILY,
    make::FAMILY,
    matmul::FAMILY,
    normalise::FAMILY,
    reduce::FAMILY,
    regions::FAMILY,
    reshape::FAMILY,
    resize::FAMILY,
    slice::FAMILY,
    NOT_FOLLOWED,
];

/// Operators of which the signature is all that is known.
#[rustfmt::skip]
const NOT_FOLLOWED: Family = &[
    (&["ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceAt", "SequenceConstruct",
       "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence"], Rule::UNKNOWN),
    (&["ImageDecoder", "StringNormalizer", "StringSplit", "TfIdfVectorizer"], Rule::UNKNOWN),
    (&["CausalConvWithState", "DFT", "LinearAttention", "STFT"], Rule::UNKNOWN),
    (&["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"], Rule::UNKNOWN),
];

static RULES: LazyLock<HashMap<&'static str, Rule>> = LazyLock::new(|| {
    let rows = FAMILIES.into_iter().flatten();
    rows.flat_map(|(names, rule)| names.iter().map(|name| (*name, *rule))).collect()
});

/// The rule of an operator; `None` when no family has it.
pub fn find(op_type: &str) -> Option<Rule> {
    RULES.get(op_type).copied()
}

impl Rule {
    pub const UNKNOWN: Self = Self { shapes: Shapes::Unknown, dtype: None, elements: None };

    pub const GRAPHS: Self = Self { shapes: Shapes::Graphs, ..Self::UNKNOWN };

    pub const fn one(shape: fn(&Op) -> Result<Option<Dims>, Problem>) -> Self {
        Self { shapes: Shapes::One(shape), ..Self::UNKNOWN }
    }

    pub const fn all(shapes: fn(&Op) -> Result<Vec<Option<Dims>>, Problem>) -> Self {
        Self { shapes: Shapes::All(shapes), ..Self::UNKNOWN }
    }

    pub const fn dtype(self, dtype: fn(&Op) -> Result<Option<DataType>, Problem>) -> Self {
        Self { dtype: Some(dtype), ..self }
    }

    pub const fn elements(self, elements: fn(&Op) -> Option<Vec<Size>>) -> Self {
        Self { elements: Some(elements), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::{self, Arity, Schema};

    #[test]
    fn every_operator_of_the_table_is_in_one_family() {
        let listed: Vec<&str> = FAMILIES.into_iter().flatten().flat_map(|(names, _)| *names).copied().collect();
        let names: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(names.len(), listed.len(), "an operator is in two families");
        assert_eq!(names, schema::all().iter().map(|schema| schema.name).collect());
    }

    /// Whether the inputs that must be there, or the signature by itself, give the first output its type.
    fn is_bound(schema: &Schema) -> bool {
        let Some(output) = schema.outputs.first() else { return true };
        let binds = |arity| !matches!(arity, Arity::Optional | Arity::Variadic { homogeneous: false, .. });
        let bound = schema.inputs.iter().any(|input| binds(input.arity) && input.parameter == output.parameter);
        output.types.iter().count() <= 1 || output.parameter.is_some() && bound
    }

    #[test]
    fn every_operator_has_the_type_of_its_first_output() {
        // Elements of sequences and optionals, whose types are not followed.
        let other = ["ConcatFromSequence", "OptionalGetElement", "SequenceAt"];
        let unbound = schema::all().iter().filter(|schema| !schema.deprecated && !is_bound(schema));
        let without = unbound.filter(|schema| {
            find(schema.name).is_none_or(|rule| rule.dtype.is_none() && !matches!(rule.shapes, Shapes::Graphs))
        });
        assert_eq!(without.map(|schema| schema.name).collect::<BTreeSet<_>>(), other.into());
    }
}
