//! If, Loop and Scan: what their subgraphs make.

use super::extent::Size;
use super::op::{Op, Value};
use super::walk::{Inference, merge};
use crate::problem::{CheckError, Place, Problem};
use crate::{Attribute, DataType, Graph, Node};

impl<'a> Inference<'a> {
    /// The outputs of a node with subgraphs.
    pub(super) fn control(
        &mut self,
        op: &Op,
        node: &'a Node,
        place: &dyn Fn() -> Place,
    ) -> Result<Vec<Value>, CheckError> {
        let graph = |name| match node.attributes.get(name) {
            Some(Attribute::Graph(graph)) => Some(&**graph),
            _ => None,
        };
        let outputs = node.outputs.len();
        let values = match node.op_type.as_str() {
            "If" => {
                let (Some(then), Some(other)) = (graph("then_branch"), graph("else_branch")) else {
                    return Ok(Vec::new());
                };
                let mut branches = [then, other].into_iter().map(|branch| {
                    expect(branch, "inputs", branch.inputs.len(), 0, place)?;
                    expect(branch, "outputs", branch.outputs.len(), outputs, place)?;
                    self.subgraph(branch, Vec::new())
                });
                let (Some(then), Some(other)) = (branches.next(), branches.next()) else { return Ok(Vec::new()) };
                let (then, other) = (then?, other?);
                let both = node.outputs.iter().zip(then.into_iter().zip(other));
                let both = both.map(|(name, (then, other))| either(name, then, &other));
                both.collect::<Result<_, _>>().map_err(|problem| place().error(problem))?
            }
            "Loop" => {
                let Some(body) = graph("body") else { return Ok(Vec::new()) };
                let carried = node.inputs.len().saturating_sub(2);
                expect(body, "inputs", body.inputs.len(), carried + 2, place)?;
                expect(body, "outputs", body.outputs.len(), outputs + 1, place)?;
                let scalar = |dtype| Value { dtype: Some(dtype), dims: Some(Vec::new()), ..Value::default() };
                // Shapes may change from turn to turn, so only the element type of a carried value goes in.
                let states = op.inputs.iter().skip(2).map(typed);
                let arguments = [scalar(DataType::I64), scalar(DataType::Bool)].into_iter().chain(states);
                let made = self.subgraph(body, arguments.collect())?;
                let made = made.into_iter().skip(1).enumerate().map(|(position, value)| match position < carried {
                    true => Value { dtype: value.dtype, ..Value::default() },
                    false => stacked(value),
                });
                made.collect()
            }
            "Scan" => {
                let Some(body) = graph("body") else { return Ok(Vec::new()) };
                // At opset 8 the lengths of the sequences come first.
                let lengths = usize::from(op.schema.since < 9);
                expect(body, "inputs", body.inputs.len(), node.inputs.len().saturating_sub(lengths), place)?;
                expect(body, "outputs", body.outputs.len(), outputs, place)?;
                let arguments = op.inputs.iter().skip(lengths).map(typed).collect();
                let made = self.subgraph(body, arguments)?;
                // The axis along which outputs are stacked is a choice of the node's.
                made.into_iter().map(|value| Value { dtype: value.dtype, ..Value::default() }).collect()
            }
            _ => Vec::new(),
        };
        Ok(values)
    }
}

/// What is known of a value that one of two branches makes.
fn either(name: &str, then: Value, other: &Value) -> Result<Value, Problem> {
    if let (Some(found), Some(expected)) = (other.dtype, then.dtype)
        && found != expected
    {
        let declared = then.tensor_type();
        merge(name, Value { dtype: other.dtype, ..Value::default() }, declared.as_ref())?;
    }
    let dims = match (then.dims, &other.dims) {
        (Some(left), Some(right)) if left.len() == right.len() => {
            let same = |(left, right): (Size, &Size)| if left == *right { left } else { None };
            Some(left.into_iter().zip(right).map(same).collect())
        }
        _ => None,
    };
    Ok(Value { dtype: then.dtype.or(other.dtype), dims, ..Value::default() })
}

/// A value of which the element type alone is kept.
fn typed(value: &Option<Value>) -> Value {
    Value { dtype: value.as_ref().and_then(|value| value.dtype), ..Value::default() }
}

/// A value of each turn, stacked along a new first axis.
fn stacked(value: Value) -> Value {
    let dims = value.dims.map(|dims| std::iter::once(None).chain(dims).collect());
    Value { dtype: value.dtype, dims, ..Value::default() }
}

fn expect(
    graph: &Graph,
    kind: &'static str,
    found: usize,
    expected: usize,
    place: &dyn Fn() -> Place,
) -> Result<(), CheckError> {
    match found == expected {
        true => Ok(()),
        false => Err(place().error(Problem::Subgraph { graph: graph.name.clone(), kind, found, expected })),
    }
}
