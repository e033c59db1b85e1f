//! One node for work that is done twice.

use std::collections::HashMap;

use crate::graph::{Graph, Operand, Source, ValueId};

/// Lets nodes that compute the same share one, and constants of the same bytes too.
pub(super) fn share(graph: &mut Graph) -> usize {
    let mut count = 0;
    let mut representative: Vec<ValueId> = (0..graph.values.len()).map(ValueId).collect();
    let mut constants: HashMap<(i32, String, Vec<u8>), ValueId> = HashMap::new();
    let mut parameters: HashMap<(usize, Option<Vec<usize>>, String), ValueId> = HashMap::new();
    // Large constants are rarely equal and slow to compare.
    const LARGEST: usize = 1 << 16;
    for (position, value) in graph.values.iter().enumerate() {
        let shape = format!("{:?}", value.shape);
        match &value.source {
            Source::Constant(bytes) if bytes.len() <= LARGEST => {
                let key = (value.dtype.number(), shape, bytes.to_vec());
                representative[position] = *constants.entry(key).or_insert(ValueId(position));
            }
            Source::Parameter { index, permutation } => {
                let key = (*index, permutation.clone(), shape);
                representative[position] = *parameters.entry(key).or_insert(ValueId(position));
            }
            _ => {}
        }
    }
    let mut seen: HashMap<String, Vec<ValueId>> = HashMap::new();
    for node in &mut graph.nodes {
        for operand in &mut node.inputs {
            if let Operand::Value(value) = operand {
                *operand = Operand::Value(representative[value.0]);
            }
        }
        let key = format!("{} {:?} {:?} {}", node.op, node.inputs, node.attributes, node.outputs.len());
        match seen.get(&key) {
            Some(outputs) => {
                for (own, first) in node.outputs.iter().zip(outputs) {
                    if representative[own.0] != *first {
                        representative[own.0] = *first;
                        count += 1;
                    }
                }
            }
            None => {
                seen.insert(key, node.outputs.clone());
            }
        }
    }
    for output in &mut graph.outputs {
        *output = representative[output.0];
    }
    // The doubles are dead now: dropping them here keeps the count honest.
    let used = graph.uses();
    graph
        .nodes
        .retain(|node| node.outputs.iter().any(|output| used[output.0] > 0 || representative[output.0] == *output));
    count
}
