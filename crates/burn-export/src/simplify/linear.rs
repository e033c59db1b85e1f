//! Linear layers: `MatMul + Add` over any number of axes, and Gemm over two.

use onnx_model::Attribute;

use crate::graph::{Graph, Node, Operand, Source, ValueId};

/// Burn folds the leading axes of a linear layer into one and unfolds them afterwards. MatMul needs neither:
/// `Reshape(Add(MatMul(Reshape(x), w), b))` is `Add(MatMul(x, w), b)`.
pub(super) fn restore_batched(graph: &mut Graph) -> usize {
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        if graph.nodes[index].op == "Reshape" && restore_one(graph, index).is_some() {
            count += 1;
        }
    }
    count
}

fn restore_one(graph: &mut Graph, index: usize) -> Option<()> {
    let producers = graph.producers();
    let uses = graph.uses();
    let producer = |value: ValueId| producers[value.0].map(|at| (at, &graph.nodes[at]));
    let once = |value: ValueId| uses[value.0] == 1;
    let outer = &graph.nodes[index];
    let inner = outer.input(0)?;
    let (top, top_node) = producer(inner)?;
    if !once(inner) {
        return None;
    }
    let (product, bias) = match top_node.op {
        "MatMul" => (top, None),
        "Add" => {
            let (left, right) = (top_node.input(0)?, top_node.input(1)?);
            let matmul = |value: ValueId| producer(value).filter(|(_, node)| node.op == "MatMul" && once(value));
            match (matmul(left), matmul(right)) {
                (Some((at, _)), _) => (at, Some((top, right))),
                (None, Some((at, _))) => (at, Some((top, left))),
                _ => return None,
            }
        }
        _ => return None,
    };
    let matmul = &graph.nodes[product];
    let (folded, weight) = (matmul.input(0)?, matmul.input(1)?);
    let (_, fold) = producer(folded).filter(|(_, node)| matches!(node.op, "Reshape" | "Unsqueeze" | "Flatten"))?;
    let x = fold.input(0)?;
    let [rows, columns] = graph.shape(weight) else { return None };
    let (x_shape, out_shape) = (graph.shape(x), graph.shape(outer.outputs[0]).to_vec());
    let (x_last, x_lead) = x_shape.split_last()?;
    let (out_last, out_lead) = out_shape.split_last()?;
    let folded_shape = graph.shape(folded);
    // The folding may touch the leading axes only.
    if x_last != rows || out_last != columns || x_lead != out_lead || folded_shape.last() != Some(rows) || x_lead.is_empty() {
        return None;
    }
    if let Some((_, bias)) = bias {
        let bias = graph.shape(bias);
        let (last, ones) = bias.split_last()?;
        if last != columns && !last.is(1) || !ones.iter().all(|dim| dim.is(1)) || bias.len() > out_shape.len() {
            return None;
        }
    }
    let result = graph.nodes[index].outputs[0];
    let product_out = graph.nodes[product].outputs[0];
    graph.nodes[product].inputs[0] = Operand::Value(x);
    graph.values[product_out.0].shape.clone_from(&out_shape);
    if let Some((add, _)) = bias {
        let sum = graph.nodes[add].outputs[0];
        graph.values[sum.0].shape.clone_from(&out_shape);
    }
    graph.replace(result, inner);
    // The outer reshape has lost its users and goes with the dead nodes; it must not match again.
    let node = &mut graph.nodes[index];
    node.op = "Identity";
    node.inputs.truncate(1);
    Some(())
}

/// `Add(MatMul(x, w), b)` over two axes, `w` fixed, becomes Gemm with the weights of a linear layer as PyTorch keeps
/// them: `[out, in]`, transposed by the operator.
pub(super) fn form_gemm(graph: &mut Graph) -> usize {
    let mut count = 0;
    let producers = graph.producers();
    let uses = graph.uses();
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        if node.op != "Add" {
            continue;
        }
        let operands = [(0, 1), (1, 0)].into_iter().find_map(|(product, bias)| {
            let (product, bias) = (node.input(product)?, node.input(bias)?);
            let matmul = producers[product.0].map(|at| &graph.nodes[at]).filter(|node| node.op == "MatMul")?;
            let (x, weight) = (matmul.input(0)?, matmul.input(1)?);
            let [_, columns] = graph.shape(weight) else { return None };
            let fits = match graph.shape(bias) {
                [size] => size == columns,
                [one, size] => one.is(1) && size == columns,
                _ => false,
            };
            let rank_two = graph.shape(x).len() == 2;
            let float = crate::elements::is_float(graph.dtype(x));
            let fixed =
                matches!(graph.value(weight).source, Source::Parameter { .. }) && !graph.reshaped(weight);
            (uses[product.0] == 1 && fits && rank_two && fixed && float).then_some((x, weight, bias, matmul.path.clone()))
        });
        let Some((x, weight, bias, path)) = operands else { continue };
        let weight_uses = uses[weight.0];
        let mut attributes = std::collections::BTreeMap::new();
        let second = if weight_uses == 1 {
            attributes.insert("transB", Attribute::Int(1));
            transposed(graph, weight)
        } else {
            weight
        };
        let outputs = graph.nodes[index].outputs.clone();
        let inputs = [x, second, bias].map(Operand::Value).to_vec();
        graph.nodes[index] = Node { op: "Gemm", inputs, outputs, attributes, path };
        count += 1;
    }
    count
}

/// The same parameter with its two axes swapped.
fn transposed(graph: &mut Graph, weight: ValueId) -> ValueId {
    let value = graph.value(weight).clone();
    let source = match value.source {
        Source::Parameter { index, permutation } => {
            let permutation = permutation.unwrap_or_else(|| vec![0, 1]);
            let swapped: Vec<usize> = permutation.iter().rev().copied().collect();
            Source::Parameter { index, permutation: (swapped != [0, 1]).then_some(swapped) }
        }
        other => other,
    };
    let shape = value.shape.iter().rev().cloned().collect();
    graph.add(value.dtype, shape, source)
}
