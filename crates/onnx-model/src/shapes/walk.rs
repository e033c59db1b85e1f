//! The walk through the graphs, node by node.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::extent::{Extent, Size};
use super::families;
use super::make;
use super::op::{MAX_ELEMENTS, MAX_RANK, Op, Value};
use super::rule::Shapes;
use super::types;
use crate::problem::{CheckError, Place, Problem};
use crate::{DataType, Graph, Model, Node, TensorType, schema};

/// The type of each value of a graph, as far as its element type is known.
pub type Types = BTreeMap<String, TensorType>;

/// What is known of the values of each graph of a model, by the graph's address in it.
#[derive(Debug, Default)]
pub struct Values<'a>(HashMap<*const Graph, HashMap<&'a str, Value>>);

impl<'a> Values<'a> {
    /// Those of one of the model's graphs, the main one or one inside.
    pub fn of(&self, graph: &Graph) -> Option<&HashMap<&'a str, Value>> {
        self.0.get(&(&raw const *graph))
    }

    /// The types of those of a graph.
    pub(crate) fn types(&self, graph: &Graph) -> Types {
        let values = self.of(graph).into_iter().flatten();
        values.filter_map(|(name, value)| Some(((*name).to_owned(), value.tensor_type()?))).collect()
    }
}

/// What is known of every value of a model whose names and order are in order, those of subgraphs as well.
pub(crate) fn values(model: &Model) -> Result<Values<'_>, CheckError> {
    let mut inference =
        Inference { opset: model.opset(), scopes: Vec::new(), known: Values::default(), fixed: model.ir_version < 4 };
    inference.subgraph(&model.graph, Vec::new())?;
    Ok(inference.known)
}

pub struct Inference<'a> {
    /// That of ONNX's own operators; a model may use foreign ones alone.
    opset: Option<i64>,
    /// What is known, the main graph's values first and then those of each subgraph.
    scopes: Vec<HashMap<&'a str, Value>>,
    /// What was known of the subgraphs that are done.
    known: Values<'a>,
    /// Whether no caller can give an initialiser another value: before version 4 of the format.
    fixed: bool,
}

impl<'a> Inference<'a> {
    /// Infers a graph whose inputs are `arguments`, and returns its outputs.
    pub fn subgraph(&mut self, graph: &'a Graph, arguments: Vec<Value>) -> Result<Vec<Value>, CheckError> {
        self.scopes.push(HashMap::new());
        self.fill(graph, arguments)?;
        let outputs = graph.outputs.iter().map(|output| self.find(&output.name).cloned().unwrap_or_default());
        let outputs = outputs.collect();
        if let Some(values) = self.scopes.pop() {
            self.known.0.insert(graph, values);
        }
        Ok(outputs)
    }

