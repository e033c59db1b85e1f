//! The signatures of ONNX's operators, version by version.
//!
//! ```
//! use onnx_model::schema;
//!
//! let clip = schema::find("Clip", 11).expect("Clip came with opset 1");
//! assert_eq!((clip.since, clip.min_inputs(), clip.max_inputs()), (11, 1, Some(3)));
//! // Gelu is an operator from opset 20 on; before that it is a formula.
//! assert!(schema::find("Gelu", 17).is_none());
//! assert_eq!(schema::first_opset("Gelu"), Some(20));
//! ```

mod table;

use std::fmt;

use crate::{Attribute, DataType};

/// The opsets of ONNX's own operators that the table covers.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// The signature of one version of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The operator.
    pub name: &'static str,
    /// The opset that brought this version; it holds until the next one.
    pub since: i64,
    /// Whether this version only says that the operator is gone.
    pub deprecated: bool,
    /// The inputs, in order.
    pub inputs: Vec<Formal>,
    /// The outputs, in order.
    pub outputs: Vec<Formal>,
    /// The attributes, by name in alphabetical order.
    pub attributes: Vec<AttributeSchema>,
}

/// An input or output of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Formal {
    /// Its name in ONNX's documentation.
    pub name: &'static str,
    /// How often it may stand.
    pub arity: Arity,
    /// The type parameter that it shares with others, such as `T`; `None` where its type stands alone.
    pub parameter: Option<&'static str>,
    /// The element types that are allowed.
    pub types: DataTypes,
}

/// How often an input or output may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Exactly once.
    Single,
    /// Once or not at all.
    Optional,
    /// The last one: this many times or more.
    Variadic {
        /// The least number.
        min: usize,
        /// Whether all have the same type.
        homogeneous: bool,
    },
}

/// An attribute of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeSchema {
    /// Its name.
    pub name: &'static str,
    /// The type of its value.
    pub kind: AttributeKind,
    /// Whether it must be present.
    pub required: bool,
    /// The value that holds when it is absent.
    pub default: Option<Attribute>,
}

/// The type of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of `Attribute`")]
pub enum AttributeKind {
    Float,
    Int,
    String,
    Tensor,
    Graph,
    Floats,
    Ints,
    Strings,
    Tensors,
    Graphs,
    /// A sparse tensor or a type, which [`Attribute`] does not express.
    Other,
}

impl AttributeKind {
    /// The type of a value.
    pub fn of(value: &Attribute) -> Self {
        match value {
            Attribute::Float(_) => Self::Float,
            Attribute::Int(_) => Self::Int,
            Attribute::String(_) => Self::String,
            Attribute::Tensor(_) => Self::Tensor,
            Attribute::Graph(_) => Self::Graph,
            Attribute::Floats(_) => Self::Floats,
            Attribute::Ints(_) => Self::Ints,
            Attribute::Strings(_) => Self::Strings,
            Attribute::Tensors(_) => Self::Tensors,
            Attribute::Graphs(_) => Self::Graphs,
        }
    }
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::Int => "int",
            Self::String => "string",
            Self::Tensor => "tensor",
            Self::Graph => "graph",
            Self::Floats => "floats",
            Self::Ints => "ints",
            Self::Strings => "strings",
            Self::Tensors => "tensors",
            Self::Graphs => "graphs",
            Self::Other => "sparse tensor or type",
        })
    }
}

/// A set of element types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataTypes(u32);

impl DataTypes {
    /// The set with `dtype` added.
    pub fn with(self, dtype: DataType) -> Self {
        Self(self.0 | 1 << dtype.number())
    }

    /// Whether the set has `dtype`.
    pub fn contains(self, dtype: DataType) -> bool {
        self.0 & 1 << dtype.number() != 0
    }

    /// The types of the set.
    pub fn iter(self) -> impl Iterator<Item = DataType> {
        DataType::ALL.into_iter().filter(move |dtype| self.contains(*dtype))
    }
}

impl fmt::Display for DataTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(DataType::name).collect();
        f.write_str(&names.join(", "))
    }
}

impl Schema {
    /// The least number of inputs.
    pub fn min_inputs(&self) -> usize {
        least(&self.inputs)
    }

    /// The greatest number of inputs; `None` when there is none.
    pub fn max_inputs(&self) -> Option<usize> {
        greatest(&self.inputs)
    }

    /// The least number of outputs.
    pub fn min_outputs(&self) -> usize {
        least(&self.outputs)
    }

    /// The greatest number of outputs; `None` when there is none.
    pub fn max_outputs(&self) -> Option<usize> {
        greatest(&self.outputs)
    }

    /// The input at a position; a variadic one stands for all positions from its own on.
    pub fn input(&self, position: usize) -> Option<&Formal> {
        formal(&self.inputs, position)
    }

    /// The output at a position.
    pub fn output(&self, position: usize) -> Option<&Formal> {
        formal(&self.outputs, position)
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeSchema> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

fn least(formals: &[Formal]) -> usize {
    let needed = |(index, formal): (usize, &Formal)| match formal.arity {
        Arity::Single => index + 1,
        Arity::Optional => 0,
        Arity::Variadic { min: 0, .. } => 0,
        Arity::Variadic { min, .. } => index + min,
    };
    formals.iter().enumerate().map(needed).max().unwrap_or(0)
}

fn greatest(formals: &[Formal]) -> Option<usize> {
    match formals.last() {
        Some(Formal { arity: Arity::Variadic { .. }, .. }) => None,
        _ => Some(formals.len()),
    }
}

fn formal(formals: &[Formal], position: usize) -> Option<&Formal> {
    formals.get(position).or_else(|| formals.last().filter(|last| matches!(last.arity, Arity::Variadic { .. })))
}

/// The version of an operator that holds at `opset`; `None` when it does not exist there, or no longer.
pub fn find(op_type: &str, opset: i64) -> Option<&'static Schema> {
    find_any(op_type, opset).filter(|schema| !schema.deprecated)
}

/// As [`find`], but also returns the version that says that the operator is gone.
pub(crate) fn find_any(op_type: &str, opset: i64) -> Option<&'static Schema> {
    versions(op_type).iter().rev().find(|schema| schema.since <= opset)
}

/// The versions of an operator, the oldest first, beginning with the one that holds at opset 7.
pub fn versions(op_type: &str) -> &'static [Schema] {
    let all = all();
    let start = all.partition_point(|schema| schema.name < op_type);
    let count = all[start..].partition_point(|schema| schema.name == op_type);
    &all[start..start + count]
}

/// The lowest opset of [`OPSETS`] at which the operator can be used.
pub fn first_opset(op_type: &str) -> Option<i64> {
    versions(op_type).iter().find(|schema| !schema.deprecated).map(|schema| schema.since.max(*OPSETS.start()))
}

/// Every version of every operator, by name and then by version.
pub fn all() -> &'static [Schema] {
    table::schemas()
}
