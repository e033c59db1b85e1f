//! Sorting and the largest elements, all by TopK.

use burn::backend::ir::{ReduceDimOpIr, SortOpIr, SortWithIndicesOpIr, TensorIr, TopKWithIndicesOpIr};
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::graph::ValueId;
use crate::symbolic::Dim;

impl Lowering<'_> {
    /// TopK in sorted order; ties go to the lower index, which makes it a stable sort.
    fn largest(&mut self, x: ValueId, axis: usize, count: &Dim, descending: bool) -> [ValueId; 2] {
        let mut shape = self.b.shape(x);
        shape[axis] = count.clone();
        let kinds = [(self.b.dtype(x), shape.clone()), (DataType::I64, shape)];
        let attributes = [("axis", (axis as i64).into()), ("largest", descending.into()), ("sorted", 1i64.into())];
        self.b.nodes("TopK", [x.into(), Self::sizes([count.clone()])], attributes, kinds)
    }

    fn count_along(&mut self, out: &TensorIr, axis: usize) -> Dim {
        // The number of results is a size of the output, which is proven.
        self.follows_from_shapes("/k");
        self.shape(out)[axis].clone()
    }

    pub(super) fn sort(&mut self, op: &SortOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let count = self.count_along(&op.out, op.dim);
        let [sorted, _] = self.largest(x, op.dim, &count, op.descending);
        self.bind(&op.out, sorted)
    }

    pub(super) fn arg_sort(&mut self, op: &SortOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let count = self.count_along(&op.out, op.dim);
        let [_, indices] = self.largest(x, op.dim, &count, op.descending);
        self.bind(&op.out, indices)
    }

    pub(super) fn sort_with_indices(&mut self, op: &SortWithIndicesOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let count = self.count_along(&op.out, op.dim);
        let [sorted, indices] = self.largest(x, op.dim, &count, op.descending);
        self.bind(&op.out, sorted)?;
        self.bind(&op.out_indices, indices)
    }

    pub(super) fn top_k(&mut self, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let count = self.count_along(&op.out, op.axis);
        let [values, _] = self.largest(x, op.axis, &count, true);
        self.bind(&op.out, values)
    }

    pub(super) fn arg_top_k(&mut self, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let count = self.count_along(&op.out, op.axis);
        let [_, indices] = self.largest(x, op.axis, &count, true);
        self.bind(&op.out, indices)
    }

    pub(super) fn top_k_with_indices(&mut self, op: &TopKWithIndicesOpIr) -> Result<()> {
        let x = self.value(&op.tensor)?;
        let count = self.count_along(&op.out, op.dim);
        let [values, indices] = self.largest(x, op.dim, &count, true);
        self.bind(&op.out, values)?;
        self.bind(&op.out_indices, indices)
    }
}
