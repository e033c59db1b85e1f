//! Comparisons, choices by mask, and questions about all elements.

use burn::backend::ir::{BinaryOpIr, MaskFillOpIr, MaskWhereOpIr, ReduceDimOpIr, ReduceOpIr, ScalarOpIr};
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::graph::ValueId;

impl Lowering<'_> {
    pub(super) fn compare(&mut self, name: &'static str, op: &BinaryOpIr) -> Result<()> {
        let (left, right) = self.pair(op)?;
        let out = self.b.compare(name, left, right);
        self.bind(&op.out, out)
    }

    pub(super) fn compare_scalar(&mut self, name: &'static str, op: &ScalarOpIr) -> Result<()> {
        let left = self.value(&op.lhs)?;
        let right = self.scalar(0, op.rhs, self.b.dtype(left));
        let out = self.b.compare(name, left, right);
        self.bind(&op.out, out)
    }

    pub(super) fn differ(&mut self, op: &BinaryOpIr) -> Result<()> {
        let (left, right) = self.pair(op)?;
        let equal = self.b.compare("Equal", left, right);
        let out = self.b.not(equal);
        self.bind(&op.out, out)
    }

    pub(super) fn differ_scalar(&mut self, op: &ScalarOpIr) -> Result<()> {
        let left = self.value(&op.lhs)?;
        let right = self.scalar(0, op.rhs, self.b.dtype(left));
        let equal = self.b.compare("Equal", left, right);
        let out = self.b.not(equal);
        self.bind(&op.out, out)
    }

    pub(super) fn mask_where(&mut self, op: &MaskWhereOpIr) -> Result<()> {
        let (x, mask, value) = (self.value(&op.tensor)?, self.value(&op.mask)?, self.value(&op.value)?);
        let value = self.b.cast(value, self.b.dtype(x));
        let out = self.b.choose(mask, value, x);
        self.bind(&op.out, out)
    }

    pub(super) fn mask_fill(&mut self, op: &MaskFillOpIr) -> Result<()> {
        let (x, mask) = (self.value(&op.tensor)?, self.value(&op.mask)?);
        let value = self.scalar(0, op.value, self.b.dtype(x));
        let out = self.b.choose(mask, value, x);
        self.bind(&op.out, out)
    }

    pub(super) fn every(&mut self, op: &ReduceOpIr) -> Result<()> {
        let x = self.truth(op)?;
        let out = self.flat_reduce("ReduceMin", x);
        let out = self.is_one(out);
        self.bind(&op.out, out)
    }

    pub(super) fn some(&mut self, op: &ReduceOpIr) -> Result<()> {
        let x = self.truth(op)?;
        let out = self.flat_reduce("ReduceMax", x);
        let out = self.is_one(out);
        self.bind(&op.out, out)
    }

    pub(super) fn every_along(&mut self, op: &ReduceDimOpIr) -> Result<()> {
        self.question_along("ReduceMin", op)
    }

    pub(super) fn some_along(&mut self, op: &ReduceDimOpIr) -> Result<()> {
        self.question_along("ReduceMax", op)
    }

    fn question_along(&mut self, name: &'static str, op: &ReduceDimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let x = self.as_int32(x);
        let out = self.b.reduce(name, x, &[op.axis]);
        let out = self.is_one(out);
        self.bind(&op.out, out)
    }

    /// Of nothing, the maximum is the lowest integer and the minimum the highest: only that is true.
    fn is_one(&mut self, extreme: ValueId) -> ValueId {
        let zero = self.b.whole(DataType::I32, 0);
        self.b.compare("Greater", extreme, zero)
    }

    fn truth(&mut self, op: &ReduceOpIr) -> Result<ValueId> {
        let x = self.value(&op.input)?;
        Ok(self.as_int32(x))
    }

    /// Zero or one as int32, which every reduction takes.
    fn as_int32(&mut self, x: ValueId) -> ValueId {
        let truth = self.b.cast(x, DataType::Bool);
        self.b.cast(truth, DataType::I32)
    }
}
