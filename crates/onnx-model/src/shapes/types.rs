//! Element types, as the signatures of operators give them.

use super::op::Op;
use crate::problem::Problem;
use crate::schema::{Arity, Formal, Schema};
use crate::{DataType, Node};

/// Checks the element types of the inputs, and returns those of the outputs as far as the signature gives them.
pub fn bind(
    node: &Node,
    schema: &'static Schema,
    inputs: &[Option<DataType>],
) -> Result<Vec<Option<DataType>>, Problem> {
    let mut bound = Vec::<(&'static str, DataType)>::new();
    for (position, (name, dtype)) in node.inputs.iter().zip(inputs).enumerate() {
        let (Some(formal), Some(dtype)) = (schema.input(position), *dtype) else { continue };
        if !formal.types.contains(dtype) {
            let (value, allowed) = (name.clone(), formal.types);
            return Err(Problem::ElementType { value, formal: formal.name, found: dtype, allowed });
        }
        let Some(parameter) = formal.parameter.filter(|_| is_homogeneous(formal)) else { continue };
        match bound.iter().find(|(other, _)| *other == parameter) {
            Some((_, expected)) if *expected != dtype => {
                let (value, expected) = (name.clone(), *expected);
                return Err(Problem::TypesDiffer { value, parameter, found: dtype, expected });
            }
            Some(_) => {}
            None => bound.push((parameter, dtype)),
        }
    }
    let output = |position| {
        let formal = schema.output(position).filter(|formal| is_homogeneous(formal))?;
        let from_inputs = bound.iter().find(|(other, _)| Some(*other) == formal.parameter).map(|(_, dtype)| *dtype);
        let mut types = formal.types.iter();
        let only = types.next().filter(|_| types.next().is_none());
        from_inputs.or(only)
    };
    Ok((0..node.outputs.len()).map(output).collect())
}

fn is_homogeneous(formal: &Formal) -> bool {
    !matches!(formal.arity, Arity::Variadic { homogeneous: false, .. })
}

/// The element type of the first output, when the signature allows it.
pub fn allowed(op: &Op, dtype: Option<DataType>) -> Result<Option<DataType>, Problem> {
    match (dtype, op.schema.output(0)) {
        (Some(found), Some(formal)) if !formal.types.contains(found) => {
            let value = op.node.outputs.first().cloned().unwrap_or_default();
            Err(Problem::ElementType { value, formal: formal.name, found, allowed: formal.types })
        }
        _ => Ok(dtype),
    }
}
