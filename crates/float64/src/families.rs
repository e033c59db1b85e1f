//! What becomes of each operator in float64: every family lists its own, a line each.
//!
//! What ONNX Runtime 1.32 runs in float64 on the CPU was found by running each operator at each opset.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::form::{Family, Form, NO_FORMULA};
use super::{
    activation, arithmetic, attention, control, correlate, grid, index, layout, make, normalise, pool, quantise,
    recurrent, resize, trigonometry,
};

const FAMILIES: [Family; 16] = [
    activation::FAMILY,
    arithmetic::FAMILY,
    attention::FAMILY,
    control::FAMILY,
    correlate::FAMILY,
    grid::FAMILY,
    index::FAMILY,
    layout::FAMILY,
    make::FAMILY,
    normalise::FAMILY,
    pool::FAMILY,
    quantise::FAMILY,
    recurrent::FAMILY,
    resize::FAMILY,
    trigonometry::FAMILY,
    WITHOUT,
];

#[rustfmt::skip]
const WITHOUT: Family = &[
    (&["BitCast"], 0, Form::Without("the bits of its input mean something else in float64")),
    (&["CausalConvWithState", "Col2Im", "Det", "LinearAttention", "MaxRoiPool", "MaxUnpool", "Optional", "OptionalGetElement",
       "OptionalHasElement", "SequenceMap", "SwiGLU"], 0, Form::Without(NO_FORMULA)),
    (&["RoiAlign"], 22, Form::Without(NO_FORMULA)),
    (&["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"], 0,
       Form::Without("it draws random numbers")),
];

type Forms = HashMap<&'static str, Vec<(i64, Form)>>;

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let mut forms = Forms::new();
    for (names, from, form) in FAMILIES.into_iter().flatten() {
        names.iter().for_each(|name| forms.entry(name).or_default().push((*from, *form)));
    }
    forms
});

/// The form of an operator at an opset; `None` when no family has it.
pub fn find(op_type: &str, opset: i64) -> Option<Form> {
    let forms = FORMS.get(op_type)?.iter().filter(|(from, _)| *from <= opset);
    forms.max_by_key(|(from, _)| *from).map(|(_, form)| *form)
}

#[cfg(test)]
mod tests {
    use onnx_model::schema;

    #[test]
    fn every_operator_of_the_table_is_in_a_family() {
        for schema in schema::all().iter().filter(|schema| !schema.deprecated) {
            assert!(super::find(schema.name, schema.since).is_some(), "{} {}", schema.name, schema.since);
        }
        assert!(super::FORMS.keys().all(|name| !schema::versions(name).is_empty()));
    }
}
