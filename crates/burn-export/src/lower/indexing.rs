//! Reading by index.

use burn::backend::ir::{EmbeddingOpIr, GatherNdOpIr, GatherOpIr, SelectOpIr};

use super::{Lowering, Result};

impl Lowering<'_> {
    pub(super) fn embedding(&mut self, op: &EmbeddingOpIr) -> Result<()> {
        let (weights, indices) = (self.value(&op.weights)?, self.value(&op.indices)?);
        let out = self.b.gather(weights, indices, 0);
        self.bind(&op.out, out)
    }

    pub(super) fn select(&mut self, op: &SelectOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.tensor)?, self.value(&op.indices)?);
        let out = self.b.gather(x, indices, op.dim);
        self.bind(&op.out, out)
    }

    pub(super) fn gather(&mut self, op: &GatherOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.tensor)?, self.value(&op.indices)?);
        let kind = (self.b.dtype(x), self.shape(&op.out));
        let attributes = [("axis", (op.dim as i64).into())];
        let out = self.b.node("GatherElements", [x.into(), indices.into()], attributes, kind);
        self.bind(&op.out, out)
    }

    pub(super) fn gather_nd(&mut self, op: &GatherNdOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.data)?, self.value(&op.indices)?);
        let indices = self.b.cast(indices, onnx_model::DataType::I64);
        let kind = (self.b.dtype(x), self.shape(&op.out));
        let out = self.b.node("GatherND", [x.into(), indices.into()], [], kind);
        self.bind(&op.out, out)
    }
}
