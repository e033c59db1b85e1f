//! Linear layers: `MatMul + Add` over any number of axes, and Gemm over two.

use onnx_model::Attribute;

use crate::graph::{Graph, Node, Operand, Source, ValueId};

/// Burn folds the leading axes of a linear layer into one and unfolds them afterwards. MatMul needs neither, so the
/// folding moves behind it and behind the bias, where it meets the unfolding.
pub(super) fn restore_batched(graph: &mut Graph) -> usize {
    let producers = graph.producers();
    let mut behind: Vec<(usize, Node)> = Vec::new();
    let mut moved = vec![false; graph.nodes.len()];
    for index in 0..graph.nodes.len() {
        let Some((position, x)) = folded_operand(graph, index, &producers, &moved) else { continue };
        let node = &graph.nodes[index];
        let (result, path) = (node.outputs[0], node.path.clone());
        let folded = graph.shape(result).to_vec();
        let Some((_, lead)) = graph.shape(x).split_last() else { continue };
        let mut shape = lead.to_vec();
        shape.extend(folded.last().cloned());
        let unfolded = graph.add(graph.dtype(result), shape, Source::Node);
        let node = &mut graph.nodes[index];
        node.inputs[position] = Operand::Value(x);
        node.outputs[0] = unfolded;
        let inputs = vec![Operand::Value(unfolded), Operand::Dims(folded)];
        let attributes = std::collections::BTreeMap::new();
        behind.push((index, Node { op: "Reshape", inputs, outputs: vec![result], attributes, path }));
        moved[index] = true;
    }
    let count = behind.len();
    for (index, node) in behind.into_iter().rev() {
        graph.nodes.insert(index + 1, node);
    }
    count
}

/// The operand `[rows, n]` of a MatMul or of the addition of a bias that is folded from `[.., n]`: its position, and
/// the value before it is folded.
fn folded_operand(
    graph: &Graph,
    index: usize,
    producers: &[Option<usize>],
    moved: &[bool],
) -> Option<(usize, ValueId)> {
    let node = &graph.nodes[index];
    let unfolded = |position: usize| {
        let value = node.input(position)?;
        let producer = producers[value.0].filter(|producer| !moved[*producer])?;
        let fold = Some(&graph.nodes[producer]).filter(|node| matches!(node.op, "Reshape" | "Flatten"))?;
        let x = fold.input(0)?;
        let ([_, columns], [_, _, .., last]) = (graph.shape(value), graph.shape(x)) else { return None };
        (last == columns).then_some((position, x))
    };
    match node.op {
        "MatMul" if graph.shape(node.input(1)?).len() == 2 => unfolded(0),
        "Add" => [(0, 1), (1, 0)].into_iter().find_map(|(position, bias)| {
            // A bias along the last axis only.
            let shape = graph.shape(node.input(bias)?);
            let along_last = shape.len() <= 2 && shape.iter().rev().skip(1).all(|dim| dim.is(1));
            let keeps_columns = graph.shape(node.outputs[0]).last() == graph.shape(node.input(position)?).last();
            (along_last && keeps_columns).then(|| unfolded(position)).flatten()
        }),
        _ => None,
    }
}

/// `Reshape(Add(MatMul(Reshape(x), w), b))` where the folding joins more than the leading axes: the unfolding of the
/// result moves in front of the product, where it meets the folding.
pub(super) fn unfold_early(graph: &mut Graph) -> usize {
    let mut count = 0;
    let mut index = 0;
    while index < graph.nodes.len() {
        if graph.nodes[index].op == "Reshape" && unfold_one(graph, index).is_some() {
            count += 1;
        }
        index += 1;
    }
    count
}

fn unfold_one(graph: &mut Graph, index: usize) -> Option<()> {
    let producers = graph.producers();
    let uses = graph.uses();
    let once = |value: ValueId| (uses[value.0] == 1).then_some(());
    let outer = &graph.nodes[index];
    let (top, result) = (outer.input(0)?, outer.outputs[0]);
    let (columns, lead) = graph.shape(result).split_last()?;
    once(top)?;
    if lead.len() < 2 || graph.shape(top).len() != 2 || graph.shape(top).last() != Some(columns) {
        return None;
    }
    let mut product_at = producers[top.0]?;
    let mut sum = None;
    if graph.nodes[product_at].op == "Add" {
        let add = &graph.nodes[product_at];
        let (product, bias) = [(0, 1), (1, 0)].into_iter().find_map(|(product, bias)| {
            let (product, bias) = (add.input(product)?, add.input(bias)?);
            let is_product = producers[product.0].is_some_and(|at| graph.nodes[at].op == "MatMul");
            is_product.then_some((product, bias))
        })?;
        once(product)?;
        if graph.shape(bias).iter().rev().skip(1).any(|dim| !dim.is(1)) || graph.shape(bias).len() > 2 {
            return None;
        }
        sum = Some(top);
        product_at = producers[product.0]?;
    }
    let matmul = &graph.nodes[product_at];
    let (folded, weight) = (matmul.input(0)?, matmul.input(1)?);
    let fold = producers[folded.0].map(|at| &graph.nodes[at])?;
    if matmul.op != "MatMul" || graph.shape(weight).len() != 2 || !matches!(fold.op, "Reshape" | "Flatten") {
        return None;
    }
    let (origin, product) = (fold.input(0)?, matmul.outputs[0]);
    let mut shape = lead.to_vec();
    shape.extend(graph.shape(folded).last().cloned());
    let result_shape = graph.shape(result).to_vec();
    let unfolded = graph.add(graph.dtype(folded), shape.clone(), Source::Node);
    for value in std::iter::once(product).chain(sum) {
        graph.values[value.0].shape.clone_from(&result_shape);
    }
    let path = graph.nodes[product_at].path.clone();
    graph.nodes[product_at].inputs[0] = Operand::Value(unfolded);
    graph.replace(result, top);
    let inputs = vec![Operand::Value(origin), Operand::Dims(shape)];
    let attributes = std::collections::BTreeMap::new();
    // The outer reshape has no users left; it becomes the inner one, which has to come first.
    graph.nodes.remove(index);
    graph.nodes.insert(product_at, Node { op: "Reshape", inputs, outputs: vec![unfolded], attributes, path });
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
            let fixed = matches!(graph.value(weight).source, Source::Parameter { .. }) && !graph.reshaped(weight);
            (uses[product.0] == 1 && fits && rank_two && fixed && float).then_some((
                x,
                weight,
                bias,
                matmul.path.clone(),
            ))
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
