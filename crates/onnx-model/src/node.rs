//! Nodes and their attributes.

use std::collections::BTreeMap;

use crate::{DataType, Graph, Tensor};

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A number.
    Float(f32),
    /// An integer; truth values are 0 and 1.
    Int(i64),
    /// A text.
    String(String),
    /// A tensor.
    Tensor(Tensor),
    /// A subgraph: the branch of an `If`, the body of a `Loop`.
    Graph(Box<Graph>),
    /// Numbers.
    Floats(Vec<f32>),
    /// Integers: axes, strides, pads.
    Ints(Vec<i64>),
    /// Texts.
    Strings(Vec<String>),
    /// Tensors.
    Tensors(Vec<Tensor>),
    /// Subgraphs.
    Graphs(Vec<Graph>),
}

macro_rules! attribute_from {
    ($($from:ty, $value:ident => $to:expr;)*) => {$(
        impl From<$from> for Attribute {
            fn from($value: $from) -> Self {
                $to
            }
        }
    )*};
}

attribute_from! {
    f32, value => Self::Float(value);
    i64, value => Self::Int(value);
    bool, value => Self::Int(i64::from(value));
    DataType, value => Self::Int(i64::from(value.number()));
    &str, value => Self::String(value.to_owned());
    String, value => Self::String(value);
    Tensor, value => Self::Tensor(value);
    Graph, value => Self::Graph(Box::new(value));
    Vec<f32>, value => Self::Floats(value);
    &[f32], value => Self::Floats(value.to_vec());
    Vec<i64>, value => Self::Ints(value);
    &[i64], value => Self::Ints(value.to_vec());
    Vec<String>, value => Self::Strings(value);
}

impl<const N: usize> From<[i64; N]> for Attribute {
    fn from(value: [i64; N]) -> Self {
        Self::Ints(value.to_vec())
    }
}

impl<const N: usize> From<[f32; N]> for Attribute {
    fn from(value: [f32; N]) -> Self {
        Self::Floats(value.to_vec())
    }
}

/// One application of an operator.
///
/// ```
/// use onnx_model::{Attribute, Node};
///
/// let node = Node::new("Gemm").named("fc1").input("x").input("fc1.weight").output("y").attribute("transB", 1i64);
/// assert_eq!(node.attributes.get("transB"), Some(&Attribute::Int(1)));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// The node's own name, which profiles show; may be empty.
    pub name: String,
    /// The operator.
    pub op_type: String,
    /// The operator set; empty for ONNX's own.
    pub domain: String,
    /// Names of the values read; empty where an optional input is left out.
    pub inputs: Vec<String>,
    /// Names of the values made; empty where an optional output is left out.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// A text for people.
    pub doc: String,
    /// Notes for tools.
    pub metadata: BTreeMap<String, String>,
}

impl Node {
    /// A node of ONNX's own operator set.
    pub fn new(op_type: impl Into<String>) -> Self {
        Self { op_type: op_type.into(), ..Self::default() }
    }

    /// The same node of another operator set.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = domain.into();
        self
    }

    /// The same node with a name of its own.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds an input.
    pub fn input(mut self, value: impl Into<String>) -> Self {
        self.inputs.push(value.into());
        self
    }

    /// Adds several inputs.
    pub fn inputs(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.inputs.extend(values.into_iter().map(Into::into));
        self
    }

    /// Leaves out an optional input that others follow.
    pub fn no_input(self) -> Self {
        self.input("")
    }

    /// Adds an output.
    pub fn output(mut self, value: impl Into<String>) -> Self {
        self.outputs.push(value.into());
        self
    }

    /// Adds several outputs.
    pub fn outputs(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.outputs.extend(values.into_iter().map(Into::into));
        self
    }

    /// Sets an attribute.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Attribute>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// The same node with a text for people.
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Whether the operator is one of ONNX's own.
    pub fn is_own(&self) -> bool {
        matches!(self.domain.as_str(), "" | "ai.onnx")
    }

    /// The value of an integer attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.attributes.get(name) {
            Some(Attribute::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value of an attribute of integers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    /// The value of a float attribute.
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.attributes.get(name) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value of a text attribute.
    pub fn string(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name) {
            Some(Attribute::String(value)) => Some(value),
            _ => None,
        }
    }

    /// The subgraphs among the attributes.
    pub fn subgraphs(&self) -> impl Iterator<Item = &Graph> {
        self.attributes.values().flat_map(|attribute| match attribute {
            Attribute::Graph(graph) => std::slice::from_ref(&**graph),
            Attribute::Graphs(graphs) => graphs,
            _ => &[],
        })
    }
}
