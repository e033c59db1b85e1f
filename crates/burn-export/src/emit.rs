//! From the graph to the file: names, initialisers, and sizes as operators.

mod names;
mod sizes;

use std::collections::BTreeMap;

use onnx_model::{Attribute, DataType, Dim as FileDim, Model, Node, Tensor, ValueInfo};

use crate::capture::parameters::Parameter;
use crate::error::ExportError;
use crate::graph::{Graph, Operand, Source, ValueId};
use crate::opset::Opset;
use crate::signature::Signature;
use crate::symbolic::Dim;
use names::Names;

/// What the user says about the file besides its inputs and outputs.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) opset: Opset,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Default for Header {
    fn default() -> Self {
        let (name, doc) = ("main_graph".to_string(), String::new());
        Self { opset: Opset::default(), name, doc, metadata: BTreeMap::new() }
    }
}

/// Writes the model.
pub(crate) fn emit(
    graph: &Graph,
    header: &Header,
    signature: &Signature,
    outputs: &[String],
    axes: &[String],
) -> Result<Model, ExportError> {
    let inputs: Vec<String> = signature.inputs.iter().map(|input| input.name.clone()).collect();
    let mut emitter = Emitter {
        graph,
        uses: graph.uses(),
        names: Names::new(inputs.iter().chain(outputs).map(String::as_str)),
        values: vec![None; graph.values.len()],
        nodes: Vec::new(),
        initializers: Vec::new(),
        constants: BTreeMap::new(),
        written: graph.inputs.clone(),
        shapes: BTreeMap::new(),
        sizes: BTreeMap::new(),
        opset: header.opset,
        path: String::new(),
    };
    for (value, name) in graph.inputs.iter().zip(&inputs) {
        emitter.values[value.0] = Some(name.clone());
    }
    // The first output that a node computes lends the value its name.
    let computed: Vec<bool> = {
        let mut computed = vec![false; graph.values.len()];
        graph.nodes.iter().flat_map(|node| &node.outputs).for_each(|output| computed[output.0] = true);
        computed
    };
    for (value, name) in graph.outputs.iter().zip(outputs) {
        let is_size = graph.nodes.iter().any(|node| node.outputs.contains(value) && stands_for_size(node));
        if computed[value.0] && emitter.values[value.0].is_none() && !is_size {
            emitter.values[value.0] = Some(name.clone());
        }
    }
    for index in 0..graph.nodes.len() {
        emitter.node(index)?;
    }
    emitter.path.clear();
    for (value, name) in graph.outputs.iter().zip(outputs) {
        let source = emitter.value(*value)?;
        if source != *name {
            let node = Node::new("Identity").named(emitter.names.node("", "Identity"));
            emitter.nodes.push(node.input(source).output(name.clone()));
        }
    }
    let shape = |value: ValueId| -> Vec<FileDim> { graph.shape(value).iter().map(|dim| file_dim(dim, axes)).collect() };
    let mut file = onnx_model::Graph::new(header.name.clone());
    file.doc.clone_from(&header.doc);
    for (value, name) in graph.inputs.iter().zip(&inputs) {
        file.inputs.push(ValueInfo::new(name.clone(), graph.dtype(*value), shape(*value)));
    }
    for (value, name) in graph.outputs.iter().zip(outputs) {
        file.outputs.push(ValueInfo::new(name.clone(), graph.dtype(*value), shape(*value)));
    }
    file.nodes = emitter.nodes;
    file.initializers = emitter.initializers;
    let mut model = Model::new(header.opset.number(), file);
    model.producer_name = "burn-export".to_string();
    model.producer_version = env!("CARGO_PKG_VERSION").to_string();
    model.metadata.clone_from(&header.metadata);
    Ok(model)
}

/// A size in the signature of the file: a number, the name of an axis, or a formula as a name.
fn file_dim(dim: &Dim, axes: &[String]) -> FileDim {
    match dim.as_fixed().and_then(|size| u64::try_from(size).ok()) {
        Some(size) => FileDim::Known(size),
        None => FileDim::symbol(dim.display(axes).to_string()),
    }
}

/// An Identity whose input is a size: the name of the size stands for it.
fn stands_for_size(node: &crate::graph::Node) -> bool {
    node.op == "Identity" && matches!(node.inputs.first(), Some(Operand::Dims(_) | Operand::Size(_)))
}

/// Operators whose results are all optional.
fn may_be_left_out(op: &str) -> bool {
    matches!(op, "RNN" | "GRU" | "LSTM")
}

struct Emitter<'a> {
    graph: &'a Graph,
    /// How often each value is used.
    uses: Vec<usize>,
    names: Names,
    values: Vec<Option<String>>,
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    /// Int64 constants made for sizes, by shape and elements.
    constants: BTreeMap<(bool, Vec<i64>), String>,
    /// The inputs, and what the nodes so far compute.
    written: Vec<ValueId>,
    /// Shape operators, by the value.
    shapes: BTreeMap<String, String>,
    /// Sizes computed so far, as scalars and as vectors of one element.
    sizes: BTreeMap<(Dim, bool), String>,
    opset: Opset,
    path: String,
}

