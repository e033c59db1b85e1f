//! What becomes of each operator in float64: every family lists its own, a line each.
//!
//! What ONNX Runtime 1.32 runs in float64 on the CPU was found by running each operator at each opset.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::step::{One, Outputs, Reason, Step};
use super::writer::Expr;
use super::{
    activation, arithmetic, attention, control, correlate, grid, index, layout, make, normalise, pool, quantise,
    recurrent, resize, trigonometry,
};

/// What becomes of an operator.
#[derive(Clone, Copy)]
pub enum Form {
    /// It stays: the runtime has a kernel, or a definition as a function, that computes in float64.
    Native,
    /// It stays, and this attribute of it, where it is there, names an element type.
    Typed(&'static str),
    /// It stays where this finds no reason against it.
    Where(fn(&Step) -> Result<(), Reason>),
    /// A formula of the first input.
    Map(for<'w> fn(&Step<'_, 'w>, Expr<'w>) -> Expr<'w>),
    /// A formula of one output.
    One(for<'w> fn(&Step<'_, 'w>) -> One<'w>),
    /// A formula of several outputs.
    All(for<'w> fn(&Step<'_, 'w>) -> Outputs<'w>),
    /// It has none.
    Without(Reason),
}

impl Form {
    /// Writes a formula; what stays has none.
    pub fn write<'w>(self, step: &Step<'_, 'w>) -> Outputs<'w> {
        match self {
            Self::Map(write) => Ok(vec![write(step, step.input(0))]),
            Self::One(write) => write(step).map(|value| vec![value]),
            Self::All(write) => write(step),
            Self::Native | Self::Typed(_) | Self::Where(_) | Self::Without(_) => Err(NO_FORMULA),
        }
    }
}

/// Operators that share a form, from an opset on: those of a family.
pub type Family = &'static [(&'static [&'static str], i64, Form)];

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

/// Why an operator of [`WITHOUT`] has no form.
pub const NO_FORMULA: Reason = "ONNX Runtime has no float64 kernel for it, and no formula for it is known here";

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
