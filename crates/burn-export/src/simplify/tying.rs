//! A weight that is used in two layouts is stored once.

use std::collections::BTreeMap;

use crate::graph::{Graph, Node, Operand, Source, ValueId};
use crate::symbolic::Dim;

/// Smaller weights are cheaper twice than an operator is.
const LEAST: usize = 1 << 10;

/// Lets a transposition of a weight that is stored as it is, such as the embedding that is the output layer too, be computed
/// from it; runtimes do so once, when they load the file.
pub(super) fn store_once(graph: &mut Graph) -> usize {
    let mut stored: BTreeMap<usize, ValueId> = BTreeMap::new();
    let used = graph.uses();
    for (position, value) in graph.values.iter().enumerate() {
        if let Source::Parameter { index, permutation: None } = value.source
            && used[position] > 0
            && !graph.reshaped(ValueId(position))
        {
            stored.entry(index).or_insert(ValueId(position));
        }
    }
    let mut written = Vec::new();
    for (position, uses) in used.iter().enumerate() {
        let Source::Parameter { index, permutation: Some(perm) } = &graph.values[position].source else { continue };
        let Some(origin) = stored.get(index).filter(|_| *uses > 0) else { continue };
        let own = graph.shape(*origin);
        let turned: Vec<Dim> = perm.iter().filter_map(|axis| own.get(*axis).cloned()).collect();
        let elements: usize = graph.parameters.get(*index).map_or(0, |parameter| parameter.shape.iter().product());
        if elements < LEAST || turned != graph.shape(ValueId(position)) {
            continue;
        }
        let user = graph.nodes.iter().position(|node| node.values().any(|value| value.0 == position));
        let path = user.map_or_else(String::new, |user| graph.nodes[user].path.clone());
        let perm: Vec<i64> = perm.iter().map(|axis| *axis as i64).collect();
        let (inputs, outputs) = (vec![Operand::Value(*origin)], vec![ValueId(position)]);
        written.push(Node { op: "Transpose", inputs, outputs, attributes: [("perm", perm.into())].into(), path });
        graph.values[position].source = Source::Node;
    }
    let count = written.len();
    graph.nodes.splice(0..0, written);
    count
}
