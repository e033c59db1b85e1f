//! Nodes against the signature of their operator.

use crate::Node;
use crate::problem::Problem;
use crate::schema::{self, Arity, AttributeKind, Formal, Schema};

/// Checks the numbers of inputs and outputs and the attributes of a node of ONNX's own operators.
pub fn check(node: &Node, opset: i64) -> Result<(), Problem> {
    let schema = match schema::find_any(&node.op_type, opset) {
        Some(schema) if schema.deprecated => {
            return Err(Problem::Withdrawn { op_type: node.op_type.clone(), since: schema.since });
        }
        Some(schema) => schema,
        None => {
            let first = schema::first_opset(&node.op_type);
            return Err(Problem::Operator { op_type: node.op_type.clone(), opset, first });
        }
    };
    count("inputs", node.inputs.len(), schema.min_inputs(), schema.max_inputs())?;
    count("outputs", node.outputs.len(), schema.min_outputs(), schema.max_outputs())?;
    left_out("input", &node.inputs, |position| schema.input(position))?;
    left_out("output", &node.outputs, |position| schema.output(position))?;
    attributes(node, schema, opset)
}

fn count(kind: &'static str, found: usize, min: usize, max: Option<usize>) -> Result<(), Problem> {
    match found < min || max.is_some_and(|max| found > max) {
        true => Err(Problem::Count { kind, found, min, max }),
        false => Ok(()),
    }
}

fn left_out(
    kind: &'static str,
    names: &[String],
    formal: impl Fn(usize) -> Option<&'static Formal>,
) -> Result<(), Problem> {
    for (position, _) in names.iter().enumerate().filter(|(_, name)| name.is_empty()) {
        if let Some(formal) = formal(position).filter(|formal| formal.arity == Arity::Single) {
            return Err(Problem::LeftOut { kind, name: formal.name });
        }
    }
    Ok(())
}

fn attributes(node: &Node, schema: &'static Schema, opset: i64) -> Result<(), Problem> {
    for (name, value) in &node.attributes {
        // Names with two underscores are notes between tools.
        if name.starts_with("__") {
            continue;
        }
        let Some(attribute) = schema.attribute(name) else {
            return Err(Problem::UnknownAttribute { name: name.clone(), opset });
        };
        let found = AttributeKind::of(value);
        if found != attribute.kind {
            return Err(Problem::AttributeType { name: name.clone(), found, expected: attribute.kind });
        }
    }
    match schema.attributes.iter().find(|wanted| wanted.required && !node.attributes.contains_key(wanted.name)) {
        Some(missing) => Err(Problem::MissingAttribute(missing.name)),
        None => Ok(()),
    }
}
