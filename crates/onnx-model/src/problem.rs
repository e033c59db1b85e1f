//! What can be wrong with a model.

use std::fmt;

use crate::schema::{AttributeKind, DataTypes};
use crate::{DataType, Node, TensorError, TensorType};

/// A model that breaks a rule of ONNX: which rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct CheckError {
    /// The part of the model.
    pub place: Box<Place>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// A part of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The model as a whole.
    Model,
    /// A graph: its name.
    Graph(String),
    /// A node.
    Node {
        /// The graph's name.
        graph: String,
        /// The node's position in the graph, from 0.
        index: usize,
        /// The node's name; may be empty.
        name: String,
        /// The operator.
        op_type: String,
    },
}

impl Place {
    /// A node of the graph of that name.
    pub fn node(graph: &str, index: usize, node: &Node) -> Self {
        Self::Node { graph: graph.to_owned(), index, name: node.name.clone(), op_type: node.op_type.clone() }
    }

    /// Makes an error of a problem at this place.
    pub(crate) fn error(self, problem: Problem) -> CheckError {
        CheckError { place: Box::new(self), problem }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("the model"),
            Self::Graph(name) => write!(f, "graph {name:?}"),
            Self::Node { graph, index, name, op_type } if name.is_empty() => {
                write!(f, "{op_type} node {index} of graph {graph:?}")
            }
            Self::Node { graph, name, op_type, .. } => write!(f, "{op_type} node {name:?} of graph {graph:?}"),
        }
    }
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The version of the file format is not known here.
    #[error("IR version {found} is not between 3 and {last}")]
    IrVersion {
        /// The version that the model states.
        found: i64,
        /// The last one known.
        last: i64,
    },
    /// The model does not say which operators it means.
    #[error("there is no opset import for the domain {0:?}")]
    NoOpset(String),
    /// The version of ONNX's operators is outside the operator table.
    #[error("opset {found} is not between {first} and {last}")]
    Opset {
        /// The version that the model imports.
        found: i64,
        /// The first version of the table.
        first: i64,
        /// The last version of the table.
        last: i64,
    },
    /// A name that must be there is empty.
    #[error("{0} has no name")]
    NoName(&'static str),
    /// A value is made twice.
    #[error("the value {0:?} is already defined")]
    Redefined(String),
    /// A value is used that nothing made before.
    #[error("the value {0:?} is used and nothing before makes it")]
    Undefined(String),
    /// A graph promises a value that it does not make.
    #[error("the output {0:?} is made by no node")]
    OutputUndefined(String),
    /// An input or output of the graph has no type or shape.
    #[error("{0:?} has no element type or no shape")]
    Untyped(String),
    /// Subgraphs in subgraphs, too many.
    #[error("subgraphs are nested more than {0} deep")]
    Depth(usize),
    /// A tensor contradicts itself.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A node with neither inputs nor outputs, or without an operator.
    #[error("the node does nothing")]
    Empty,
    /// The operator is unknown.
    #[error("there is no operator {op_type} at opset {opset}{}", came_with(*.first))]
    Operator {
        /// The operator.
        op_type: String,
        /// The opset of the model.
        opset: i64,
        /// The first opset at which the operator can be used.
        first: Option<i64>,
    },
    /// The operator was withdrawn.
    #[error("the operator {op_type} was withdrawn with opset {since}")]
    Withdrawn {
        /// The operator.
        op_type: String,
        /// The opset that withdrew it.
        since: i64,
    },
    /// Too few or too many inputs or outputs.
    #[error("there are {found} {kind}, and the operator takes {}", range(*min, *max))]
    Count {
        /// `"inputs"` or `"outputs"`.
        kind: &'static str,
        /// How many there are.
        found: usize,
        /// The least number.
        min: usize,
        /// The greatest number.
        max: Option<usize>,
    },
    /// A value that is not optional is left out.
    #[error("{kind} {name:?} may not be left out")]
    LeftOut {
        /// `"input"` or `"output"`.
        kind: &'static str,
        /// Its name in ONNX's documentation.
        name: &'static str,
    },
    /// An attribute that the operator does not have at this opset.
    #[error("there is no attribute {name:?} at opset {opset}")]
    UnknownAttribute {
        /// The attribute.
        name: String,
        /// The opset of the model.
        opset: i64,
    },
    /// A required attribute is absent.
    #[error("the attribute {0:?} is missing")]
    MissingAttribute(&'static str),
    /// An attribute of another type.
    #[error("the attribute {name:?} is of type {found}, not {expected}")]
    AttributeType {
        /// The attribute.
        name: String,
        /// The type of its value.
        found: AttributeKind,
        /// The type that the operator wants.
        expected: AttributeKind,
    },
    /// An attribute or a constant input with a value that the operator does not know.
    #[error("{name:?} is {value}, and {rule}")]
    Value {
        /// The attribute or input.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        rule: &'static str,
    },
    /// An element type that the operator does not take at this opset.
    #[error("{value:?} is {found}, and {formal:?} takes {}", .allowed)]
    ElementType {
        /// The value.
        value: String,
        /// The name of the input or output in ONNX's documentation.
        formal: &'static str,
        /// The type of the value.
        found: DataType,
        /// The types allowed.
        allowed: DataTypes,
    },
    /// Two values that share a type parameter differ.
    #[error("{value:?} is {found}, and the other values of type {parameter} are {expected}")]
    TypesDiffer {
        /// The value.
        value: String,
        /// The type parameter in ONNX's documentation.
        parameter: &'static str,
        /// The type of the value.
        found: DataType,
        /// The type of the others.
        expected: DataType,
    },
    /// An input of the wrong rank.
    #[error("input {input} has rank {found}, and {rule}")]
    Rank {
        /// The position of the input, from 0.
        input: usize,
        /// Its rank.
        found: usize,
        /// What it should be.
        rule: &'static str,
    },
    /// More axes than any tensor has: a file that means harm.
    #[error("{value:?} has {found} axes, more than the {most} that are followed")]
    Axes {
        /// The value.
        value: String,
        /// Its rank.
        found: usize,
        /// The highest rank allowed.
        most: usize,
    },
    /// An axis outside the rank.
    #[error("axis {axis} is outside of rank {rank}")]
    Axis {
        /// The axis.
        axis: i64,
        /// The rank.
        rank: usize,
    },
    /// Sizes that should agree do not.
    #[error("{rule}: {left} is not {right}")]
    Sizes {
        /// What should agree.
        rule: &'static str,
        /// One side.
        left: String,
        /// The other side.
        right: String,
    },
    /// What the model says of a value is not what its operator makes.
    #[error("{value:?} is declared as {declared}, and its node makes {inferred}")]
    Declared {
        /// The value.
        value: String,
        /// The type in the model.
        declared: TensorType,
        /// The type that follows from the inputs.
        inferred: TensorType,
    },
    /// A subgraph with another number of inputs or outputs than its operator needs.
    #[error("the subgraph {graph:?} has {found} {kind} and needs {expected}")]
    Subgraph {
        /// The subgraph.
        graph: String,
        /// `"inputs"` or `"outputs"`.
        kind: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
}

fn came_with(first: Option<i64>) -> String {
    first.map_or_else(String::new, |first| format!("; it came with opset {first}"))
}

fn range(min: usize, max: Option<usize>) -> String {
    match max {
        None => format!("{min} or more"),
        Some(max) if max == min => min.to_string(),
        Some(max) => format!("{min} to {max}"),
    }
}
