//! Sums, products, extremes and means.

use burn::backend::ir::{ReduceDimOpIr, ReduceDimWithIndicesOpIr, ReduceDimsOpIr, ReduceOpIr};
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::graph::ValueId;
use crate::symbolic::Dim;

impl Lowering<'_> {
    pub(super) fn reduce_all(&mut self, name: &'static str, op: &ReduceOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.flat_reduce(name, x);
        self.bind(&op.out, out)
    }

    /// All elements to a tensor of shape `[1]`.
    pub(super) fn flat_reduce(&mut self, name: &'static str, x: ValueId) -> ValueId {
        let count = Self::count(self.b.graph.shape(x));
        let flat = self.b.reshape(x, vec![count]);
        self.b.reduce(name, flat, &[0])
    }

    pub(super) fn reduce_along(&mut self, name: &'static str, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.b.reduce(name, x, &[op.axis]);
        self.bind(&op.out, out)
    }

    pub(super) fn sum_along_several(&mut self, op: &ReduceDimsOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = if op.axes.is_empty() { x } else { self.b.reduce("ReduceSum", x, &op.axes) };
        self.bind(&op.out, out)
    }

    pub(super) fn mean_along(&mut self, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = if self.b.is_float(x) {
            self.b.reduce("ReduceMean", x, &[op.axis])
        } else {
            let count = self.b.graph.shape(x)[op.axis].clone();
            let sum = self.b.reduce("ReduceSum", x, &[op.axis]);
            self.divide_by_size(sum, &count)
        };
        self.bind(&op.out, out)
    }

    pub(super) fn mean_all(&mut self, op: &ReduceOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = if self.b.is_float(x) {
            self.flat_reduce("ReduceMean", x)
        } else {
            let count = Self::count(self.b.graph.shape(x));
            let sum = self.flat_reduce("ReduceSum", x);
            self.divide_by_size(sum, &count)
        };
        self.bind(&op.out, out)
    }

    fn divide_by_size(&mut self, sum: ValueId, count: &Dim) -> ValueId {
        let count = self.b.size(count, self.b.dtype(sum));
        self.b.div(sum, count)
    }

    pub(super) fn max_abs_all(&mut self, op: &ReduceOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let x = self.b.unary("Abs", x);
        let out = self.flat_reduce("ReduceMax", x);
        self.bind(&op.out, out)
    }

    pub(super) fn max_abs_along(&mut self, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let x = self.b.unary("Abs", x);
        let out = self.b.reduce("ReduceMax", x, &[op.axis]);
        self.bind(&op.out, out)
    }

    pub(super) fn arg_extreme(&mut self, name: &'static str, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.position_of(name, x, op.axis);
        self.bind(&op.out, out)
    }

    /// The first position of the extreme.
    fn position_of(&mut self, name: &'static str, x: ValueId, axis: usize) -> ValueId {
        let mut shape = self.b.shape(x);
        shape[axis] = Dim::fixed(1);
        let attributes = [("axis", (axis as i64).into()), ("keepdims", 1i64.into())];
        self.b.node(name, [x.into()], attributes, (DataType::I64, shape))
    }

    pub(super) fn extreme_with_indices(&mut self, largest: bool, op: &ReduceDimWithIndicesOpIr) -> Result<()> {
        let x = self.value(&op.tensor)?;
        let (reduce, arg) = if largest { ("ReduceMax", "ArgMax") } else { ("ReduceMin", "ArgMin") };
        let out = self.b.reduce(reduce, x, &[op.dim]);
        let indices = self.position_of(arg, x, op.dim);
        self.bind(&op.out, out)?;
        self.bind(&op.out_indices, indices)
    }
}
