//! The graph between the recording and the file: ONNX operators on values with symbolic shapes.
//!
//! Operands that are sizes (the target of a `Reshape`, the bounds of a `Slice`) stay expressions until the file is
//! written, so that simplification sees what they mean.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use onnx_model::{Attribute, DataType};

use crate::capture::parameters::Parameter;
use crate::opset::Opset;
use crate::symbolic::Dim;

/// A value of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ValueId(pub(crate) usize);

/// A tensor that flows through the graph.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) dtype: DataType,
    pub(crate) shape: Vec<Dim>,
    pub(crate) source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// The graph input of this position.
    Input(usize),
    /// A node.
    Node,
    /// A parameter of the module, perhaps with its axes permuted and its shape changed.
    Parameter { index: usize, permutation: Option<Vec<usize>> },
    /// Little-endian elements.
    Constant(Bytes),
    /// Little-endian elements computed from parameters, and the name for them in the file.
    Derived { name: String, bytes: Bytes },
}

/// An input of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operand {
    /// An optional input that is not given.
    Absent,
    Value(ValueId),
    /// An int64 vector of sizes.
    Dims(Vec<Dim>),
    /// An int64 scalar.
    Size(Dim),
}

/// One operator.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) op: &'static str,
    pub(crate) inputs: Vec<Operand>,
    pub(crate) outputs: Vec<ValueId>,
    pub(crate) attributes: BTreeMap<&'static str, Attribute>,
    /// The module that it belongs to: `encoder.layers.0.attention`.
    pub(crate) path: String,
}

/// Operators in order of computation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    /// The operators are those of this version.
    pub(crate) opset: Opset,
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
    /// The module's parameters.
    pub(crate) parameters: Vec<Parameter>,
}

impl From<ValueId> for Operand {
    fn from(value: ValueId) -> Self {
        Operand::Value(value)
    }
}

impl Graph {
    pub(crate) fn add(&mut self, dtype: DataType, shape: Vec<Dim>, source: Source) -> ValueId {
        self.values.push(Value { dtype, shape, source });
        ValueId(self.values.len() - 1)
    }

    pub(crate) fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    pub(crate) fn shape(&self, id: ValueId) -> &[Dim] {
        &self.values[id.0].shape
    }

    pub(crate) fn dtype(&self, id: ValueId) -> DataType {
        self.values[id.0].dtype
    }

    /// Whether this is a parameter in another shape than the module keeps it in.
    pub(crate) fn reshaped(&self, id: ValueId) -> bool {
        let value = self.value(id);
        match &value.source {
            Source::Parameter { index, permutation: None } => {
                let own = self.parameters.get(*index).map(|parameter| parameter.shape.as_slice()).unwrap_or_default();
                own.len() != value.shape.len() || own.iter().zip(&value.shape).any(|(own, dim)| !dim.is(*own as i64))
            }
            _ => false,
        }
    }

    /// The elements of a constant.
    pub(crate) fn constant(&self, id: ValueId) -> Option<&Bytes> {
        match &self.values[id.0].source {
            Source::Constant(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The name of a parameter, or of what is computed from parameters, in the file.
    pub(crate) fn parameter_name(&self, id: ValueId) -> Option<String> {
        match &self.values[id.0].source {
            Source::Parameter { index, .. } => Some(self.parameters.get(*index)?.path.clone()),
            Source::Derived { name, .. } => Some(name.clone()),
            _ => None,
        }
    }

    /// The little-endian elements of what is known before the file runs, in row-major order.
    pub(crate) fn bytes(&self, id: ValueId) -> Option<Bytes> {
        match &self.values[id.0].source {
            Source::Constant(bytes) | Source::Derived { bytes, .. } => Some(bytes.clone()),
            Source::Parameter { index, permutation } => {
                let parameter = self.parameters.get(*index)?;
                let (bytes, width) = (&parameter.bytes, parameter.dtype.size());
                Some(match permutation {
                    None => bytes.clone(),
                    Some(permutation) => crate::elements::permute(bytes, &parameter.shape, permutation, width).into(),
                })
            }
            Source::Input(_) | Source::Node => None,
        }
    }

    /// The number, for a constant of one element.
    pub(crate) fn scalar(&self, id: ValueId) -> Option<f64> {
        let bytes = self.constant(id)?;
        let value = self.value(id);
        if !value.shape.iter().all(|dim| dim.is(1)) {
            return None;
        }
        crate::elements::read(value.dtype, bytes).and_then(|elements| elements.first().copied())
    }

    /// The node that computes a value.
    pub(crate) fn producers(&self) -> Vec<Option<usize>> {
        let mut producers = vec![None; self.values.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for output in &node.outputs {
                producers[output.0] = Some(index);
            }
        }
        producers
    }

    /// How often a value is used, graph outputs included.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        for value in self.nodes.iter().flat_map(Node::values).chain(self.outputs.iter().copied()) {
            uses[value.0] += 1;
        }
        uses
    }

    /// Lets `change` name nodes from the results back to the inputs, those whose results are still read alone: what only a node
    /// that was changed has read is not looked at. Says how many it changed.
    pub(crate) fn change_backwards(&mut self, mut change: impl FnMut(&mut Self, usize) -> bool) -> usize {
        let mut read: HashSet<ValueId> = self.outputs.iter().copied().collect();
        let mut count = 0;
        for index in (0..self.nodes.len()).rev() {
            if self.nodes[index].outputs.iter().any(|output| read.contains(output)) {
                count += usize::from(change(self, index));
                read.extend(self.nodes[index].values());
            }
        }
        count
    }

    /// Lets every user of `old` use `new`.
    pub(crate) fn replace(&mut self, old: ValueId, new: ValueId) {
        for operand in self.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            if *operand == Operand::Value(old) {
                *operand = Operand::Value(new);
            }
        }
        for output in &mut self.outputs {
            if *output == old {
                *output = new;
            }
        }
    }
}

impl Node {
    /// The values that it reads.
    pub(crate) fn values(&self) -> impl Iterator<Item = ValueId> {
        self.inputs.iter().filter_map(|operand| match operand {
            Operand::Value(value) => Some(*value),
            _ => None,
        })
    }

    /// The value at an input position.
    pub(crate) fn input(&self, position: usize) -> Option<ValueId> {
        match self.inputs.get(position) {
            Some(Operand::Value(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }
}

/// The shape of an element-wise operation's result.
pub(crate) fn broadcast(left: &[Dim], right: &[Dim]) -> Vec<Dim> {
    let rank = left.len().max(right.len());
    let at = |shape: &[Dim], axis: usize| -> Dim {
        (axis + shape.len()).checked_sub(rank).and_then(|axis| shape.get(axis).cloned()).unwrap_or(Dim::fixed(1))
    };
    (0..rank)
        .map(|axis| {
            let (left, right) = (at(left, axis), at(right, axis));
            if left.is(1) { right } else { left }
        })
        .collect()
}
