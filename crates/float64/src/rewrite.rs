//! Graphs, node by node.

use std::collections::HashMap;

use super::families;
use super::form::{Form, NO_FORMULA};
use super::step::{Reason, Step};
use super::writer::{Operand, Writer};
use super::{Float64Error, Unsupported, widen};
use onnx_model::schema::{self, Formal, Schema};
use onnx_model::shapes::{Op, Value, Values};
use onnx_model::{Attribute, DataType, Graph, Model, Node, Place, Tensor, ValueInfo};

/// The main graph in float64, without the constants that the writer holds.
pub fn graph(model: &Model, known: &Values, writer: &Writer) -> Result<Graph, Float64Error> {
    let mut rewriter = Rewriter {
        opset: model.opset(),
        known,
        overridable: model.ir_version >= 4,
        writer,
        scopes: Vec::new(),
        unsupported: Vec::new(),
    };
    let graph = rewriter.graph(&model.graph)?;
    match rewriter.unsupported.is_empty() {
        true => Ok(graph),
        false => Err(Float64Error::Unsupported(rewriter.unsupported)),
    }
}

struct Rewriter<'a, 'w> {
    opset: Option<i64>,
    known: &'a Values<'a>,
    /// Whether a caller may give an initialiser another value: before version 4 of the format no one can.
    overridable: bool,
    writer: &'w Writer,
    /// The graphs around the node, the main graph first.
    scopes: Vec<Scope<'a>>,
    unsupported: Vec<Unsupported>,
}

struct Scope<'a> {
    values: Option<&'a HashMap<&'a str, Value>>,
    constants: HashMap<&'a str, &'a Tensor>,
}

