//! A recurrent layer forwards and one backwards over the same sequence are one operator.

use std::collections::HashSet;

use onnx_model::Attribute;

use crate::graph::{Graph, Node, Operand, Source, ValueId};
use crate::symbolic::Dim;

/// The inputs of a recurrent operator that each direction has one of, in front: weights, recurrent weights, biases,
/// initial states.
const OF_DIRECTION: [usize; 5] = [1, 2, 3, 5, 6];

/// The input of an `LSTM` by which its gates see the cell, which Burn's layers do not have.
const PEEPHOLES: usize = 7;

/// Joins every pair of directions whose sequences of states are put side by side.
pub(super) fn join_directions(graph: &mut Graph) -> usize {
    let mut count = 0;
    let mut index = 0;
    while index < graph.nodes.len() {
        if let Some(pair) = Pair::find(graph, index) {
            pair.join(graph);
            count += 1;
        } else {
            index += 1;
        }
    }
    count
}

/// The places of both layers, and of the Concat of their sequences.
struct Pair {
    forward: usize,
    backward: usize,
    concat: usize,
    /// Whether the batch comes first in what the Concat joins.
    batch_first: bool,
}

impl Pair {
    /// The pair whose sequences the Concat at `index` puts side by side.
    fn find(graph: &Graph, index: usize) -> Option<Self> {
        let concat = &graph.nodes[index];
        let [Operand::Value(left), Operand::Value(right)] = concat.inputs.as_slice() else { return None };
        if concat.op != "Concat" || concat.attributes.get("axis") != Some(&Attribute::Int(2)) {
            return None;
        }
        let producers = graph.producers();
        let (forward, batch_first) = layer(graph, &producers, *left)?;
        let (backward, other_first) = layer(graph, &producers, *right)?;
        let (first, second) = (&graph.nodes[forward], &graph.nodes[backward]);
        let mut attributes = second.attributes.clone();
        let reverse = attributes.remove("direction") == Some("reverse".into());
        let same = first.op == second.op
            && first.attributes == attributes
            && batch_first == other_first
            && alike(graph, first, second);
        let pair = Self { forward, backward, concat: index, batch_first };
        let (_, dependent) = pair.between(graph);
        let later = &graph.nodes[forward.max(backward)];
        let free = later.values().all(|value| dependent.iter().all(|at| !graph.nodes[*at].outputs.contains(&value)))
            && later.values().all(|value| !graph.nodes[forward.min(backward)].outputs.contains(&value));
        (reverse && same && free).then_some(pair)
    }

    /// The places of the nodes between both layers that do not need the earlier one, and of those that do.
    fn between(&self, graph: &Graph) -> (Vec<usize>, Vec<usize>) {
        let (from, to) = (self.forward.min(self.backward), self.forward.max(self.backward));
        let mut needing: HashSet<ValueId> = graph.nodes[from].outputs.iter().copied().collect();
        (from + 1..to).partition(|at| {
            let node = &graph.nodes[*at];
            let needs = node.values().any(|value| needing.contains(&value));
            if needs {
                needing.extend(&node.outputs);
            }
            !needs
        })
    }

    fn join(self, graph: &mut Graph) {
        let (free, dependent) = self.between(graph);
        let (first, second) = (graph.nodes[self.forward].clone(), graph.nodes[self.backward].clone());
        let path = common_path(&first.path, &second.path);
        let mut written: Vec<Node> = free.iter().map(|at| graph.nodes[*at].clone()).collect();
        let mut inputs = first.inputs.clone();
        for position in OF_DIRECTION {
            if let (Some(left), Some(right)) = (first.input(position), second.input(position)) {
                inputs[position] = Operand::Value(append(graph, &mut written, [left, right], &path));
            }
        }
        let double = |graph: &mut Graph, value: ValueId, axis: usize| {
            let (dtype, mut shape) = (graph.dtype(value), graph.shape(value).to_vec());
            shape[axis] = Dim::fixed(2);
            graph.add(dtype, shape, Source::Node)
        };
        let places = first.outputs.iter().enumerate();
        let outputs: Vec<ValueId> =
            places.map(|(position, output)| double(graph, *output, usize::from(position == 0))).collect();
        let mut attributes = first.attributes.clone();
        attributes.insert("direction", "bidirectional".into());
        if let Some(Attribute::Strings(functions)) = attributes.get_mut("activations") {
            functions.extend_from_within(..);
        }
        written.push(Node { op: first.op, inputs, outputs: outputs.clone(), attributes, path: path.clone() });
        for (position, joined) in outputs.iter().enumerate() {
            // Each direction's own states, for those who read them.
            let axis = usize::from(position == 0);
            for (direction, layer) in [&first, &second].into_iter().enumerate() {
                written.push(part(*joined, axis, direction as i64, layer.outputs[position], &path));
            }
            put_together(graph, [first.outputs[position], second.outputs[position]], *joined);
        }
        written.extend(dependent.iter().map(|at| graph.nodes[*at].clone()));
        let side_by_side = self.side_by_side(graph, outputs[0], &path);
        graph.nodes.splice(self.concat..=self.concat, side_by_side);
        let (from, to) = (self.forward.min(self.backward), self.forward.max(self.backward));
        graph.nodes.splice(from..=to, written);
    }

