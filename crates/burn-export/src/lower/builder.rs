//! Operators in the form that the opset wants, with the shapes of their results.

use std::collections::BTreeMap;

use bytes::Bytes;
use onnx_model::{Attribute, DataType};

use crate::elements;
use crate::graph::{Graph, Node, Operand, Source, ValueId, broadcast};
use crate::opset::Opset;
use crate::symbolic::Dim;

/// Writes nodes.
pub(crate) struct Builder {
    pub(crate) graph: Graph,
    pub(crate) opset: Opset,
    /// The module path of the nodes being written.
    pub(crate) path: String,
}

/// What is known of a node's result.
pub(crate) type Kind = (DataType, Vec<Dim>);

impl Builder {
    pub(crate) fn new(opset: Opset) -> Self {
        Self { graph: Graph { opset, ..Graph::default() }, opset, path: String::new() }
    }

    pub(crate) fn since(&self, opset: Opset) -> bool {
        self.opset >= opset
    }

    pub(crate) fn dtype(&self, value: ValueId) -> DataType {
        self.graph.dtype(value)
    }

    pub(crate) fn shape(&self, value: ValueId) -> Vec<Dim> {
        self.graph.shape(value).to_vec()
    }

    pub(crate) fn rank(&self, value: ValueId) -> usize {
        self.graph.shape(value).len()
    }

    pub(crate) fn is_float(&self, value: ValueId) -> bool {
        elements::is_float(self.dtype(value))
    }

