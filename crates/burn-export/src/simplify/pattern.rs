//! Reading a graph from results back to operands.

use onnx_model::Attribute;

use crate::graph::{Graph, Node, Operand, ValueId};

/// A graph with who makes each value.
pub(super) struct Pattern<'a> {
    pub(super) graph: &'a Graph,
    producers: &'a [Option<usize>],
}

impl<'a> Pattern<'a> {
    /// `producers` are those of the graph; a node that becomes another in its place leaves them as they are.
    pub(super) fn new(graph: &'a Graph, producers: &'a [Option<usize>]) -> Self {
        Self { graph, producers }
    }

    /// The node that makes a value, if it is this operator.
    pub(super) fn node(&self, value: ValueId, op: &str) -> Option<&'a Node> {
        self.producers[value.0].map(|producer| &self.graph.nodes[producer]).filter(|node| node.op == op)
    }

    /// The one operand of the operator that makes a value.
    pub(super) fn one(&self, value: ValueId, op: &str) -> Option<ValueId> {
        self.node(value, op)?.input(0)
    }

    /// Both operands of the operator that makes a value.
    pub(super) fn two(&self, value: ValueId, op: &str) -> Option<[ValueId; 2]> {
        let node = self.node(value, op)?;
        Some([node.input(0)?, node.input(1)?])
    }

    /// As [`two`](Self::two), in the order in which `first` is the first.
    pub(super) fn with(&self, value: ValueId, op: &str, first: ValueId) -> Option<ValueId> {
        let [left, right] = self.two(value, op)?;
        match (left == first, right == first) {
            (true, _) => Some(right),
            (_, true) => Some(left),
            _ => None,
        }
    }

    /// The operand beside a number in an operator that may have it on either side.
    pub(super) fn beside(&self, value: ValueId, op: &str, number: f64) -> Option<ValueId> {
        let [left, right] = self.two(value, op)?;
        match (self.is(right, number), self.is(left, number)) {
            (true, _) => Some(left),
            (_, true) => Some(right),
            _ => None,
        }
    }

    /// What is divided by a number.
    pub(super) fn divided(&self, value: ValueId, number: f64) -> Option<ValueId> {
        let [left, right] = self.two(value, "Div")?;
        self.is(right, number).then_some(left)
    }

    /// Whether a value is one number, which is this one in float32.
    pub(super) fn is(&self, value: ValueId, number: f64) -> bool {
        self.graph.scalar(value).is_some_and(|found| found as f32 == number as f32)
    }

    /// `Where(condition, yes, no)`.
    pub(super) fn choice(&self, value: ValueId) -> Option<[ValueId; 3]> {
        let node = self.node(value, "Where")?;
        Some([node.input(0)?, node.input(1)?, node.input(2)?])
    }

    /// The operand of a mean over the last axis, which stays with size one.
    pub(super) fn mean_of_last(&self, value: ValueId) -> Option<ValueId> {
        let node = self.node(value, "ReduceMean")?;
        let x = node.input(0)?;
        let last = self.graph.shape(x).len() as i64 - 1;
        let axes = match node.inputs.get(1) {
            Some(Operand::Dims(axes)) => axes.iter().map(|axis| axis.as_fixed()).collect::<Option<Vec<i64>>>()?,
            Some(_) => return None,
            None => node.ints("axes")?.to_vec(),
        };
        let kept = node.attributes.get("keepdims") != Some(&Attribute::Int(0));
        (kept && (axes == [-1] || axes == [last])).then_some(x)
    }

    pub(super) fn float(node: &Node, name: &str) -> Option<f32> {
        match node.attributes.get(name) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }
}
