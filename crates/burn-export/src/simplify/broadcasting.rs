//! What broadcasting does by itself.

use crate::graph::{Graph, Operand, Source, ValueId, broadcast};

/// Operators whose inputs all broadcast.
fn broadcasts(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Pow"
            | "Mod"
            | "Equal"
            | "Greater"
            | "Less"
            | "GreaterOrEqual"
            | "LessOrEqual"
            | "And"
            | "Or"
            | "Xor"
            | "Where"
            | "BitwiseAnd"
            | "BitwiseOr"
            | "BitwiseXor"
    )
}

/// An Expand before an operator that would expand by itself.
pub(super) fn drop_expansions(graph: &mut Graph) -> usize {
    let mut count = 0;
    let producers = graph.producers();
    for index in 0..graph.nodes.len() {
        if !broadcasts(graph.nodes[index].op) {
            continue;
        }
        for position in 0..graph.nodes[index].inputs.len() {
            let node = &graph.nodes[index];
            let Some(origin) = node
                .input(position)
                .and_then(|value| producers[value.0])
                .map(|producer| &graph.nodes[producer])
                .filter(|producer| producer.op == "Expand")
                .and_then(|producer| producer.input(0))
            else {
                continue;
            };
            if result_shape_with(graph, index, position, origin) {
                graph.nodes[index].inputs[position] = Operand::Value(origin);
                count += 1;
            }
        }
    }
    count
}

/// The values that follow from weights, constants and sizes alone.
fn settled(graph: &Graph) -> Vec<bool> {
    let mut settled: Vec<bool> = graph
        .values
        .iter()
        .map(|value| matches!(value.source, Source::Constant(_) | Source::Parameter { .. } | Source::Derived { .. }))
        .collect();
    for node in &graph.nodes {
        let all = node.values().all(|value| settled[value.0]);
        node.outputs.iter().for_each(|output| settled[output.0] = all);
    }
    settled
}

/// Whether the operator gives the same shape with another input at this position.
fn result_shape_with(graph: &Graph, index: usize, position: usize, other: ValueId) -> bool {
    let node = &graph.nodes[index];
    let shapes = node.inputs.iter().enumerate().map(|(at, operand)| match operand {
        _ if at == position => graph.shape(other),
        Operand::Value(value) => graph.shape(*value),
        _ => &[],
    });
    let shape = shapes.fold(Vec::new(), |shape, other| broadcast(&shape, other));
    shape == graph.shape(node.outputs[0])
}

/// A reshape that puts axes of size one in front of weights or inputs, before an operator that aligns axes from the back.
///
/// What is computed from inputs keeps its axes: its other users want them.
pub(super) fn drop_leading_ones(graph: &mut Graph) -> usize {
    let mut count = 0;
    let producers = graph.producers();
    let settled = settled(graph);
    for index in 0..graph.nodes.len() {
        // A matrix in a batch of one is the same for every batch.
        let is_product = graph.nodes[index].op == "MatMul";
        if !broadcasts(graph.nodes[index].op) && !is_product {
            continue;
        }
        for position in 0..graph.nodes[index].inputs.len() {
            let Some(value) = graph.nodes[index].input(position) else { continue };
            let Some(producer) = producers[value.0].map(|producer| &graph.nodes[producer]) else { continue };
            if !matches!(producer.op, "Reshape" | "Unsqueeze") {
                continue;
            }
            let Some(origin) = producer.input(0) else { continue };
            let given = matches!(graph.value(origin).source, Source::Input(_));
            if !settled[origin.0] && !given || is_product && position == 0 {
                continue;
            }
            let (from, to) = (graph.shape(origin), graph.shape(value));
            let trailing = to
                .len()
                .checked_sub(from.len())
                .is_some_and(|ones| to[..ones].iter().all(|dim| dim.is(1)) && &to[ones..] == from);
            let fits = match is_product {
                true => {
                    let other = graph.nodes[index].input(1 - position).map_or(0, |other| graph.shape(other).len());
                    from.len() >= 2 && other >= to.len()
                }
                false => result_shape_with(graph, index, position, origin),
            };
            if trailing && fits {
                graph.nodes[index].inputs[position] = Operand::Value(origin);
                count += 1;
            }
        }
    }
    count
}
