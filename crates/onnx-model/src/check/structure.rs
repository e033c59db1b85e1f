//! Names, order and signatures: everything that can be said without types.

use std::collections::HashSet;

use super::{last_ir_version, opset, signature};
use crate::problem::{CheckError, Place, Problem};
use crate::{Attribute, Graph, Model, Node, ValueInfo};

/// Subgraphs may be nested this deep.
pub const MAX_DEPTH: usize = 32;

/// Checks a model.
pub fn check(model: &Model) -> Result<(), CheckError> {
    let last = last_ir_version();
    if !(3..=last).contains(&model.ir_version) {
        return Err(Place::Model.error(Problem::IrVersion { found: model.ir_version, last }));
    }
    if model.opset_imports.is_empty() {
        return Err(Place::Model.error(Problem::NoOpset(String::new())));
    }
    let opset = opset(model).map_err(|problem| Place::Model.error(problem))?;
    let mut checker = Checker { model, opset, scopes: Vec::new() };
    checker.graph(&model.graph)
}

struct Checker<'a> {
    model: &'a Model,
    /// That of ONNX's own operators.
    opset: Option<i64>,
    /// The values defined so far, the main graph's first and then those of each subgraph.
    scopes: Vec<HashSet<&'a str>>,
}

impl<'a> Checker<'a> {
    fn graph(&mut self, graph: &'a Graph) -> Result<(), CheckError> {
        let place = || Place::Graph(graph.name.clone());
        if graph.name.is_empty() {
            return Err(place().error(Problem::NoName("the graph")));
        }
        if self.scopes.len() > MAX_DEPTH {
            return Err(place().error(Problem::Depth(MAX_DEPTH)));
        }
        self.scopes.push(HashSet::new());
        self.definitions(graph).map_err(|problem| place().error(problem))?;
        for (index, node) in graph.nodes.iter().enumerate() {
            let place = || Place::node(&graph.name, index, node);
            self.node(node).map_err(|problem| place().error(problem))?;
            for subgraph in node.subgraphs() {
                self.graph(subgraph)?;
            }
            for output in node.outputs.iter().filter(|output| !output.is_empty()) {
                self.define(output).map_err(|problem| place().error(problem))?;
            }
        }
        for output in &graph.outputs {
            self.value_info(output, "an output").map_err(|problem| place().error(problem))?;
            let defined = self.scopes.last().is_some_and(|scope| scope.contains(output.name.as_str()));
            // A branch may hand on a value of the graph around it.
            let from_outside = self.scopes.len() > 1 && self.is_defined(&output.name);
            if !defined && !from_outside {
                return Err(place().error(Problem::OutputUndefined(output.name.clone())));
            }
        }
        self.scopes.pop();
        Ok(())
    }

    /// Inputs and initialisers.
    fn definitions(&mut self, graph: &'a Graph) -> Result<(), Problem> {
        let mut inputs = HashSet::new();
        for input in &graph.inputs {
            self.value_info(input, "an input")?;
            self.define(&input.name)?;
            inputs.insert(input.name.as_str());
        }
        let mut initializers = HashSet::new();
        for tensor in &graph.initializers {
            if tensor.name.is_empty() {
                return Err(Problem::NoName("an initialiser"));
            }
            tensor.validate()?;
            if !initializers.insert(tensor.name.as_str()) {
                return Err(Problem::Redefined(tensor.name.clone()));
            }
            // An initialiser of the same name is the default of an input; before IR version 4 all of them were.
            if !inputs.contains(tensor.name.as_str()) {
                if self.model.ir_version < 4 {
                    return Err(Problem::Undefined(tensor.name.clone()));
                }
                self.define(&tensor.name)?;
            }
        }
        Ok(())
    }

    fn value_info(&self, value: &ValueInfo, what: &'static str) -> Result<(), Problem> {
        if value.name.is_empty() {
            return Err(Problem::NoName(what));
        }
        // The types of a subgraph's inputs and outputs follow from the node around it.
        let typed = value.ty.as_ref().is_some_and(|ty| ty.shape.is_some());
        match typed || self.scopes.len() > 1 {
            true => Ok(()),
            false => Err(Problem::Untyped(value.name.clone())),
        }
    }

    fn define(&mut self, name: &'a str) -> Result<(), Problem> {
        if self.is_defined(name) {
            return Err(Problem::Redefined(name.to_owned()));
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name);
        }
        Ok(())
    }

    fn is_defined(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    fn node(&self, node: &Node) -> Result<(), Problem> {
        if node.op_type.is_empty() || (node.inputs.is_empty() && node.outputs.is_empty()) {
            return Err(Problem::Empty);
        }
        if let Some(input) = node.inputs.iter().find(|input| !input.is_empty() && !self.is_defined(input)) {
            return Err(Problem::Undefined(input.clone()));
        }
        for tensor in node.attributes.values().flat_map(tensors) {
            tensor.validate()?;
        }
        if node.is_own() {
            let opset = self.opset.ok_or_else(|| Problem::NoOpset(node.domain.clone()))?;
            return signature::check(node, opset);
        }
        match self.model.opset_imports.contains_key(&node.domain) {
            true => Ok(()),
            false => Err(Problem::NoOpset(node.domain.clone())),
        }
    }
}

fn tensors(attribute: &Attribute) -> &[crate::Tensor] {
    match attribute {
        Attribute::Tensor(tensor) => std::slice::from_ref(tensor),
        Attribute::Tensors(tensors) => tensors,
        _ => &[],
    }
}
