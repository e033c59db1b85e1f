//! Pixels that leave the channels: two reshapes around a transposition are one operator.

use std::collections::BTreeMap;

use onnx_model::DataType;

use super::pattern::Pattern;
use crate::graph::{Graph, Operand, ValueId};

/// `DepthToSpace` for PyTorch's pixel shuffle, and for the order of TensorFlow.
pub(super) fn form_blocks(graph: &mut Graph) -> usize {
    let producers = graph.producers();
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        let Some((image, size, mode)) = block(graph, &producers, index) else { continue };
        let node = &mut graph.nodes[index];
        node.op = "DepthToSpace";
        node.inputs = vec![Operand::Value(image)];
        node.attributes = BTreeMap::from([("blocksize", size.into()), ("mode", mode.into())]);
        count += 1;
    }
    count
}

fn block(graph: &Graph, producers: &[Option<usize>], index: usize) -> Option<(ValueId, i64, &'static str)> {
    let pattern = Pattern::new(graph, producers);
    let output = graph.nodes[index].outputs[0];
    let moved = pattern.one(output, "Reshape")?;
    let transpose = pattern.node(moved, "Transpose")?;
    let cut = transpose.input(0)?;
    let image = pattern.one(cut, "Reshape")?;
    let (cut, from, to) = (graph.shape(cut), graph.shape(image), graph.shape(output));
    // Other types have no kernel.
    if cut.len() != 6 || from.len() != 4 || to.len() != 4 || graph.dtype(image) != DataType::F32 {
        return None;
    }
    let (mode, rows, columns, depth) = match transpose.ints("perm")? {
        [0, 1, 4, 2, 5, 3] => ("CRD", &cut[2], &cut[3], &cut[1]),
        [0, 3, 4, 1, 5, 2] => ("DCR", &cut[1], &cut[2], &cut[3]),
        _ => return None,
    };
    let size = rows.as_fixed().filter(|_| rows == columns)?;
    let [height, width] = [&from[2], &from[3]];
    let same = cut[0] == from[0] && cut[4] == *height && cut[5] == *width && depth.as_fixed().is_some();
    let larger = to[0] == from[0] && to[1] == *depth && to[2] == height * rows && to[3] == width * columns;
    (same && larger).then_some((image, size, mode))
}