impl<'a> Rewriter<'a, '_> {
    fn graph(&mut self, graph: &'a Graph) -> Result<Graph, Float64Error> {
        self.scopes.push(Scope {
            values: self.known.of(graph),
            constants: constants(graph, self.overridable && self.scopes.is_empty()),
        });
        let writer = self.writer;
        let (written, nodes) =
            writer.apart(|| graph.nodes.iter().enumerate().try_for_each(|(index, node)| self.node(graph, index, node)));
        written?;
        self.scopes.pop();
        let values = |values: &[ValueInfo]| values.iter().map(widen::value_info).collect();
        Ok(Graph {
            name: graph.name.clone(),
            nodes,
            inputs: values(&graph.inputs),
            outputs: values(&graph.outputs),
            initializers: graph.initializers.iter().map(widen::tensor).collect::<Result<_, _>>()?,
            value_infos: values(&graph.value_infos),
            doc: graph.doc.clone(),
            metadata: graph.metadata.clone(),
        })
    }

    fn find(&self, name: &str) -> Option<&'a Value> {
        self.scopes.iter().rev().find_map(|scope| scope.values?.get(name))
    }

    fn constant(&self, name: &str) -> Option<&'a Tensor> {
        // A value of an inner graph hides none of an outer one: names are used once.
        self.scopes.iter().rev().find_map(|scope| scope.constants.get(name).copied())
    }

    fn node(&mut self, graph: &'a Graph, index: usize, node: &'a Node) -> Result<(), Float64Error> {
        let own = self.opset.filter(|_| node.is_own());
        let Some(schema) = own.and_then(|opset| schema::find(&node.op_type, opset)) else {
            self.fail(graph, index, node, "operators of this domain are not known");
            return Ok(());
        };
        let input = |name: &String| (!name.is_empty()).then(|| self.find(name).cloned().unwrap_or_default());
        let op = Op { node, schema, inputs: node.inputs.iter().map(input).collect() };
        let outputs = node.outputs.iter().filter(|name| !name.is_empty());
        let outputs: Vec<_> = outputs.map(|name| self.find(name).and_then(|value| value.dtype)).collect();
        let inputs = op.inputs.iter().flatten().map(|value| value.dtype);
        // What is not known may be a float.
        let touched = inputs.chain(outputs.iter().copied()).any(|dtype| dtype.is_none_or(is_real));
        let stays = self.opset.is_some_and(|opset| opset == self.writer.opset);
        if stays && !touched && node.subgraphs().next().is_none() {
            self.writer.push(node.clone());
            return Ok(());
        }
        let constants = node.inputs.iter().map(|name| self.constant(name)).collect();
        let step = Step { op: &op, writer: self.writer, constants, output: outputs.first().copied().flatten() };
        let found = match families::find(&node.op_type, schema.since).unwrap_or(Form::Without(NO_FORMULA)) {
            Form::Native => Ok(Some("")),
            Form::Typed(attribute) => Ok(Some(attribute)),
            Form::Where(allowed) => allowed(&step).map(|()| Some("")),
            Form::Without(reason) => Err(reason),
            formula => self.writer.stand_for(&node.name, &node.outputs, || formula.write(&step)).map(|()| None),
        };
        match found {
            Ok(Some(typed)) => self.native(&op, typed)?,
            Ok(None) => {}
            Err(reason) => self.fail(graph, index, node, reason),
        }
        Ok(())
    }

    fn fail(&mut self, graph: &Graph, index: usize, node: &Node, reason: Reason) {
        let same = |found: &&mut Unsupported| found.op_type == node.op_type && found.domain == node.domain;
        match self.unsupported.iter_mut().find(same) {
            Some(found) => found.nodes += 1,
            None => self.unsupported.push(Unsupported {
                domain: node.domain.clone(),
                op_type: node.op_type.clone(),
                first: Place::node(&graph.name, index, node),
                nodes: 1,
                reason,
            }),
        }
    }

    /// Gives the node the value of an attribute as the input that it is at the opset of `schema`, if it still is anything.
    fn becomes_input(&self, node: &mut Node, schema: &Schema, name: &str, value: &Attribute) {
        let same =
            |formal: &Formal| formal.name.eq_ignore_ascii_case(name) || formal.name == format!("constant_{name}");
        let value = match value {
            Attribute::Ints(values) => self.writer.ints(values),
            Attribute::Int(value) => self.writer.ints(&[*value]),
            Attribute::Float(value) => f64::from(*value).expr(self.writer),
            _ => return,
        };
        if let Some(position) = schema.inputs.iter().position(same) {
            node.inputs.resize(node.inputs.len().max(position + 1), String::new());
            node.inputs[position] = value.name();
        }
    }

    /// The same node with types and constants in float64; `typed` is an attribute that names an element type.
    fn native(&mut self, op: &Op<'a>, typed: &str) -> Result<(), Float64Error> {
        let mut node = Node { attributes: Default::default(), ..op.node.clone() };
        let schema = schema::find(&node.op_type, self.writer.opset).unwrap_or(op.schema);
        for (name, value) in &op.node.attributes {
            if schema.attribute(name).is_none() && op.schema.attribute(name).is_some() {
                self.becomes_input(&mut node, schema, name, value);
                continue;
            }
            let value = match value {
                Attribute::Tensor(tensor) => Attribute::Tensor(widen::tensor(tensor)?),
                Attribute::Graph(graph) => Attribute::Graph(Box::new(self.graph(graph)?)),
                other => other.clone(),
            };
            node.attributes.insert(name.clone(), value);
        }
        if let Some(number) = op.int(typed) {
            node.attributes.insert(typed.to_owned(), Attribute::Int(widen::number(number)));
        }
        for (position, input) in op.inputs.iter().enumerate() {
            let dtype = input.as_ref().and_then(|value| value.dtype);
            if dtype.is_some_and(is_real) && op.schema.input(position).is_some_and(is_single) {
                let value = self.writer.value(&node.inputs[position]);
                node.inputs[position] = value.cast(DataType::F32).name();
            }
        }
        let mut narrow = Vec::new();
        for (position, output) in node.outputs.iter_mut().enumerate().filter(|(_, name)| !name.is_empty()) {
            if op.schema.output(position).is_some_and(is_single) {
                let value = self.writer.fresh();
                narrow.push((value, std::mem::replace(output, value.name())));
            }
        }
        self.writer.push(node);
        for (value, name) in narrow {
            let cast = Node::new("Cast").input(value.name()).output(name).attribute("to", DataType::F64);
            self.writer.push(cast);
        }
        Ok(())
    }
}

/// The types that become float64, and it.
fn is_real(dtype: DataType) -> bool {
    matches!(dtype, DataType::F32 | DataType::F16 | DataType::BF16 | DataType::F64)
}

/// Whether an input or output can be `float` and cannot be `double`.
fn is_single(formal: &Formal) -> bool {
    formal.types.contains(DataType::F32) && !formal.types.contains(DataType::F64)
}

/// The values of a graph that no caller can change: initialisers that are no inputs, and tensors of `Constant` nodes.
fn constants(graph: &Graph, overridable: bool) -> HashMap<&str, &Tensor> {
    let initializers = graph.initializers.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let mut constants: HashMap<&str, &Tensor> = initializers.collect();
    for input in graph.inputs.iter().filter(|_| overridable) {
        constants.remove(input.name.as_str());
    }
    for node in graph.nodes.iter().filter(|node| node.op_type == "Constant" && node.is_own()) {
        if let (Some(Attribute::Tensor(tensor)), Some(output)) = (node.attributes.get("value"), node.outputs.first()) {
            constants.insert(output, tensor);
        }
    }
    constants
}
