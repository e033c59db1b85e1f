//! Every operator's rule: each family lists its own, a line each.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::rule::{Family, Rule};
use super::{
    attention, cast, conv, elementwise, index, make, matmul, normalise, reduce, regions, reshape, resize, slice,
};

const FAMILIES: [Family; 15] = [
    attention::FAMILY,
    cast::FAMILY,
    GRAPHS,
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

/// Operators whose outputs are what the graphs inside make.
const GRAPHS: Family = &[(&["If", "Loop", "Scan"], Rule::GRAPHS)];

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::{self, Arity, Schema};
    use crate::shapes::rule::Shapes;

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