    /// Any operator with one result.
    pub(crate) fn node<const N: usize>(
        &mut self,
        op: &'static str,
        inputs: impl IntoIterator<Item = Operand>,
        attributes: [(&'static str, Attribute); N],
        kind: Kind,
    ) -> ValueId {
        let outputs = self.nodes(op, inputs, attributes, [kind]);
        outputs[0]
    }

    /// Any operator with several results.
    pub(crate) fn nodes<const N: usize, const M: usize>(
        &mut self,
        op: &'static str,
        inputs: impl IntoIterator<Item = Operand>,
        attributes: [(&'static str, Attribute); N],
        kinds: [Kind; M],
    ) -> [ValueId; M] {
        let outputs = kinds.map(|(dtype, shape)| self.graph.add(dtype, shape, Source::Node));
        self.graph.nodes.push(Node {
            op,
            inputs: inputs.into_iter().collect(),
            outputs: outputs.to_vec(),
            attributes: BTreeMap::from(attributes),
            path: self.path.clone(),
        });
        outputs
    }

    /// An operator whose attributes and results are known at run time only.
    pub(crate) fn layer(
        &mut self,
        op: &'static str,
        inputs: Vec<Operand>,
        attributes: Vec<(&'static str, Attribute)>,
        kinds: Vec<Kind>,
    ) -> Vec<ValueId> {
        let outputs: Vec<ValueId> =
            kinds.into_iter().map(|(dtype, shape)| self.graph.add(dtype, shape, Source::Node)).collect();
        let (attributes, path) = (attributes.into_iter().collect(), self.path.clone());
        self.graph.nodes.push(Node { op, inputs, outputs: outputs.clone(), attributes, path });
        outputs
    }

    /// A constant tensor.
    pub(crate) fn constant(&mut self, dtype: DataType, shape: &[usize], bytes: impl Into<Bytes>) -> ValueId {
        let shape = shape.iter().map(|size| Dim::fixed(*size as i64)).collect();
        self.graph.add(dtype, shape, Source::Constant(bytes.into()))
    }

    /// A constant without axes.
    pub(crate) fn scalar(&mut self, dtype: DataType, real: f64) -> ValueId {
        self.constant(dtype, &[], elements::element(dtype, real, real as i64))
    }

    /// A whole constant without axes.
    pub(crate) fn whole(&mut self, dtype: DataType, whole: i64) -> ValueId {
        self.constant(dtype, &[], elements::element(dtype, whole as f64, whole))
    }

    /// A constant like `value` in type.
    pub(crate) fn scalar_like(&mut self, value: ValueId, real: f64) -> ValueId {
        self.scalar(self.dtype(value), real)
    }

    /// An int64 constant vector.
    pub(crate) fn ints(&mut self, values: &[i64]) -> ValueId {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DataType::I64, &[values.len()], bytes)
    }

    /// An element-wise operator of one input.
    pub(crate) fn unary(&mut self, op: &'static str, x: ValueId) -> ValueId {
        let kind = (self.dtype(x), self.shape(x));
        self.node(op, [x.into()], [], kind)
    }

    /// An element-wise operator of two inputs, which broadcast.
    pub(crate) fn binary(&mut self, op: &'static str, left: ValueId, right: ValueId) -> ValueId {
        let kind = (self.dtype(left), broadcast(self.graph.shape(left), self.graph.shape(right)));
        self.node(op, [left.into(), right.into()], [], kind)
    }

    /// An element-wise operator with a scalar on the right.
    pub(crate) fn with_scalar(&mut self, op: &'static str, left: ValueId, right: f64) -> ValueId {
        let right = self.scalar_like(left, right);
        self.binary(op, left, right)
    }

    pub(crate) fn add(&mut self, left: ValueId, right: ValueId) -> ValueId {
        self.binary("Add", left, right)
    }

    pub(crate) fn sub(&mut self, left: ValueId, right: ValueId) -> ValueId {
        self.binary("Sub", left, right)
    }

    pub(crate) fn mul(&mut self, left: ValueId, right: ValueId) -> ValueId {
        self.binary("Mul", left, right)
    }

    pub(crate) fn div(&mut self, left: ValueId, right: ValueId) -> ValueId {
        self.binary("Div", left, right)
    }

    pub(crate) fn not(&mut self, x: ValueId) -> ValueId {
        self.unary("Not", x)
    }

    /// A comparison, `Equal`, `Greater` or `Less`, or their union.
    pub(crate) fn compare(&mut self, op: &'static str, left: ValueId, right: ValueId) -> ValueId {
        let kind = (DataType::Bool, broadcast(self.graph.shape(left), self.graph.shape(right)));
        // GreaterOrEqual and LessOrEqual came with opset 12. `Not(Less)` would be true for NaN.
        let strict = match op {
            "GreaterOrEqual" if !self.since(Opset::V12) => "Greater",
            "LessOrEqual" if !self.since(Opset::V12) => "Less",
            _ => return self.node(op, [left.into(), right.into()], [], kind),
        };
        let strict = self.compare(strict, left, right);
        let equal = self.compare("Equal", left, right);
        self.binary("Or", strict, equal)
    }

    pub(crate) fn cast(&mut self, x: ValueId, dtype: DataType) -> ValueId {
        if self.dtype(x) == dtype {
            return x;
        }
        let kind = (dtype, self.shape(x));
        self.node("Cast", [x.into()], [("to", dtype.into())], kind)
    }

    /// `Where(condition, yes, no)`; for booleans by logic, as runtimes have no such kernel.
    pub(crate) fn choose(&mut self, condition: ValueId, yes: ValueId, no: ValueId) -> ValueId {
        let dtype = self.dtype(yes);
        if dtype == DataType::Bool {
            let yes = self.binary("And", condition, yes);
            let inverse = self.not(condition);
            let no = self.binary("And", inverse, no);
            return self.binary("Or", yes, no);
        }
        let shape = broadcast(self.graph.shape(yes), self.graph.shape(no));
        let shape = broadcast(self.graph.shape(condition), &shape);
        self.node("Where", [condition.into(), yes.into(), no.into()], [], (dtype, shape))
    }

    pub(crate) fn reshape(&mut self, x: ValueId, shape: Vec<Dim>) -> ValueId {
        if self.graph.shape(x) == shape {
            return x;
        }
        let dtype = self.dtype(x);
        self.node("Reshape", [x.into(), Operand::Dims(shape.clone())], [], (dtype, shape))
    }

    /// Inserts axes of size one at these positions of the result.
    pub(crate) fn unsqueeze(&mut self, x: ValueId, axes: &[usize]) -> ValueId {
        let mut shape = self.shape(x);
        for axis in axes {
            shape.insert(*axis, Dim::fixed(1));
        }
        let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        let dtype = self.dtype(x);
        self.with_axes("Unsqueeze", Opset::V13, x, &axes, None, (dtype, shape))
    }

    /// An operator whose `axes` moved from the attributes to the inputs at `moved`.
    pub(crate) fn with_axes(
        &mut self,
        op: &'static str,
        moved: Opset,
        x: ValueId,
        axes: &[i64],
        keep: Option<bool>,
        kind: Kind,
    ) -> ValueId {
        let mut attributes = BTreeMap::new();
        if let Some(keep) = keep {
            attributes.insert("keepdims", Attribute::from(keep));
        }
        let mut inputs = vec![Operand::Value(x)];
        if self.since(moved) {
            inputs.push(Operand::Dims(axes.iter().copied().map(Dim::fixed).collect()));
        } else {
            attributes.insert("axes", axes.into());
        }
        let output = self.graph.add(kind.0, kind.1, Source::Node);
        self.graph.nodes.push(Node { op, inputs, outputs: vec![output], attributes, path: self.path.clone() });
        output
    }

    /// A reduction that keeps the axes with size one.
    pub(crate) fn reduce(&mut self, op: &'static str, x: ValueId, axes: &[usize]) -> ValueId {
        // ReduceSum takes its axes as an input from opset 13, the others from 18.
        let moved = if op == "ReduceSum" { Opset::V13 } else { Opset::V18 };
        let mut shape = self.shape(x);
        let rank = shape.len() as i64;
        for axis in axes {
            shape[*axis] = Dim::fixed(1);
        }
        // The last axis is written -1, as the fusions of ONNX Runtime expect of a LayerNorm.
        let last = |axis: usize| if axis as i64 == rank - 1 && axes.len() == 1 { -1 } else { axis as i64 };
        let axes: Vec<i64> = axes.iter().map(|axis| last(*axis)).collect();
        let dtype = self.dtype(x);
        self.with_axes(op, moved, x, &axes, Some(true), (dtype, shape))
    }

    pub(crate) fn transpose(&mut self, x: ValueId, permutation: &[usize]) -> ValueId {
        if permutation.iter().enumerate().all(|(to, from)| to == *from) {
            return x;
        }
        let from = self.shape(x);
        let shape = permutation.iter().map(|axis| from[*axis].clone()).collect();
        let perm: Vec<i64> = permutation.iter().map(|axis| *axis as i64).collect();
        let dtype = self.dtype(x);
        self.node("Transpose", [x.into()], [("perm", perm.into())], (dtype, shape))
    }

    pub(crate) fn swap(&mut self, x: ValueId, left: usize, right: usize) -> ValueId {
        let mut permutation: Vec<usize> = (0..self.rank(x)).collect();
        permutation.swap(left, right);
        self.transpose(x, &permutation)
    }

    pub(crate) fn expand(&mut self, x: ValueId, shape: Vec<Dim>) -> ValueId {
        if self.graph.shape(x) == shape {
            return x;
        }
        let dtype = self.dtype(x);
        self.node("Expand", [x.into(), Operand::Dims(shape.clone())], [], (dtype, shape))
    }

    /// Zeros before and after along the last axes.
    pub(crate) fn pad(&mut self, x: ValueId, before: &[Dim], after: &[Dim]) -> ValueId {
        let mut shape = self.shape(x);
        let first = shape.len() - before.len();
        let zeros = vec![Dim::fixed(0); first];
        for (size, (before, after)) in shape[first..].iter_mut().zip(before.iter().zip(after)) {
            *size = &(&*size + before) + after;
        }
        let pads = [&zeros, before, &zeros, after].concat();
        let dtype = self.dtype(x);
        self.node("Pad", [x.into(), Operand::Dims(pads)], [("mode", "constant".into())], (dtype, shape))
    }

    /// One axis from `start` to before `end`, both counted from the front.
    pub(crate) fn slice(&mut self, x: ValueId, axis: usize, start: Dim, end: Dim) -> ValueId {
        let mut shape = self.shape(x);
        if start.is(0) && end == shape[axis] {
            return x;
        }
        shape[axis] = &end - &start;
        self.slice_to(x, vec![axis], vec![start], vec![end], vec![1], shape)
    }

    pub(crate) fn slice_to(
        &mut self,
        x: ValueId,
        axes: Vec<usize>,
        starts: Vec<Dim>,
        ends: Vec<Dim>,
        steps: Vec<i64>,
        shape: Vec<Dim>,
    ) -> ValueId {
        let fixed = |values: Vec<i64>| Operand::Dims(values.into_iter().map(Dim::fixed).collect());
        let mut inputs = vec![x.into(), Operand::Dims(starts), Operand::Dims(ends)];
        inputs.push(fixed(axes.into_iter().map(|axis| axis as i64).collect()));
        if steps.iter().any(|step| *step != 1) {
            inputs.push(fixed(steps));
        }
        let dtype = self.dtype(x);
        self.node("Slice", inputs, [], (dtype, shape))
    }

    pub(crate) fn concat(&mut self, parts: &[ValueId], axis: usize) -> ValueId {
        let Some((first, rest)) = parts.split_first() else { return self.ints(&[]) };
        if rest.is_empty() {
            return *first;
        }
        let mut shape = self.shape(*first);
        for part in rest {
            shape[axis] = &shape[axis] + &self.graph.shape(*part)[axis];
        }
        let dtype = self.dtype(*first);
        let inputs: Vec<Operand> = parts.iter().map(|part| Operand::Value(*part)).collect();
        self.node("Concat", inputs, [("axis", (axis as i64).into())], (dtype, shape))
    }

    pub(crate) fn gather(&mut self, x: ValueId, indices: ValueId, axis: usize) -> ValueId {
        let from = self.shape(x);
        let shape = [&from[..axis], self.graph.shape(indices), &from[axis + 1..]].concat();
        let dtype = self.dtype(x);
        self.node("Gather", [x.into(), indices.into()], [("axis", (axis as i64).into())], (dtype, shape))
    }

    pub(crate) fn matmul(&mut self, left: ValueId, right: ValueId) -> ValueId {
        let (a, b) = (self.shape(left), self.shape(right));
        let mut shape = broadcast(&a[..a.len() - 2], &b[..b.len() - 2]);
        shape.push(a[a.len() - 2].clone());
        shape.push(b[b.len() - 1].clone());
        let dtype = self.dtype(left);
        self.node("MatMul", [left.into(), right.into()], [], (dtype, shape))
    }

    /// `0, 1, … count - 1` as int64 or another type.
    pub(crate) fn range(&mut self, count: &Dim, dtype: DataType) -> ValueId {
        let kind = (DataType::I64, vec![count.clone()]);
        let inputs = [Operand::Size(Dim::fixed(0)), Operand::Size(count.clone()), Operand::Size(Dim::fixed(1))];
        let range = self.node("Range", inputs, [], kind);
        self.cast(range, dtype)
    }

    /// A size as a scalar tensor.
    pub(crate) fn size(&mut self, size: &Dim, dtype: DataType) -> ValueId {
        if let Some(size) = size.as_fixed() {
            return self.whole(dtype, size);
        }
        let size = self.node("Identity", [Operand::Size(size.clone())], [], (DataType::I64, Vec::new()));
        self.cast(size, dtype)
    }

    /// A tensor of one number.
    pub(crate) fn filled(&mut self, shape: &[Dim], dtype: DataType, real: f64, whole: i64) -> ValueId {
        let scalar = self.constant(dtype, &[], elements::element(dtype, real, whole));
        self.expand(scalar, shape.to_vec())
    }

    /// Softmax or LogSoftmax over one axis.
    pub(crate) fn softmax(&mut self, op: &'static str, x: ValueId, axis: usize) -> ValueId {
        let kind = (self.dtype(x), self.shape(x));
        let last = self.rank(x) - 1;
        // Before opset 13, the axes from `axis` on were flattened into one: the same only for the last axis.
        if axis != last && !self.since(Opset::V13) {
            let swapped = self.swap(x, axis, last);
            let result = self.softmax(op, swapped, last);
            return self.swap(result, axis, last);
        }
        // The last axis is written -1 where the meaning is the same, which is what fusions look for.
        let axis = if axis == last && self.since(Opset::V13) { -1 } else { axis as i64 };
        self.node(op, [x.into()], [("axis", axis.into())], kind)
    }
}
