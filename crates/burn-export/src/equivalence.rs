//! Whether two graphs compute the same in the same way.

use std::collections::HashMap;

use crate::graph::{Graph, Node, Operand, Source, ValueId};
use crate::symbolic::Dim;

/// Whether the outputs of both graphs are the same operators on the same inputs, parameters and constants.
///
/// The order of nodes and the module paths do not matter, and neither does the shape in which elements pass through
/// operators that take each element, or each row, by itself. The sizes of both graphs must be numbers.
pub(crate) fn same(left: &Graph, right: &Graph) -> bool {
    let mut classes = Classes::default();
    let left_outputs = classes.outputs(left);
    left_outputs == classes.outputs(right)
}

/// Numbers for values: equal numbers mean the same elements in the same order, whatever their shape.
#[derive(Default)]
struct Classes {
    numbers: HashMap<String, usize>,
}

impl Classes {
    /// The class and the shape of each output.
    fn outputs(&mut self, graph: &Graph) -> Vec<(usize, Vec<Dim>)> {
        let mut classes: Vec<Option<usize>> = vec![None; graph.values.len()];
        for node in &graph.nodes {
            if let Some(class) = self.through(graph, node, &mut classes) {
                classes[node.outputs[0].0] = Some(class);
                continue;
            }
            let operands: Vec<String> = node
                .inputs
                .iter()
                .map(|operand| match operand {
                    Operand::Value(value) => {
                        format!("#{} {:?}", self.value(graph, *value, &mut classes), graph.shape(*value))
                    }
                    other => format!("{other:?}"),
                })
                .collect();
            for (position, output) in node.outputs.iter().enumerate() {
                let shape = graph.shape(*output);
                let key = format!("{} {operands:?} {:?} {position} {shape:?}", node.op, node.attributes);
                classes[output.0] = Some(self.number(key));
            }
        }
        let outputs = graph.outputs.iter();
        outputs.map(|output| (self.value(graph, *output, &mut classes), graph.shape(*output).to_vec())).collect()
    }

    /// The class of a result that does not depend on how the axes in front of the last are laid out.
    fn through(&mut self, graph: &Graph, node: &Node, classes: &mut [Option<usize>]) -> Option<usize> {
        let first = node.input(0)?;
        let result = graph.shape(node.outputs[0]);
        let mut class = |value: ValueId| self.value(graph, value, classes);
        let key = match node.op {
            "Reshape" | "Unsqueeze" | "Squeeze" | "Flatten" => return Some(class(first)),
            "MatMul" => {
                let second = node.input(1)?;
                let weight = without_leading_ones(graph.shape(second), 2);
                let rows = graph.shape(first).last()?;
                (weight.len() == 2)
                    .then(|| format!("rows of {rows:?} #{} #{} {weight:?}", class(first), class(second)))?
            }
            "Add" | "Sub" | "Mul" | "Div" => {
                // Each operand is as large as the result, or a row of it, or a single number.
                let mut operand = |value: ValueId| {
                    let own = without_leading_ones(graph.shape(value), 0);
                    let whole = Dim::product(own) == Dim::product(result);
                    let row = own.is_empty() || own.len() == 1 && own.last() == result.last();
                    (whole || row).then(|| format!("#{} {}", class(value), if whole { &[] } else { own }.len()))
                };
                format!("{} {} {} {:?}", node.op, operand(first)?, operand(node.input(1)?)?, result.last())
            }
            "Neg" | "Abs" | "Relu" | "Sigmoid" | "Tanh" | "Erf" | "Exp" | "Log" | "Sqrt" | "Cast" => {
                format!("{} #{} {:?}", node.op, class(first), node.attributes)
            }
            _ => return None,
        };
        Some(self.number(key))
    }

    fn value(&mut self, graph: &Graph, value: ValueId, classes: &mut [Option<usize>]) -> usize {
        if let Some(class) = classes[value.0] {
            return class;
        }
        let about = graph.value(value);
        let key = match &about.source {
            Source::Constant(bytes) => format!("constant {:?} {:?}", about.dtype, bytes),
            other => format!("{other:?} {:?}", about.dtype),
        };
        let class = self.number(key);
        classes[value.0] = Some(class);
        class
    }

    fn number(&mut self, key: String) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(key).or_insert(next)
    }
}

/// The shape without ones in front, down to a rank.
fn without_leading_ones(mut shape: &[Dim], rank: usize) -> &[Dim] {
    while let Some((first, rest)) = shape.split_first()
        && shape.len() > rank
        && first.is(1)
    {
        shape = rest;
    }
    shape
}
