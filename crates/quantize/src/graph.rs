//! Who makes and who uses the values of a graph.

use std::collections::{HashMap, HashSet};

use onnx_model::{Attribute, DataType, Graph, Node, Tensor};

/// Where a value is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// By a node: which, and as which of its inputs.
    Input(usize, usize),
    /// By a graph inside of a node.
    Inside(usize),
    /// As an output of the graph.
    Output,
}

/// The uses of every value of a graph.
#[derive(Debug)]
pub struct Uses(HashMap<String, Vec<Use>>);

impl Uses {
    /// Looks through a graph.
    pub fn of(graph: &Graph) -> Self {
        let mut uses: HashMap<String, Vec<Use>> = HashMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            for (position, input) in node.inputs.iter().enumerate().filter(|(_, input)| !input.is_empty()) {
                uses.entry(input.clone()).or_default().push(Use::Input(index, position));
            }
            for name in node.subgraphs().flat_map(captured) {
                uses.entry(name).or_default().push(Use::Inside(index));
            }
        }
        for output in &graph.outputs {
            uses.entry(output.name.clone()).or_default().push(Use::Output);
        }
        Self(uses)
    }

    /// Those of a value.
    pub fn get(&self, value: &str) -> &[Use] {
        self.0.get(value).map_or(&[], Vec::as_slice)
    }

    /// The node that alone uses a value, if there is just one use.
    pub fn only(&self, value: &str) -> Option<usize> {
        match self.get(value) {
            [Use::Input(node, _)] => Some(*node),
            _ => None,
        }
    }
}

/// Every name that a graph inside uses; some may be its own.
pub fn captured(graph: &Graph) -> HashSet<String> {
    let mut names: HashSet<String> = graph.outputs.iter().map(|output| output.name.clone()).collect();
    for node in &graph.nodes {
        names.extend(node.inputs.iter().filter(|input| !input.is_empty()).cloned());
        names.extend(node.subgraphs().flat_map(captured));
    }
    names
}

/// The constants of a graph by name.
pub fn constants(graph: &Graph) -> HashMap<&str, &Tensor> {
    graph.initializers.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect()
}

/// The constant of float32 that a node takes as this input.
pub fn float_input<'a>(constants: &HashMap<&str, &'a Tensor>, node: &Node, position: usize) -> Option<&'a Tensor> {
    let name = node.inputs.get(position).filter(|name| !name.is_empty())?;
    constants.get(name.as_str()).copied().filter(|tensor| tensor.dtype == DataType::F32)
}

/// What a node is called in messages: its name, or that of its first output.
pub fn label(node: &Node) -> &str {
    match node.name.as_str() {
        "" => id(node),
        name => name,
    }
}

/// What tells a node from all others: the name of its first output.
pub fn id(node: &Node) -> &str {
    node.outputs.iter().find(|output| !output.is_empty()).map_or("", String::as_str)
}

/// Removes the constants that nothing uses, with the inputs and notes that go with them.
pub fn drop_unused(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let gone: HashSet<String> = graph
        .initializers
        .iter()
        .map(|tensor| &tensor.name)
        .filter(|name| uses.get(name).is_empty())
        .cloned()
        .collect();
    graph.initializers.retain(|tensor| !gone.contains(&tensor.name));
    graph.inputs.retain(|input| !gone.contains(&input.name));
    let made: HashSet<&str> = graph.nodes.iter().flat_map(|node| &node.outputs).map(String::as_str).collect();
    graph.value_infos.retain(|value| made.contains(value.name.as_str()));
}

/// Gives a value another name wherever it is used, in the graphs inside too.
pub fn rename_uses(graph: &mut Graph, from: &str, to: &str) {
    for node in &mut graph.nodes {
        for input in node.inputs.iter_mut().filter(|input| *input == from) {
            to.clone_into(input);
        }
        for attribute in node.attributes.values_mut() {
            match attribute {
                Attribute::Graph(graph) => rename_inside(graph, from, to),
                Attribute::Graphs(graphs) => graphs.iter_mut().for_each(|graph| rename_inside(graph, from, to)),
                _ => {}
            }
        }
    }
}

fn rename_inside(graph: &mut Graph, from: &str, to: &str) {
    for output in graph.outputs.iter_mut().filter(|output| output.name == from) {
        to.clone_into(&mut output.name);
    }
    rename_uses(graph, from, to);
}