    /// Infers everything in `graph` into the innermost scope.
    fn fill(&mut self, graph: &'a Graph, arguments: Vec<Value>) -> Result<(), CheckError> {
        let place = || Place::Graph(graph.name.clone());
        let notes = graph.value_infos.iter().chain(&graph.outputs);
        let declared: HashMap<&str, &TensorType> =
            notes.filter_map(|value| Some((value.name.as_str(), value.ty.as_ref()?))).collect();
        let mut arguments = arguments.into_iter();
        for input in &graph.inputs {
            let argument = arguments.next().unwrap_or_default();
            let value = merge(&input.name, argument, input.ty.as_ref()).map_err(|problem| place().error(problem))?;
            self.define(&input.name, value);
        }
        let inputs: HashSet<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
        for tensor in &graph.initializers {
            let mut value = Value::constant(tensor);
            if inputs.contains(tensor.name.as_str()) {
                // The caller may give other values, of the same type.
                if !self.fixed {
                    (value.elements, value.floats) = (None, None);
                }
                let input = self.find(&tensor.name).and_then(Value::tensor_type);
                value = merge(&tensor.name, value, input.as_ref()).map_err(|problem| place().error(problem))?;
            }
            let value = merge(&tensor.name, value, declared.get(tensor.name.as_str()).copied());
            self.define(&tensor.name, value.map_err(|problem| place().error(problem))?);
        }
        for output in &graph.outputs {
            // An input or initialiser handed on: the promise is checked here, as no node makes it.
            if let Some(value) = self.find(&output.name).cloned() {
                merge(&output.name, value, output.ty.as_ref()).map_err(|problem| place().error(problem))?;
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let place = || Place::node(&graph.name, index, node);
            let values = self.node(node, &place)?;
            for (name, value) in node.outputs.iter().zip(values).filter(|(name, _)| !name.is_empty()) {
                let value = merge(name, value, declared.get(name.as_str()).copied());
                self.define(name, value.map_err(|problem| place().error(problem))?);
            }
        }
        Ok(())
    }

    fn define(&mut self, name: &'a str, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name, value);
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    /// What is known of a node's outputs; as many as it has.
    fn node(&mut self, node: &'a Node, place: &dyn Fn() -> Place) -> Result<Vec<Value>, CheckError> {
        let input = |name: &String| (!name.is_empty()).then(|| self.find(name).cloned().unwrap_or_default());
        let inputs: Vec<Option<Value>> = node.inputs.iter().map(input).collect();
        let own = self.opset.filter(|_| node.is_own());
        let schema = own.and_then(|opset| schema::find(&node.op_type, opset));
        let Some(schema) = schema else {
            // Nothing is known of foreign operators, but their subgraphs are looked at.
            for subgraph in node.subgraphs() {
                self.subgraph(subgraph, Vec::new())?;
            }
            return Ok(vec![Value::default(); node.outputs.len()]);
        };
        let problem = |problem| place().error(problem);
        let input_types: Vec<Option<DataType>> = inputs.iter().map(|value| value.as_ref()?.dtype).collect();
        let mut dtypes = types::bind(node, schema, &input_types).map_err(problem)?;
        let op = Op { node, schema, inputs };
        let absent = || Problem::Operator { op_type: node.op_type.clone(), opset: schema.since, first: None };
        let rule = families::find(&node.op_type).ok_or_else(|| problem(absent()))?;
        let shapes = match rule.shapes {
            Shapes::Graphs => return self.control(&op, node, place),
            Shapes::One(shape) => shape(&op).map(|shape| vec![shape]),
            Shapes::All(shapes) => shapes(&op),
            Shapes::Unknown => Ok(Vec::new()),
        };
        if let Some((first, dtype)) = dtypes.first_mut().zip(rule.dtype) {
            *first = types::allowed(&op, dtype(&op).map_err(problem)?).map_err(problem)?;
        }
        let mut shapes = shapes.map_err(problem)?.into_iter();
        let mut values: Vec<Value> = dtypes
            .into_iter()
            .map(|dtype| Value { dtype, dims: shapes.next().flatten(), ..Value::default() })
            .collect();
        if let Some(first) = values.first_mut() {
            let whole = matches!(first.dtype, Some(DataType::I64 | DataType::I32 | DataType::Bool) | None);
            let elements = rule.elements.filter(|_| whole).and_then(|elements| elements(&op));
            first.elements = elements.filter(|elements| elements.len() as u64 <= MAX_ELEMENTS);
            first.floats = make::constant(node).filter(|_| node.op_type == "Constant").and_then(|value| value.floats);
        }
        match values.iter().find_map(negative) {
            Some(found) => Err(problem(found)),
            None => Ok(values),
        }
    }
}

/// A size below zero, which no input could have.
fn negative(value: &Value) -> Option<Problem> {
    let known = value.dims.iter().flatten().filter_map(|size| size.as_ref()?.as_known());
    let size = known.into_iter().find(|size| *size < 0)?;
    Some(Problem::Sizes { rule: "a size is not negative", left: size.to_string(), right: "0 or more".to_owned() })
}

/// What is known of a value from its node and from what the model says of it, when the two do not contradict.
pub fn merge(name: &str, mut value: Value, declared: Option<&TensorType>) -> Result<Value, Problem> {
    let ranks = [value.dims.as_ref().map(Vec::len), declared.and_then(TensorType::rank)];
    if let Some(found) = ranks.into_iter().flatten().find(|rank| *rank > MAX_RANK) {
        return Err(Problem::Axes { value: name.to_owned(), found, most: MAX_RANK });
    }
    let Some(declared) = declared else { return Ok(value) };
    let contradiction = |value: &Value| Problem::Declared {
        value: name.to_owned(),
        declared: declared.clone(),
        inferred: value.tensor_type().unwrap_or_else(|| declared.clone()),
    };
    if value.dtype.is_some_and(|dtype| dtype != declared.dtype) {
        return Err(contradiction(&value));
    }
    value.dtype = Some(declared.dtype);
    let Some(shape) = &declared.shape else { return Ok(value) };
    let said = shape.iter().map(Extent::from_dim);
    let Some(dims) = &value.dims else {
        value.dims = Some(said.collect());
        return Ok(value);
    };
    let differs = |(inferred, said): (&Size, Size)| match (inferred, said) {
        (Some(inferred), Some(said)) => inferred.differs(&said),
        _ => false,
    };
    if dims.len() != shape.len() || dims.iter().zip(said.clone()).any(differs) {
        return Err(contradiction(&value));
    }
    value.dims = Some(dims.iter().cloned().zip(said).map(|(inferred, said)| inferred.or(said)).collect());
    Ok(value)
}
