//! What is known of an operator beyond its signature.

use super::extent::Size;
use super::op::{Dims, Op};
use crate::DataType;
use crate::problem::Problem;

/// What is said of a node.
type Of<T> = fn(&Op) -> T;

/// The rule of an operator.
#[derive(Clone, Copy)]
pub struct Rule {
    /// The shapes of the outputs, `None` where nothing is known. May be shorter than the list of outputs.
    pub shapes: Shapes,
    /// The element type of the first output, where the signature alone does not give it.
    pub dtype: Option<Of<Result<Option<DataType>, Problem>>>,
    /// The elements of the first output when it is a small integer tensor: what shapes are computed from.
    pub elements: Option<Of<Option<Vec<Size>>>>,
}

/// How the shapes of the outputs follow.
#[derive(Clone, Copy)]
pub enum Shapes {
    /// Of the only output, or the first.
    One(Of<Result<Option<Dims>, Problem>>),
    /// Of all outputs.
    All(Of<Result<Vec<Option<Dims>>, Problem>>),
    /// From what the graphs inside make.
    Graphs,
    /// They are not followed.
    Unknown,
}

/// Operators that share a rule, family by family.
pub type Family = &'static [(&'static [&'static str], Rule)];

impl Rule {
    pub const UNKNOWN: Self = Self { shapes: Shapes::Unknown, dtype: None, elements: None };

    pub const GRAPHS: Self = Self { shapes: Shapes::Graphs, ..Self::UNKNOWN };

    pub const fn one(shape: Of<Result<Option<Dims>, Problem>>) -> Self {
        Self { shapes: Shapes::One(shape), ..Self::UNKNOWN }
    }

    pub const fn all(shapes: Of<Result<Vec<Option<Dims>>, Problem>>) -> Self {
        Self { shapes: Shapes::All(shapes), ..Self::UNKNOWN }
    }

    pub const fn dtype(self, dtype: Of<Result<Option<DataType>, Problem>>) -> Self {
        Self { dtype: Some(dtype), ..self }
    }

    pub const fn elements(self, elements: Of<Option<Vec<Size>>>) -> Self {
        Self { elements: Some(elements), ..self }
    }
}
