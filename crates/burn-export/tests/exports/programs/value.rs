//! Tensors whose kind and rank are known at run time only.

use burn::tensor::kind::Basic;
use burn::tensor::{Bool, Float, Int, Tensor, TensorData};
use burn_export::{ExportError, ModelOutputs, OutputSink};

/// A tensor of any kind.
#[derive(Clone)]
pub enum Value {
    /// Floats.
    Float(Ranked<Float>),
    /// Whole numbers.
    Int(Ranked<Int>),
    /// Truths.
    Bool(Ranked<Bool>),
}

/// A tensor of any rank up to four.
#[derive(Clone)]
pub enum Ranked<K: Basic> {
    /// Rank 1.
    One(Tensor<1, K>),
    /// Rank 2.
    Two(Tensor<2, K>),
    /// Rank 3.
    Three(Tensor<3, K>),
    /// Rank 4.
    Four(Tensor<4, K>),
}

/// The same expression at every rank: `each!(value, x => x.exp())`.
macro_rules! each {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            $crate::programs::value::Ranked::One($tensor) => $crate::programs::value::Ranked::One($body),
            $crate::programs::value::Ranked::Two($tensor) => $crate::programs::value::Ranked::Two($body),
            $crate::programs::value::Ranked::Three($tensor) => $crate::programs::value::Ranked::Three($body),
            $crate::programs::value::Ranked::Four($tensor) => $crate::programs::value::Ranked::Four($body),
        }
    };
}

/// The same expression of two tensors of one rank.
macro_rules! pair {
    ($left:expr, $right:expr, $x:ident, $y:ident => $body:expr) => {
        match ($left, $right) {
            ($crate::programs::value::Ranked::One($x), $crate::programs::value::Ranked::One($y)) => {
                $crate::programs::value::Ranked::One($body)
            }
            ($crate::programs::value::Ranked::Two($x), $crate::programs::value::Ranked::Two($y)) => {
                $crate::programs::value::Ranked::Two($body)
            }
            ($crate::programs::value::Ranked::Three($x), $crate::programs::value::Ranked::Three($y)) => {
                $crate::programs::value::Ranked::Three($body)
            }
            ($crate::programs::value::Ranked::Four($x), $crate::programs::value::Ranked::Four($y)) => {
                $crate::programs::value::Ranked::Four($body)
            }
            _ => panic!("two tensors of different rank"),
        }
    };
}

/// An expression of the tensor at every rank, whatever its type.
macro_rules! any {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            $crate::programs::value::Ranked::One($tensor) => $body,
            $crate::programs::value::Ranked::Two($tensor) => $body,
            $crate::programs::value::Ranked::Three($tensor) => $body,
            $crate::programs::value::Ranked::Four($tensor) => $body,
        }
    };
}

/// The same expression of the tensor of any kind and rank.
macro_rules! every {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            $crate::programs::value::Value::Float(value) => {
                $crate::programs::value::Value::Float($crate::programs::value::each!(value, $tensor => $body))
            }
            $crate::programs::value::Value::Int(value) => {
                $crate::programs::value::Value::Int($crate::programs::value::each!(value, $tensor => $body))
            }
            $crate::programs::value::Value::Bool(value) => {
                $crate::programs::value::Value::Bool($crate::programs::value::each!(value, $tensor => $body))
            }
        }
    };
}
pub(super) use {any, each, every, pair};

impl<K: Basic> Ranked<K> {
    /// Its sizes.
    pub fn dims(&self) -> Vec<usize> {
        any!(self, tensor => tensor.dims().to_vec())
    }

    /// The same elements in another shape, of any rank.
    pub fn reshape(self, shape: &[usize]) -> Self {
        any!(self, tensor => match *shape {
            [a] => Self::One(tensor.reshape([a])),
            [a, b] => Self::Two(tensor.reshape([a, b])),
            [a, b, c] => Self::Three(tensor.reshape([a, b, c])),
            [a, b, c, d] => Self::Four(tensor.reshape([a, b, c, d])),
            _ => panic!("a shape of rank {}", shape.len()),
        })
    }
}

impl Value {
    /// Its sizes.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Float(value) => value.dims(),
            Self::Int(value) => value.dims(),
            Self::Bool(value) => value.dims(),
        }
    }

    /// The same elements in another shape.
    pub fn reshape(self, shape: &[usize]) -> Self {
        match self {
            Self::Float(value) => Self::Float(value.reshape(shape)),
            Self::Int(value) => Self::Int(value.reshape(shape)),
            Self::Bool(value) => Self::Bool(value.reshape(shape)),
        }
    }

    /// Its elements.
    pub fn into_data(self) -> TensorData {
        match self {
            Self::Float(value) => any!(value, tensor => tensor.into_data()),
            Self::Int(value) => any!(value, tensor => tensor.into_data()),
            Self::Bool(value) => any!(value, tensor => tensor.into_data()),
        }
    }
}

impl ModelOutputs for Value {
    fn give(self, sink: &mut OutputSink) -> Result<(), ExportError> {
        match self {
            Self::Float(value) => any!(value, tensor => tensor.give(sink)),
            Self::Int(value) => any!(value, tensor => tensor.give(sink)),
            Self::Bool(value) => any!(value, tensor => tensor.give(sink)),
        }
    }
}
