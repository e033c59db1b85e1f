//! What is done to a model before it is quantised. It computes the same as before.

use std::collections::HashMap;

use onnx_model::{Attribute, Graph, Model, Node, Tensor};

use crate::error::QuantizeError;
use crate::graph::{Uses, constants, drop_unused, float_input, label, rename_uses};

/// The operators that a quantised model has and a float one has not.
const QUANTISED: [&str; 9] = [
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "QGemm",
    "MatMulNBits",
];

/// The oldest opset: it brought DynamicQuantizeLinear.
const FIRST_OPSET: i64 = 11;

/// Refuses what cannot be quantised.
///
/// # Errors
/// When the model is quantised already, or its opset is too old.
pub fn require_float(model: &Model) -> Result<(), QuantizeError> {
    let found = model.opset().unwrap_or(0);
    if found < FIRST_OPSET {
        return Err(QuantizeError::Opset { found });
    }
    match model.graph.nodes.iter().find(|node| QUANTISED.contains(&node.op_type.as_str())) {
        Some(node) => Err(QuantizeError::Already { op_type: node.op_type.clone(), name: label(node).to_owned() }),
        None => Ok(()),
    }
}

/// Makes constants of nodes that always give the same, takes out nodes that do nothing, and makes batch normalisations part of the
/// convolutions before them.
///
/// # Errors
/// When the values of a tensor were not read.
pub fn simplify(model: &mut Model) -> Result<(), QuantizeError> {
    model.graph.sort();
    lift_constants(&mut model.graph);
    drop_copies(&mut model.graph);
    transpose_weights(&mut model.graph)?;
    fold_batch_norms(&mut model.graph)?;
    drop_unused(&mut model.graph);
    Ok(())
}

/// `Constant` nodes become initialisers.
fn lift_constants(graph: &mut Graph) {
    let mut kept = Vec::new();
    for mut node in std::mem::take(&mut graph.nodes) {
        let is_constant = node.is_own() && node.op_type == "Constant" && node.outputs.len() == 1;
        match (is_constant, node.attributes.remove("value")) {
            (true, Some(Attribute::Tensor(tensor))) => {
                graph.initializers.push(tensor.named(node.outputs.remove(0)));
            }
            (_, value) => {
                node.attributes.extend(value.map(|value| ("value".to_owned(), value)));
                kept.push(node);
            }
        }
    }
    graph.nodes = kept;
}

/// Takes out nodes that hand their input on.
fn drop_copies(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let copies: Vec<(String, String)> = graph
        .nodes
        .iter()
        .filter(|node| node.is_own() && is_copy(node, &uses))
        .filter_map(|node| Some((node.outputs.first()?.clone(), node.inputs.first()?.clone())))
        .collect();
    for (output, input) in &copies {
        if uses.get(output).contains(&crate::graph::Use::Output) {
            continue;
        }
        graph.nodes.retain(|node| node.outputs.first() != Some(output));
        // An earlier copy may have taken its input away.
        let mut source = input;
        while let Some((_, before)) = copies.iter().find(|(made, _)| made == source) {
            if graph.nodes.iter().any(|node| node.outputs.first() == Some(source)) {
                break;
            }
            source = before;
        }
        rename_uses(graph, output, source);
    }
}

fn is_copy(node: &Node, uses: &Uses) -> bool {
    match node.op_type.as_str() {
        "Identity" => true,
        // In inference; from opset 12 on the third input can say otherwise.
        "Dropout" => {
            node.inputs.get(2).is_none_or(String::is_empty)
                && node.outputs.get(1).is_none_or(|mask| uses.get(mask).is_empty())
        }
        _ => false,
    }
}

/// The transpose of a constant matrix becomes a constant.
fn transpose_weights(graph: &mut Graph) -> Result<(), QuantizeError> {
    let constants = constants(graph);
    let mut made = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let whole = node.op_type == "Transpose" && node.is_own() && node.ints("perm").is_none_or(|perm| perm == [1, 0]);
        let Some(tensor) = float_input(&constants, node, 0).filter(|tensor| whole && tensor.dims.len() == 2) else {
            continue;
        };
        let (values, rows, columns) = (tensor.to_vec::<f32>()?, tensor.dims[0] as usize, tensor.dims[1] as usize);
        let turned: Vec<f32> = (0..columns)
            .flat_map(|column| (0..rows).map(move |row| (row, column)))
            .filter_map(|(row, column)| values.get(row * columns + column).copied())
            .collect();
        made.push((index, Tensor::from_slice(crate::graph::id(node), [columns as u64, rows as u64], &turned)?));
    }
    for (index, tensor) in made.into_iter().rev() {
        graph.nodes.remove(index);
        graph.initializers.push(tensor);
    }
    Ok(())
}

