//! Nodes that do nothing, and moves that undo or follow each other.

use crate::graph::{Graph, Operand, ValueId};
use crate::symbolic::Dim;

/// Removes nodes whose result is their input.
pub(super) fn remove_no_ops(graph: &mut Graph) -> usize {
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let Some(input) = node.input(0) else { continue };
        let output = node.outputs[0];
        let same_shape = graph.shape(input) == graph.shape(output);
        let one = |position: usize| node.input(position).and_then(|value| graph.scalar(value)) == Some(1.0);
        // Minus zero would make a zero of a negative one.
        let zero = |position: usize| {
            let number = node.input(position).and_then(|value| graph.scalar(value));
            number.is_some_and(|number| number == 0.0 && number.is_sign_positive())
        };
        let source = match node.op {
            "Identity" => Some(input),
            "Reshape" | "Expand" | "Unsqueeze" if same_shape => Some(input),
            "Cast" if graph.dtype(input) == graph.dtype(output) => Some(input),
            "Transpose" if identity(node.ints("perm").unwrap_or_default()) => Some(input),
            // Exact for every number, NaN and the zeros included.
            "Mul" | "Div" | "Pow" if same_shape && one(1) => Some(input),
            "Sub" if same_shape && zero(1) => Some(input),
            "Mul" if one(0) => node.input(1).filter(|right| graph.shape(*right) == graph.shape(output)),
            "Concat" if node.inputs.len() == 1 => Some(input),
            _ => None,
        };
        if let Some(source) = source {
            // A no-op whose result is an output of the graph stays only if its source is an input; that is decided
            // when the file is written.
            if graph.dtype(source) == graph.dtype(output) {
                let used = graph.uses()[output.0];
                graph.replace(output, source);
                count += usize::from(used > 0);
            }
        }
    }
    count
}

fn identity(permutation: &[i64]) -> bool {
    permutation.iter().enumerate().all(|(to, from)| to as i64 == *from)
}

/// A reshape of a reshape is one reshape; a transpose of a transpose is one transpose; a transpose that only moves axes
/// of size one is a reshape.
pub(super) fn merge_moves(graph: &mut Graph) -> usize {
    let mut count = 0;
    let producers = graph.producers();
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let Some(input) = node.input(0) else { continue };
        let before = producers[input.0].map(|producer| &graph.nodes[producer]);
        match node.op {
            "Reshape" | "Unsqueeze" => {
                let Some(origin) = before.filter(|node| is_reshape(node.op)).and_then(|node| node.input(0)) else {
                    continue;
                };
                let shape = graph.shape(node.outputs[0]).to_vec();
                make_reshape(graph, index, origin, shape);
                count += 1;
            }
            "Transpose" => {
                let perm = node.ints("perm").unwrap_or_default().to_vec();
                if let Some(earlier) = before.filter(|node| node.op == "Transpose")
                    && let (Some(origin), Some(first)) = (earlier.input(0), earlier.ints("perm"))
                {
                    let merged: Vec<i64> = perm.iter().map(|axis| first[*axis as usize]).collect();
                    let node = &mut graph.nodes[index];
                    node.inputs[0] = Operand::Value(origin);
                    node.attributes.insert("perm", merged.into());
                    count += 1;
                } else if moves_ones_only(graph.shape(input), &perm) && !identity(&perm) {
                    let shape = graph.shape(node.outputs[0]).to_vec();
                    make_reshape(graph, index, input, shape);
                    count += 1;
                }
            }
            _ => {}
        }
    }
    count
}

fn is_reshape(op: &str) -> bool {
    matches!(op, "Reshape" | "Unsqueeze" | "Flatten")
}

fn make_reshape(graph: &mut Graph, index: usize, origin: ValueId, shape: Vec<Dim>) {
    let node = &mut graph.nodes[index];
    node.op = "Reshape";
    node.inputs = vec![Operand::Value(origin), Operand::Dims(shape)];
    node.attributes.clear();
}

/// Whether the axes of other sizes keep their order.
fn moves_ones_only(shape: &[Dim], permutation: &[i64]) -> bool {
    let large: Vec<i64> = permutation.iter().copied().filter(|axis| !shape[*axis as usize].is(1)).collect();
    large.is_sorted()
}

/// A reshape to two axes that joins neighbours is a Flatten, which needs no operand for its target.
pub(super) fn form_flatten(graph: &mut Graph) -> usize {
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        if node.op != "Reshape" {
            continue;
        }
        let Some(input) = node.input(0) else { continue };
        let from = graph.shape(input).to_vec();
        let [rows, columns] = graph.shape(node.outputs[0]) else { continue };
        if from.len() < 3 {
            continue;
        }
        let axis = (1..from.len())
            .find(|axis| Dim::product(&from[..*axis]) == *rows && Dim::product(&from[*axis..]) == *columns);
        if let Some(axis) = axis {
            let node = &mut graph.nodes[index];
            node.op = "Flatten";
            node.inputs.truncate(1);
            node.attributes.insert("axis", (axis as i64).into());
            count += 1;
        }
    }
    count
}
