//! What can become of an operator in float64.

use super::step::{One, Outputs, Reason, Step};
use super::writer::Expr;

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

/// Why an operator that is known has no form.
pub const NO_FORMULA: Reason = "ONNX Runtime has no float64 kernel for it, and no formula for it is known here";