impl Emitter<'_> {
    fn node(&mut self, index: usize) -> Result<(), ExportError> {
        let graph = self.graph;
        let node = &graph.nodes[index];
        self.path.clone_from(&node.path);
        let mut inputs = Vec::new();
        for (position, operand) in node.inputs.iter().enumerate() {
            inputs.push(match operand {
                Operand::Absent => String::new(),
                Operand::Value(value) => self.value(*value)?,
                Operand::Size(size) => self.size(size, true)?,
                Operand::Dims(dims) => match (node.op, position) {
                    ("Reshape", 1) => self.reshape_target(node, dims)?,
                    ("Expand", 1) => self.expand_target(node.input(0), dims)?,
                    ("Slice", 1 | 2) => self.slice_bounds(node, position, dims)?,
                    _ => self.vector(dims)?,
                },
            });
        }
        if stands_for_size(node) {
            self.values[node.outputs[0].0] = inputs.into_iter().next();
            return Ok(());
        }
        let name = self.names.node(&node.path, node.op);
        let mut file = Node::new(node.op).named(name.clone());
        let wanted = self.wanted(node);
        let mut written = Vec::new();
        for (position, output) in node.outputs.iter().take(wanted).enumerate() {
            if may_be_left_out(node.op) && self.uses[output.0] == 0 {
                file = file.output(String::new());
                continue;
            }
            let value = match &self.values[output.0] {
                Some(value) => value.clone(),
                None => self.names.value(&format!("{name}_output_{position}")),
            };
            self.values[output.0] = Some(value.clone());
            written.push(*output);
            file = file.output(value);
        }
        file.attributes = node.attributes.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect();
        self.nodes.push(file.inputs(inputs));
        self.written.extend(written);
        Ok(())
    }

    /// How many results have to be named: all, or those up to the last that has a user.
    fn wanted(&self, node: &crate::graph::Node) -> usize {
        match may_be_left_out(node.op) {
            true => node.outputs.iter().rposition(|output| self.uses[output.0] > 0).map_or(0, |last| last + 1),
            false => node.outputs.len(),
        }
    }

    /// The name of a value; constants and parameters become initialisers when they are first used.
    fn value(&mut self, id: ValueId) -> Result<String, ExportError> {
        if let Some(name) = &self.values[id.0] {
            return Ok(name.clone());
        }
        let graph = self.graph;
        let value = graph.value(id);
        let dims: Vec<u64> = value
            .shape
            .iter()
            .map(|dim| dim.as_fixed().and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
            .collect();
        let (name, bytes) = match &value.source {
            Source::Constant(bytes) => (self.names.value("constant"), bytes.clone()),
            Source::Derived { name, bytes } => (self.names.value(name), bytes.clone()),
            Source::Parameter { index, .. } => {
                let missing = || ExportError::Internal { message: "a parameter without bytes".to_string() };
                let parameter = graph.parameters.get(*index).ok_or_else(missing)?;
                let bytes = graph.bytes(id).ok_or_else(missing)?;
                (self.names.value(&parameter.path), file_bytes(value.dtype, parameter, bytes))
            }
            Source::Input(_) | Source::Node => {
                return Err(ExportError::Internal { message: "a value is used before it is computed".to_string() });
            }
        };
        self.initializers.push(Tensor::new(name.clone(), value.dtype, dims, bytes)?);
        self.values[id.0] = Some(name.clone());
        Ok(name)
    }

    fn push(&mut self, op: &'static str, inputs: &[String], attributes: &[(&str, Attribute)]) -> String {
        let name = self.names.node(&self.path.clone(), op);
        let output = self.names.value(&format!("{name}_output_0"));
        let mut node = Node::new(op).named(name).inputs(inputs.iter().cloned()).output(output.clone());
        for (name, value) in attributes {
            node = node.attribute(*name, value.clone());
        }
        self.nodes.push(node);
        output
    }

    /// An int64 constant: a vector, or the scalar of its one element.
    fn whole(&mut self, elements: &[i64], scalar: bool) -> Result<String, ExportError> {
        let key = (scalar, elements.to_vec());
        if let Some(name) = self.constants.get(&key) {
            return Ok(name.clone());
        }
        let name = self.names.value("constant");
        let dims = if scalar { Vec::new() } else { vec![elements.len() as u64] };
        let bytes: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
        self.initializers.push(Tensor::new(name.clone(), DataType::I64, dims, bytes)?);
        self.constants.insert(key, name.clone());
        Ok(name)
    }
}

/// ONNX keeps one byte for a boolean, Burn may keep four.
fn file_bytes(dtype: DataType, parameter: &Parameter, bytes: bytes::Bytes) -> bytes::Bytes {
    let width = parameter.dtype.size();
    if dtype != DataType::Bool || width == 1 {
        return bytes;
    }
    let truths: Vec<u8> = bytes.chunks_exact(width).map(|word| u8::from(word.iter().any(|byte| *byte != 0))).collect();
    truths.into()
}
