//! Writing by index.

use burn::backend::ir::{ScatterNdOpIr, ScatterOpIr, SelectAssignOpIr};
use burn::tensor::IndexingUpdateOp;
use onnx_model::{Attribute, DataType};

use super::{Lowering, Result};
use crate::graph::ValueId;
use crate::opset::Opset;

impl Lowering<'_> {
    /// The attribute that says how a new value meets the old one, and the opset that knows it.
    fn update(&self, update: &IndexingUpdateOp) -> Result<Option<&'static str>> {
        let (name, lowest) = match update {
            IndexingUpdateOp::Assign => return Ok(None),
            IndexingUpdateOp::Add => ("add", Opset::V16),
            IndexingUpdateOp::Mul => ("mul", Opset::V16),
            IndexingUpdateOp::Min => ("min", Opset::V18),
            IndexingUpdateOp::Max => ("max", Opset::V18),
        };
        self.need(lowest)?;
        Ok(Some(name))
    }

    fn scatter_elements(
        &mut self,
        x: ValueId,
        axis: usize,
        indices: ValueId,
        value: ValueId,
        update: &IndexingUpdateOp,
    ) -> Result<ValueId> {
        // Booleans are scattered as int32: "add" on them is "or".
        let dtype = self.b.dtype(x);
        let (x, value) = match dtype {
            DataType::Bool => (self.b.cast(x, DataType::I32), self.b.cast(value, DataType::I32)),
            _ => (x, self.b.cast(value, dtype)),
        };
        let kind = (self.b.dtype(x), self.b.shape(x));
        let inputs = [x.into(), indices.into(), value.into()];
        let axis = Attribute::from(axis as i64);
        let out = match self.update(update)? {
            None => self.b.node("ScatterElements", inputs, [("axis", axis)], kind),
            Some(name) => self.b.node("ScatterElements", inputs, [("axis", axis), ("reduction", name.into())], kind),
        };
        Ok(self.b.cast(out, dtype))
    }

    pub(super) fn scatter(&mut self, op: &ScatterOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.tensor)?, self.value(&op.indices)?);
        let value = self.value(&op.value)?;
        let out = self.scatter_elements(x, op.dim, indices, value, &op.update)?;
        self.bind(&op.out, out)
    }

    pub(super) fn select_assign(&mut self, op: &SelectAssignOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.tensor)?, self.value(&op.indices)?);
        let value = self.value(&op.value)?;
        // One index a slice, repeated over the slice.
        let rank = self.b.rank(x);
        let trailing: Vec<usize> = (1..rank - op.dim).collect();
        let column = if trailing.is_empty() { indices } else { self.b.unsqueeze(indices, &trailing) };
        let shape = self.b.shape(value);
        let indices = self.b.expand(column, shape);
        let out = self.scatter_elements(x, op.dim, indices, value, &op.update)?;
        self.bind(&op.out, out)
    }

    pub(super) fn scatter_nd(&mut self, op: &ScatterNdOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.data)?, self.value(&op.indices)?);
        let value = self.value(&op.values)?;
        let indices = self.b.cast(indices, DataType::I64);
        let kind = (self.b.dtype(x), self.b.shape(x));
        let inputs = [x.into(), indices.into(), value.into()];
        let out = match self.update(&op.reduction)? {
            None => self.b.node("ScatterND", inputs, [], kind),
            Some(name) => self.b.node("ScatterND", inputs, [("reduction", name.into())], kind),
        };
        self.bind(&op.out, out)
    }
}
