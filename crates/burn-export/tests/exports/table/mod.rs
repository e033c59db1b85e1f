//! The operator table: one row an operation, in one file a family.

pub mod activations;
pub mod arithmetic;
pub mod case;
pub mod floats;
pub mod indexing;
pub mod integers;
pub mod layers;
pub mod logic;
pub mod movement;
pub mod negative;
pub mod reductions;
pub mod scatters;

use burn::module::Module;
use burn::tensor::kind::Basic;
use burn::tensor::{Device, Tensor, TensorData};
use burn_export::{ExportError, ExportedModel, OnnxExporter};

/// A module without parameters.
#[derive(Module, Debug)]
pub struct Nothing {
    marker: burn::nn::Relu,
}

impl Nothing {
    /// The only one.
    pub fn new() -> Self {
        Self { marker: burn::nn::Relu::new() }
    }
}

/// How the elements of an input are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// Between -2 and 2, zero and whole numbers among them.
    Real,
    /// Between 0.1 and 3.
    Positive,
    /// Between -0.9 and 0.9.
    Unit,
    /// Real, with infinities, negative zero and huge and tiny numbers among them.
    Edge,
    /// Edge, with NaN.
    Nan,
    /// Whole numbers between -9 and 9.
    Whole,
    /// Whole numbers between 1 and 6.
    Count,
    /// Whole numbers below this.
    Below(i64),
    /// Both truths.
    Truth,
}

/// An input of a row.
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Sizes, and names of axes: `n,3`.
    pub axes: &'static str,
    /// Its elements.
    pub values: Values,
}

/// Exports a row's operation.
pub type Export = Box<dyn Fn(OnnxExporter) -> Result<ExportedModel, ExportError>>;
/// Runs a row's operation in Burn.
pub type Native = Box<dyn Fn(Vec<TensorData>, &Device) -> Vec<TensorData>>;

/// One row.
pub struct Row {
    /// The name of the row.
    pub name: &'static str,
    /// Its inputs.
    pub arguments: Vec<Argument>,
    /// The number of its outputs.
    pub outputs: usize,
    /// The lowest opset that can express it.
    pub since: i64,
    /// How far results may differ, relative to one plus their size.
    pub tolerance: f64,
    /// Exports it.
    pub export: Export,
    /// Runs it.
    pub native: Native,
}

impl Row {
    /// Needs an opset.
    pub fn since(mut self, opset: i64) -> Self {
        self.since = opset;
        self
    }

    /// Allows a larger difference.
    pub fn within(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }
}

/// The results of a row as data.
pub trait Results {
    /// In order.
    fn data(self) -> Vec<TensorData>;
}

impl<const D: usize, K: Basic> Results for Tensor<D, K> {
    fn data(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

impl<A: Results, B: Results> Results for (A, B) {
    fn data(self) -> Vec<TensorData> {
        [self.0.data(), self.1.data()].concat()
    }
}

/// A row: a name, the inputs, and the operation.
///
/// `row!("Add", [x: Real "n,3" => Tensor<2>, y: Real "n,3" => Tensor<2>], x + y)`
#[macro_export]
macro_rules! row {
    ($name:expr, [$($argument:ident: $values:expr, $axes:literal => $tensor:ty),+], $body:expr) => {
        $crate::row!($name, [$($argument: $values, $axes => $tensor),+], 1, $body)
    };
    ($name:expr, [$($argument:ident: $values:expr, $axes:literal => $tensor:ty),+], $outputs:literal, $body:expr) => {
        $crate::table::Row {
            name: $name,
            arguments: vec![$($crate::table::Argument {
                name: stringify!($argument),
                axes: $axes,
                values: { #[allow(unused_imports)] use $crate::table::Values::*; $values },
            }),+],
            outputs: $outputs,
            since: 11,
            tolerance: 1e-5,
            export: Box::new(|exporter| {
                exporter.export(&$crate::table::Nothing::new(), |_, ($($argument,)+): ($($tensor,)+)| $body)
            }),
            native: Box::new(|data, device| {
                let mut data = data.into_iter();
                $(
                    let $argument = data.next().unwrap_or_else(|| panic!("an input is missing"));
                    let dtype = $argument.dtype();
                    let $argument: $tensor = <$tensor>::from_data($argument, (device, dtype));
                )+
                $crate::table::Results::data($body)
            }),
        }
    };
}

/// The same operation on floats and on integers, as two rows.
///
/// `numbers!("sum", [x, "n,3" => 2], x.sum())`
#[macro_export]
macro_rules! numbers {
    ($name:literal, [$($argument:ident, $axes:literal => $rank:literal),+], $body:expr) => {
        $crate::numbers!($name, [$($argument, $axes => $rank),+], 1, $body)
    };
    ($name:literal, [$($argument:ident, $axes:literal => $rank:literal),+], $outputs:literal, $body:expr) => {
        [
            $crate::row!($name, [$($argument: Real, $axes => ::burn::tensor::Tensor<$rank>),+], $outputs, $body),
            $crate::row!(
                concat!($name, " int"),
                [$($argument: Whole, $axes => ::burn::tensor::Tensor<$rank, ::burn::tensor::Int>),+],
                $outputs,
                $body
            ),
        ]
    };
}

/// The same operation on floats, integers and truths, as three rows.
#[macro_export]
macro_rules! kinds {
    ($name:literal, [$($argument:ident, $axes:literal => $rank:literal),+], $body:expr) => {
        $crate::numbers!($name, [$($argument, $axes => $rank),+], $body).into_iter().chain([$crate::row!(
            concat!($name, " bool"),
            [$($argument: Truth, $axes => ::burn::tensor::Tensor<$rank, ::burn::tensor::Bool>),+],
            $body
        )])
    };
}

/// Every row.
pub fn rows() -> Vec<Row> {
    [
        activations::rows(),
        arithmetic::rows(),
        floats::rows(),
        indexing::rows(),
        integers::rows(),
        layers::rows(),
        logic::rows(),
        movement::rows(),
        negative::rows(),
        reductions::rows(),
        scatters::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
