//! Graphs.

use std::collections::BTreeMap;

use crate::{Node, Tensor, ValueInfo};

/// Nodes in the order in which they may run, with what goes in and what comes out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// The graph's name; ONNX wants one.
    pub name: String,
    /// The nodes; each after those that make its inputs.
    pub nodes: Vec<Node>,
    /// The inputs, in the caller's order.
    pub inputs: Vec<ValueInfo>,
    /// The outputs, in the caller's order.
    pub outputs: Vec<ValueInfo>,
    /// Constants: weights and shapes.
    pub initializers: Vec<Tensor>,
    /// Types of values inside.
    pub value_infos: Vec<ValueInfo>,
    /// A text for people.
    pub doc: String,
    /// Notes for tools.
    pub metadata: BTreeMap<String, String>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds an input.
    pub fn input(mut self, input: ValueInfo) -> Self {
        self.inputs.push(input);
        self
    }

    /// Adds an output.
    pub fn output(mut self, output: ValueInfo) -> Self {
        self.outputs.push(output);
        self
    }

    /// Adds a constant.
    pub fn initializer(mut self, tensor: Tensor) -> Self {
        self.initializers.push(tensor);
        self
    }

    /// Adds a node after those that are there.
    pub fn node(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// The constant of this name.
    pub fn find_initializer(&self, name: &str) -> Option<&Tensor> {
        self.initializers.iter().find(|tensor| tensor.name == name)
    }

    /// Bytes of all initialisers that are held in memory.
    pub fn initializer_bytes(&self) -> u64 {
        self.initializers.iter().filter_map(|tensor| tensor.bytes().ok()).map(|bytes| bytes.len() as u64).sum()
    }
}
