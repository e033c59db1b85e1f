//! A model of opset 11 or 12 at opset 13, which brought scales per channel to DequantizeLinear.

use onnx_model::{Attribute, Model, Node, Tensor, Types, ir_version_for_opset};

use crate::error::QuantizeError;
use crate::graph::{id, label};

/// The opset with scales per channel.
pub const PER_CHANNEL_OPSET: i64 = 13;

/// Raises a model to opset 13. One of that opset or a later one stays as it is.
///
/// # Errors
/// When an operator means something else there that cannot be written anew.
pub fn raise(model: &mut Model) -> Result<(), QuantizeError> {
    let from = model.opset().unwrap_or(0);
    if from >= PER_CHANNEL_OPSET {
        return Ok(());
    }
    let types = model.check()?;
    let mut made = Vec::new();
    for node in model.graph.nodes.iter_mut().filter(|node| node.is_own()) {
        if let Err(reason) = one(node, &types, &mut made) {
            return Err(QuantizeError::Raise {
                op_type: node.op_type.clone(),
                name: label(node).to_owned(),
                from,
                reason,
            });
        }
    }
    model.graph.initializers.extend(made);
    model.opset_imports.remove("ai.onnx");
    model.opset_imports.insert(String::new(), PER_CHANNEL_OPSET);
    model.ir_version = model.ir_version.max(ir_version_for_opset(PER_CHANNEL_OPSET));
    Ok(())
}

fn one(node: &mut Node, types: &Types, made: &mut Vec<Tensor>) -> Result<(), &'static str> {
    if node.subgraphs().next().is_some() {
        return Err("it has graphs inside");
    }
    let moved = match node.op_type.as_str() {
        "Softmax" | "LogSoftmax" | "Hardmax" => {
            // From there on it is over one axis; before it was over all axes from this one on.
            let rank = node
                .inputs
                .first()
                .and_then(|input| types.get(input)?.rank())
                .ok_or("the rank of its input is not known")?;
            let axis = node.int("axis").unwrap_or(1);
            if axis != -1 && usize::try_from(axis).ok() != rank.checked_sub(1) {
                return Err("it is over several axes");
            }
            node.attributes.insert("axis".to_owned(), Attribute::Int(-1));
            return Ok(());
        }
        "Dropout" => return Err("its ratio is an input from there on"),
        "Squeeze" | "Unsqueeze" | "ReduceSum" => "axes",
        "Split" => "split",
        _ => return Ok(()),
    };
    if let Some(Attribute::Ints(values)) = node.attributes.remove(moved) {
        let name = format!("{}_{moved}", id(node));
        made.push(Tensor::vector(name.clone(), &values));
        node.inputs.push(name);
    }
    Ok(())
}