/// A batch normalisation that alone uses a convolution becomes part of its weight and bias.
fn fold_batch_norms(graph: &mut Graph) -> Result<(), QuantizeError> {
    let uses = Uses::of(graph);
    let mut folded: Vec<(usize, usize)> = Vec::new();
    let mut tensors: HashMap<usize, (Tensor, Tensor)> = HashMap::new();
    {
        let constants = constants(graph);
        for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.op_type == "Conv" && node.is_own())
        {
            let Some(next) = uses.only(crate::graph::id(node)) else { continue };
            let Some(norm) = graph.nodes.get(next).filter(|norm| norm.op_type == "BatchNormalization" && norm.is_own())
            else {
                continue;
            };
            let alone = norm.outputs.iter().skip(1).all(|output| uses.get(output).is_empty());
            if !alone
                || norm.int("training_mode").unwrap_or(0) != 0
                || norm.inputs.first().map(String::as_str) != Some(crate::graph::id(node))
            {
                continue;
            }
            let parts: Option<Vec<Vec<f32>>> =
                (1..=4).map(|position| float_input(&constants, norm, position)?.to_vec().ok()).collect();
            let Some(weight) = float_input(&constants, node, 1) else { continue };
            let Some([scale, shift, mean, variance]) = parts.and_then(|parts| <[Vec<f32>; 4]>::try_from(parts).ok())
            else {
                continue;
            };
            let bias: Vec<f32> = match node.inputs.get(2).filter(|name| !name.is_empty()) {
                None => vec![0.0; scale.len()],
                Some(_) => match float_input(&constants, node, 2) {
                    Some(bias) => bias.to_vec()?,
                    None => continue,
                },
            };
            let epsilon = f64::from(norm.float("epsilon").unwrap_or(1e-5));
            let factors: Vec<f64> = scale
                .iter()
                .zip(&variance)
                .map(|(scale, variance)| f64::from(*scale) / (f64::from(*variance) + epsilon).sqrt())
                .collect();
            let values: Vec<f32> = weight.to_vec()?;
            let inner = (values.len() / factors.len().max(1)).max(1);
            let scaled: Vec<f32> = values
                .chunks(inner)
                .zip(&factors)
                .flat_map(|(channel, factor)| channel.iter().map(move |value| (f64::from(*value) * factor) as f32))
                .collect();
            let moved: Vec<f32> = bias
                .iter()
                .zip(&mean)
                .zip(factors.iter().zip(&shift))
                .map(|((bias, mean), (factor, shift))| {
                    ((f64::from(*bias) - f64::from(*mean)) * factor + f64::from(*shift)) as f32
                })
                .collect();
            let name = crate::graph::id(norm);
            let weight = Tensor::from_slice(format!("{name}_folded_weight"), weight.dims.clone(), &scaled)?;
            tensors.insert(index, (weight, Tensor::vector(format!("{name}_folded_bias"), &moved)));
            folded.push((index, next));
        }
    }
    for (conv, norm) in &folded {
        let Some((weight, bias)) = tensors.remove(conv) else { continue };
        let output = graph.nodes.get(*norm).map(|norm| crate::graph::id(norm).to_owned()).unwrap_or_default();
        if let Some(node) = graph.nodes.get_mut(*conv) {
            node.inputs.truncate(1);
            node.inputs.extend([weight.name.clone(), bias.name.clone()]);
            node.outputs = vec![output];
        }
        graph.initializers.extend([weight, bias]);
    }
    let mut gone: Vec<usize> = folded.iter().map(|(_, norm)| *norm).collect();
    gone.sort_unstable();
    for index in gone.into_iter().rev() {
        graph.nodes.remove(index);
    }
    Ok(())
}

/// The sum before a layer normalisation is written as `Sum`. As `Add` ONNX Runtime takes both for one node, SkipLayerNormalization, once
/// the bias between them has become part of a quantised product, and that takes several times as long as the two.
pub fn keep_sums_apart(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let constants = constants(graph);
    let is_normalised = |value: &str| {
        uses.get(value).iter().any(|place| match place {
            crate::graph::Use::Input(node, 0) => graph
                .nodes
                .get(*node)
                .is_some_and(|node| matches!(node.op_type.as_str(), "LayerNormalization" | "ReduceMean")),
            _ => false,
        })
    };
    let sums: Vec<usize> = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.op_type == "Add" && node.is_own() && is_normalised(crate::graph::id(node)))
        .filter(|(_, node)| node.inputs.iter().all(|input| !constants.contains_key(input.as_str())))
        .map(|(index, _)| index)
        .collect();
    for index in sums {
        if let Some(node) = graph.nodes.get_mut(index) {
            node.op_type = "Sum".to_owned();
        }
    }
}
