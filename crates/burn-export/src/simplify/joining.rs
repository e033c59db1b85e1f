//! Weights that an operator wants in one piece.

use crate::graph::{Graph, Operand, Source, ValueId};

/// Joins the parameters that a Concat puts one behind the other, such as the gates of a recurrent layer.
pub(super) fn join_weights(graph: &mut Graph) -> usize {
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let in_front = matches!(node.attributes.get("axis"), Some(onnx_model::Attribute::Int(0)));
        if node.op != "Concat" || !in_front {
            continue;
        }
        let output = node.outputs[0];
        if let Some(source) = joined(graph, index) {
            graph.values[output.0].source = source;
            count += 1;
        }
    }
    let values = &graph.values;
    graph.nodes.retain(|node| node.outputs.iter().any(|output| values[output.0].source == Source::Node));
    count
}

fn joined(graph: &Graph, index: usize) -> Option<Source> {
    let node = &graph.nodes[index];
    let parts: Vec<ValueId> = node
        .inputs
        .iter()
        .map(|operand| match operand {
            Operand::Value(value) => Some(*value),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let names: Vec<String> = parts.iter().filter_map(|part| graph.parameter_name(*part)).collect();
    let name = common_name(&names)?;
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&graph.bytes(part)?);
    }
    Some(Source::Derived { name, bytes: bytes.into() })
}

/// What the names begin and end with: `lstm.input_transform.weight` for the weights of all gates.
fn common_name(names: &[String]) -> Option<String> {
    let paths: Vec<Vec<&str>> = names.iter().map(|name| name.split('.').collect()).collect();
    let first = paths.first()?;
    let shortest = paths.iter().map(Vec::len).min()?;
    let all = |fits: &dyn Fn(&Vec<&str>) -> bool| paths.iter().all(fits);
    let front = (0..shortest).take_while(|at| all(&|path| path[*at] == first[*at])).count();
    let back = (1..=shortest - front)
        .take_while(|from_end| all(&|path| path[path.len() - from_end] == first[first.len() - from_end]))
        .count();
    Some([&first[..front], &first[first.len() - back..]].concat().join("."))
}

#[cfg(test)]
mod tests {
    use super::common_name;

    #[test]
    fn names_keep_what_they_share() {
        let name = |names: &[&str]| common_name(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        let weights = ["lstm.input_gate.input_transform.weight", "lstm.cell_gate.input_transform.weight"];
        assert_eq!(name(&weights).as_deref(), Some("lstm.input_transform.weight"));
        let biases = ["lstm.input_gate.input_transform.bias", "lstm.input_gate.hidden_transform.bias"];
        assert_eq!(name(&biases).as_deref(), Some("lstm.input_gate.bias"));
        assert_eq!(name(&["a.weight", "a.weight"]).as_deref(), Some("a.weight"));
        assert_eq!(name(&[]), None);
    }
}
