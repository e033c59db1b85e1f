//! Whether two graphs compute the same in the same way.

use std::collections::HashMap;

use crate::graph::{Graph, Operand, Source, ValueId};

/// Whether the outputs of both graphs are the same operators on the same inputs, parameters and constants.
///
/// The order of nodes and the module paths do not matter.
pub(crate) fn same(left: &Graph, right: &Graph) -> bool {
    let mut classes = Classes::default();
    let left_outputs = classes.outputs(left);
    left_outputs == classes.outputs(right)
}

/// Numbers for values: equal numbers mean equal computations.
#[derive(Default)]
struct Classes {
    numbers: HashMap<String, usize>,
}

impl Classes {
    fn outputs(&mut self, graph: &Graph) -> Vec<usize> {
        let mut classes: Vec<Option<usize>> = vec![None; graph.values.len()];
        for node in &graph.nodes {
            let operands: Vec<String> = node
                .inputs
                .iter()
                .map(|operand| match operand {
                    Operand::Value(value) => format!("#{}", self.value(graph, *value, &mut classes)),
                    other => format!("{other:?}"),
                })
                .collect();
            for (position, output) in node.outputs.iter().enumerate() {
                let shape = graph.shape(*output);
                let key = format!("{} {operands:?} {:?} {position} {shape:?}", node.op, node.attributes);
                classes[output.0] = Some(self.number(key));
            }
        }
        graph.outputs.iter().map(|output| self.value(graph, *output, &mut classes)).collect()
    }

    fn value(&mut self, graph: &Graph, value: ValueId, classes: &mut [Option<usize>]) -> usize {
        if let Some(class) = classes[value.0] {
            return class;
        }
        let about = graph.value(value);
        let key = match &about.source {
            Source::Constant(bytes) => format!("constant {:?} {:?} {:?}", about.dtype, about.shape, bytes),
            other => format!("{other:?} {:?} {:?}", about.dtype, about.shape),
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
