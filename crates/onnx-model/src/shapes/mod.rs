//! Element types and symbolic shapes, followed through a graph.
//!
//! A size is a polynomial over the named axes of the model's inputs ([`extent`]), so that `batch*seq` split again into
//! `batch` and `seq` is seen to fit. The elements of small integer tensors are followed too: what `Shape`, `Gather` and
//! `Concat` compute for a `Reshape`. The rules are strict: what contradicts itself for every size of the named axes is
//! an error. What they cannot say is left unknown, and no error.

mod attention;
mod control;
mod conv;
mod dispatch;
mod dtype;
mod elements;
mod extent;
mod index;
mod matmul;
mod normalise;
mod op;
mod reduce;
mod regions;
mod reshape;
mod resize;
mod slice;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::check::{CheckError, Place, Problem, bind_types};
use crate::{Attribute, DataType, Graph, Model, Node, Tensor, TensorType, schema};
pub use extent::{Extent, Size};
pub use op::{Dims, Op, Value, axis};

/// The type of each value of a graph, as far as its element type is known.
pub type Types = BTreeMap<String, TensorType>;

/// Tensors of higher rank are refused: ranks could otherwise double with every node.
const MAX_RANK: usize = 256;

/// Longer integer tensors are data and not shapes.
const MAX_ELEMENTS: u64 = 64;

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
        values.filter_map(|(name, value)| Some(((*name).to_owned(), tensor_type(value)?))).collect()
    }
}

/// What is known of every value of a model whose names and order are in order, those of subgraphs as well.
pub(crate) fn values(model: &Model) -> Result<Values<'_>, CheckError> {
    let mut inference = Inference { opset: model.opset(), scopes: Vec::new(), known: Values::default() };
    inference.subgraph(&model.graph, Vec::new())?;
    Ok(inference.known)
}

struct Inference<'a> {
    /// That of ONNX's own operators; a model may use foreign ones alone.
    opset: Option<i64>,
    /// What is known, the main graph's values first and then those of each subgraph.
    scopes: Vec<HashMap<&'a str, Value>>,
    /// What was known of the subgraphs that are done.
    known: Values<'a>,
}

impl<'a> Inference<'a> {
    /// Infers a graph whose inputs are `arguments`, and returns its outputs.
    fn subgraph(&mut self, graph: &'a Graph, arguments: Vec<Value>) -> Result<Vec<Value>, CheckError> {
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
            let mut value = constant(tensor);
            if inputs.contains(tensor.name.as_str()) {
                // The caller may give other values, of the same type.
                (value.elements, value.floats) = (None, None);
                let input = self.find(&tensor.name).and_then(tensor_type);
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
        let mut dtypes = bind_types(node, schema, &input_types).map_err(problem)?;
        let op = Op { node, schema, inputs };
        if let Some(values) = self.control(&op, node, place)? {
            return Ok(values);
        }
        dtype::refine(&op, &mut dtypes).map_err(problem)?;
        let mut shapes = dispatch::shapes(&op).map_err(problem)?.into_iter();
        let mut elements = elements::of(&op);
        let mut floats = constant_node(node).filter(|_| node.op_type == "Constant").and_then(|value| value.floats);
        let values = dtypes.into_iter().map(|dtype| Value {
            dtype,
            dims: shapes.next().flatten(),
            elements: elements
                .take()
                .filter(|_| matches!(dtype, Some(DataType::I64 | DataType::I32 | DataType::Bool) | None)),
            floats: floats.take(),
        });
        let values: Vec<Value> = values.collect();
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

/// What is known of a constant.
fn constant(tensor: &Tensor) -> Value {
    let dims = tensor.dims.iter().map(|size| i64::try_from(*size).ok().map(Extent::known)).collect();
    let small = tensor.elements().is_some_and(|count| count <= MAX_ELEMENTS);
    let elements = match tensor.dtype {
        DataType::I64 | DataType::I32 if small => tensor.to_i64s().ok(),
        _ => None,
    };
    let elements = elements.map(|values| values.into_iter().map(|value| Some(Extent::known(value))).collect());
    let floats = if small { tensor.to_vec().ok() } else { None };
    Value { dtype: Some(tensor.dtype), dims: Some(dims), elements, floats }
}

/// What is known of a value from its node and from what the model says of it, when the two do not contradict.
fn merge(name: &str, mut value: Value, declared: Option<&TensorType>) -> Result<Value, Problem> {
    let ranks = [value.dims.as_ref().map(Vec::len), declared.and_then(TensorType::rank)];
    if let Some(found) = ranks.into_iter().flatten().find(|rank| *rank > MAX_RANK) {
        return Err(Problem::Axes { value: name.to_owned(), found, most: MAX_RANK });
    }
    let Some(declared) = declared else { return Ok(value) };
    let contradiction = |value: &Value| Problem::Declared {
        value: name.to_owned(),
        declared: declared.clone(),
        inferred: tensor_type(value).unwrap_or_else(|| declared.clone()),
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
    let differs = |(inferred, said): (&extent::Size, extent::Size)| match (inferred, said) {
        (Some(inferred), Some(said)) => inferred.differs(&said),
        _ => false,
    };
    if dims.len() != shape.len() || dims.iter().zip(said.clone()).any(differs) {
        return Err(contradiction(&value));
    }
    value.dims = Some(dims.iter().cloned().zip(said).map(|(inferred, said)| inferred.or(said)).collect());
    Ok(value)
}

fn tensor_type(value: &Value) -> Option<TensorType> {
    let shape = value.dims.as_ref().map(|dims| dims.iter().map(Extent::to_dim).collect());
    Some(TensorType { dtype: value.dtype?, shape })
}

/// The tensor that a `Constant` node makes.
fn constant_node(node: &Node) -> Option<Value> {
    let (_, attribute) = node.attributes.iter().find(|(name, _)| name.starts_with("value"))?;
    Some(match attribute {
        Attribute::Tensor(tensor) => constant(tensor),
        Attribute::Float(value) => constant(&Tensor::scalar("", *value)),
        Attribute::Floats(values) => constant(&Tensor::vector("", values)),
        Attribute::Int(value) => constant(&Tensor::scalar("", *value)),
        Attribute::Ints(values) => constant(&Tensor::vector("", values)),
        Attribute::String(_) => Value { dtype: Some(DataType::String), dims: Some(Vec::new()), ..Value::default() },
        Attribute::Strings(values) => Value {
            dtype: Some(DataType::String),
            dims: Some(vec![Some(Extent::known(values.len() as i64))]),
            ..Value::default()
        },
        _ => return None,
    })
}