    /// `[length, 2, batch, hidden]` as `[batch, length, 2 * hidden]`, or with the length first where that is what is asked for.
    fn side_by_side(&self, graph: &mut Graph, joined: ValueId, path: &str) -> Vec<Node> {
        let mut result = graph.nodes[self.concat].outputs[0];
        let mut batch_first = self.batch_first;
        if let Some(turned) = turned(graph, result) {
            batch_first = !batch_first;
            for other in &turned[1..] {
                graph.replace(*other, turned[0]);
            }
            result = turned[0];
            graph.nodes.iter_mut().filter(|node| turned.contains(&node.outputs[0])).for_each(|node| {
                // Nothing reads it any more.
                node.outputs[0] = ValueId(graph.values.len());
                graph.values.push(graph.values[result.0].clone());
            });
        }
        let shape = graph.shape(joined).to_vec();
        let perm: [usize; 4] = if batch_first { [2, 0, 1, 3] } else { [0, 2, 1, 3] };
        let dtype = graph.dtype(joined);
        let moved = graph.add(dtype, perm.iter().map(|axis| shape[*axis].clone()).collect(), Source::Node);
        let attributes = [("perm", perm.map(|axis| axis as i64).to_vec().into())].into();
        let (inputs, outputs) = (vec![Operand::Value(joined)], vec![moved]);
        let transpose = Node { op: "Transpose", inputs, outputs, attributes, path: path.to_string() };
        let inputs = vec![Operand::Value(moved), Operand::Dims(graph.shape(result).to_vec())];
        let (outputs, attributes) = (vec![result], Default::default());
        vec![transpose, Node { op: "Reshape", inputs, outputs, attributes, path: path.to_string() }]
    }
}

/// The results with both first axes swapped, where nothing else reads the value.
fn turned(graph: &Graph, value: ValueId) -> Option<Vec<ValueId>> {
    let users: Vec<&Node> = graph.nodes.iter().filter(|node| node.values().any(|read| read == value)).collect();
    let swaps = users.iter().all(|node| node.op == "Transpose" && node.ints("perm") == Some(&[1, 0, 2]));
    let turned: Vec<ValueId> = users.iter().map(|node| node.outputs[0]).collect();
    (swaps && !turned.is_empty() && !graph.outputs.contains(&value)).then_some(turned)
}

/// Lets those who put the states of both directions one behind the other read them as they are.
fn put_together(graph: &mut Graph, parts: [ValueId; 2], joined: ValueId) {
    let inputs = parts.map(Operand::Value);
    let is_stack = |node: &&Node| {
        node.op == "Concat" && node.inputs == inputs && node.attributes.get("axis") == Some(&Attribute::Int(0))
    };
    let stacks: Vec<ValueId> = graph.nodes.iter().filter(is_stack).map(|node| node.outputs[0]).collect();
    if graph.shape(parts[0]).len() == 3 {
        stacks.into_iter().for_each(|stack| graph.replace(stack, joined));
    }
}

/// The recurrent operator whose sequence of states, without the axis of directions, is `value`, and whether its batch was
/// moved to the front.
fn layer(graph: &Graph, producers: &[Option<usize>], value: ValueId) -> Option<(usize, bool)> {
    let node = |value: ValueId| producers[value.0].map(|producer| &graph.nodes[producer]);
    let mut source = node(value)?;
    let mut batch_first = false;
    if source.op == "Transpose" {
        if source.ints("perm")? != [1, 0, 2] {
            return None;
        }
        batch_first = true;
        source = node(source.input(0)?)?;
    }
    let sequence = source.input(0).filter(|_| source.op == "Reshape")?;
    let at = producers[sequence.0]?;
    let layer = &graph.nodes[at];
    let [length, directions, batch, hidden] = graph.shape(sequence) else { return None };
    let squeezed = graph.shape(source.outputs[0]) == [length.clone(), batch.clone(), hidden.clone()];
    let fits = matches!(layer.op, "RNN" | "GRU" | "LSTM") && layer.outputs.first() == Some(&sequence);
    (fits && squeezed && directions.is(1)).then_some((at, batch_first))
}

/// Whether both have inputs of the same shapes, where each direction has its own, and elsewhere the very same: the sequences,
/// and their lengths. Peepholes are none of these.
fn alike(graph: &Graph, first: &Node, second: &Node) -> bool {
    let places = 0..first.inputs.len().max(second.inputs.len());
    places.into_iter().all(|position| {
        let inputs =
            [first.inputs.get(position), second.inputs.get(position)].map(|input| input.unwrap_or(&Operand::Absent));
        match inputs {
            [Operand::Value(left), Operand::Value(right)] if OF_DIRECTION.contains(&position) => {
                graph.shape(*left) == graph.shape(*right)
            }
            [left, right] => left == right && (position < PEEPHOLES || *left == Operand::Absent),
        }
    })
}

/// The module that both are in.
fn common_path(left: &str, right: &str) -> String {
    let pairs = left.split('.').zip(right.split('.'));
    pairs.take_while(|(left, right)| left == right).map(|(part, _)| part).collect::<Vec<&str>>().join(".")
}

/// One tensor behind the other.
fn append(graph: &mut Graph, written: &mut Vec<Node>, parts: [ValueId; 2], path: &str) -> ValueId {
    let (dtype, mut shape) = (graph.dtype(parts[0]), graph.shape(parts[0]).to_vec());
    shape[0] = Dim::fixed(2);
    let output = graph.add(dtype, shape, Source::Node);
    let (inputs, attributes) = (parts.map(Operand::Value).to_vec(), [("axis", 0i64.into())].into());
    written.push(Node { op: "Concat", inputs, outputs: vec![output], attributes, path: path.to_string() });
    output
}

/// One direction of a result.
fn part(joined: ValueId, axis: usize, direction: i64, output: ValueId, path: &str) -> Node {
    let dims = |value: i64| Operand::Dims(vec![Dim::fixed(value)]);
    let inputs = vec![Operand::Value(joined), dims(direction), dims(direction + 1), dims(axis as i64)];
    Node { op: "Slice", inputs, outputs: vec![output], attributes: Default::default(), path: path.to_string() }
}
