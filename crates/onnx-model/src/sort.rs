//! Nodes in an order in which they can run.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{Attribute, Graph, Node};

impl Graph {
    /// Puts every node behind those that make its inputs, and leaves the order as it is otherwise, in the graphs inside too.
    ///
    /// ONNX demands such an order, and ONNX Runtime does not: some programs write files that lack it. Nodes that wait for one
    /// another in a circle come last.
    pub fn sort(&mut self) {
        for node in &mut self.nodes {
            for attribute in node.attributes.values_mut() {
                match attribute {
                    Attribute::Graph(graph) => graph.sort(),
                    Attribute::Graphs(graphs) => graphs.iter_mut().for_each(Self::sort),
                    _ => {}
                }
            }
        }
        let makers: HashMap<&str, usize> = (0..)
            .zip(&self.nodes)
            .flat_map(|(index, node)| node.outputs.iter().map(move |value| (value.as_str(), index)))
            .filter(|(value, _)| !value.is_empty())
            .collect();
        let waits: Vec<HashSet<usize>> = self.nodes.iter().map(|node| made(node, &makers)).collect();
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, waits) in waits.iter().enumerate() {
            for &maker in waits {
                users[maker].push(index);
            }
        }
        let mut open: Vec<usize> = waits.iter().map(HashSet::len).collect();
        let mut ready: BTreeSet<usize> = (0..open.len()).filter(|&index| open[index] == 0).collect();
        let mut order = Vec::new();
        while let Some(index) = ready.pop_first() {
            order.push(index);
            for &user in &users[index] {
                open[user] -= 1;
                if open[user] == 0 {
                    ready.insert(user);
                }
            }
        }
        order.extend((0..open.len()).filter(|&index| open[index] > 0));
        let mut nodes: Vec<Option<Node>> = std::mem::take(&mut self.nodes).into_iter().map(Some).collect();
        self.nodes = order.into_iter().filter_map(|index| nodes[index].take()).collect();
    }
}

/// The nodes that make what a node uses, itself or in the graphs inside.
fn made(node: &Node, makers: &HashMap<&str, usize>) -> HashSet<usize> {
    let mut found: HashSet<usize> =
        node.inputs.iter().filter_map(|value| makers.get(value.as_str()).copied()).collect();
    for graph in node.subgraphs() {
        // A name that is given anew inside hides the one outside, which may cost an order but never makes a wrong one.
        found.extend(graph.outputs.iter().filter_map(|output| makers.get(output.name.as_str()).copied()));
        found.extend(graph.nodes.iter().flat_map(|inner| made(inner, makers)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(graph: &Graph) -> Vec<&str> {
        graph.nodes.iter().map(|node| node.name.as_str()).collect()
    }

    fn node(name: &str, inputs: &[&str], output: &str) -> Node {
        Node::new("Sum").named(name).inputs(inputs.iter().copied()).output(output)
    }

    #[test]
    fn every_node_comes_behind_what_it_needs_and_no_other_moves() {
        let mut graph = Graph::new("g")
            .node(node("last", &["b", "x"], "c"))
            .node(node("alone", &["x"], "d"))
            .node(node("middle", &["a"], "b"))
            .node(node("first", &["x"], "a"));
        graph.sort();
        assert_eq!(names(&graph), ["alone", "first", "middle", "last"]);
        let sorted = graph.clone();
        graph.sort();
        assert_eq!(graph, sorted);
    }

    #[test]
    fn what_a_graph_inside_uses_counts() {
        let inside = Graph::new("then").node(node("late", &["p", "q"], "r")).node(node("early", &["a"], "q"));
        let mut graph = Graph::new("g")
            .node(Node::new("If").named("choice").input("yes").output("y").attribute("then_branch", inside))
            .node(node("maker", &["x"], "a"));
        graph.sort();
        assert_eq!(names(&graph), ["maker", "choice"]);
        assert_eq!(names(graph.nodes[1].subgraphs().next().unwrap()), ["early", "late"]);
    }

    #[test]
    fn a_circle_is_left_to_the_checker() {
        let mut graph =
            Graph::new("g").node(node("a", &["q"], "p")).node(node("b", &["p"], "q")).node(node("c", &[], "r"));
        graph.sort();
        assert_eq!(names(&graph), ["c", "a", "b"]);
    }
}
