//! Writing by index.
//!
//! `ScatterElements` and `ScatterND` add and multiply from opset 16, and compare from 18. Below, every element of the result
//! meets every update, and takes those that name it: that takes memory for the product of both numbers.

use burn::backend::ir::{ScatterNdOpIr, ScatterOpIr, SelectAssignOpIr};
use burn::tensor::IndexingUpdateOp;
use onnx_model::{Attribute, DataType};

use super::{Lowering, Result};
use crate::graph::ValueId;
use crate::opset::Opset;
use crate::symbolic::Dim;

impl Lowering<'_> {
    /// The attribute that says how a new value meets the old one, if this opset has it.
    fn update(&self, update: &IndexingUpdateOp) -> Option<&'static str> {
        let (name, lowest) = match update {
            IndexingUpdateOp::Assign => return None,
            IndexingUpdateOp::Add => ("add", Opset::V16),
            IndexingUpdateOp::Mul => ("mul", Opset::V16),
            IndexingUpdateOp::Min => ("min", Opset::V18),
            IndexingUpdateOp::Max => ("max", Opset::V18),
        };
        self.b.since(lowest).then_some(name)
    }

    /// The type in which old and new values meet. Booleans are int32, where "add" is "or". Halves are f32: with a
    /// reduction, ONNX Runtime loads a scatter of them, and fails when it runs.
    fn combined_as(&self, dtype: DataType, update: &IndexingUpdateOp) -> DataType {
        match dtype {
            DataType::Bool => DataType::I32,
            DataType::F16 | DataType::BF16 if self.update(update).is_some() => DataType::F32,
            other => other,
        }
    }

    fn scatter_elements(
        &mut self,
        x: ValueId,
        axis: usize,
        indices: ValueId,
        value: ValueId,
        update: &IndexingUpdateOp,
    ) -> Result<ValueId> {
        let dtype = self.b.dtype(x);
        let combined = self.combined_as(dtype, update);
        let (x, value) = (self.b.cast(x, combined), self.b.cast(value, combined));
        if let Some(out) = self.accumulate(x, axis, indices, value, update)? {
            return Ok(self.b.cast(out, dtype));
        }
        // `ScatterElements` wants an index for each element.
        let indices = self.b.expand(indices, self.b.shape(value));
        let kind = (self.b.dtype(x), self.b.shape(x));
        let inputs = [x.into(), indices.into(), value.into()];
        let axis = Attribute::from(axis as i64);
        let out = match self.update(update) {
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
        // One index a slice.
        let indices = self.column(indices, self.b.rank(x) - op.dim - 1);
        let out = self.scatter_elements(x, op.dim, indices, value, &op.update)?;
        self.bind(&op.out, out)
    }

    pub(super) fn scatter_nd(&mut self, op: &ScatterNdOpIr) -> Result<()> {
        let (x, indices) = (self.value(&op.data)?, self.value(&op.indices)?);
        let value = self.value(&op.values)?;
        let indices = self.b.cast(indices, DataType::I64);
        let combined = self.combined_as(self.b.dtype(x), &op.reduction);
        let (x, value) = (self.b.cast(x, combined), self.b.cast(value, combined));
        let kind = (self.b.dtype(x), self.b.shape(x));
        let inputs = [x.into(), indices.into(), value.into()];
        let out = match self.update(&op.reduction) {
            Some(name) => self.b.node("ScatterND", inputs, [("reduction", name.into())], kind),
            None if op.reduction == IndexingUpdateOp::Assign => self.b.node("ScatterND", inputs, [], kind),
            None => self.accumulate_rows(x, indices, value, &op.reduction)?,
        };
        self.bind(&op.out, out)
    }

    /// `ScatterND` with a reduction by way of [`accumulate`](Self::accumulate): the axes that an index spans become one.
    fn accumulate_rows(
        &mut self,
        x: ValueId,
        indices: ValueId,
        value: ValueId,
        update: &IndexingUpdateOp,
    ) -> Result<ValueId> {
        let (shape, index_shape) = (self.b.shape(x), self.b.shape(indices));
        let (Some(last), count) = (index_shape.last(), index_shape.len().saturating_sub(1)) else {
            return Err(self.refuse("an index without axes"));
        };
        let span = self.fixed(last, "number of axes in an index")? as usize;
        let (outer, inner) = shape.split_at(span.min(shape.len()));
        let (rows, row) = (Dim::product(outer), Dim::product(inner));
        let updates = Dim::product(&index_shape[..count]);
        let flat = self.b.reshape(indices, vec![updates.clone(), Dim::fixed(span as i64)]);
        // The place of each row, from its coordinates.
        let mut place: Option<ValueId> = None;
        for (axis, size) in outer.iter().enumerate() {
            let coordinate = self.b.slice(flat, 1, Dim::fixed(axis as i64), Dim::fixed(axis as i64 + 1));
            place = Some(match place {
                None => coordinate,
                Some(place) => {
                    let size = self.b.size(size, DataType::I64);
                    let scaled = self.b.mul(place, size);
                    self.b.add(scaled, coordinate)
                }
            });
        }
        let Some(place) = place else { return Err(self.refuse("an index of no axes")) };
        let x = self.b.reshape(x, vec![rows, row.clone()]);
        let value = self.b.reshape(value, vec![updates, row]);
        let out = self.accumulate(x, 0, place, value, update)?;
        let out = out.ok_or_else(|| self.refuse("updates that do not fill a row"))?;
        Ok(self.b.reshape(out, shape))
    }

    /// Indices with axes of size one behind them.
    fn column(&mut self, indices: ValueId, trailing: usize) -> ValueId {
        let rank = self.b.rank(indices);
        let axes: Vec<usize> = (rank..rank + trailing).collect();
        if axes.is_empty() { indices } else { self.b.unsqueeze(indices, &axes) }
    }

    /// A reduction that the opset's own operators lack; `None` where they have it.
    ///
    /// `value` has the sizes of `x` but for `axis`, and `indices` broadcasts to it.
    fn accumulate(
        &mut self,
        x: ValueId,
        axis: usize,
        indices: ValueId,
        value: ValueId,
        update: &IndexingUpdateOp,
    ) -> Result<Option<ValueId>> {
        if *update == IndexingUpdateOp::Assign || self.update(update).is_some() {
            return Ok(None);
        }
        let (shape, updates) = (self.b.shape(x), self.b.shape(value));
        let elsewhere = |position: usize| position == axis || shape.get(position) == updates.get(position);
        if !(0..shape.len()).all(elsewhere) {
            self.need(if matches!(update, IndexingUpdateOp::Add | IndexingUpdateOp::Mul) {
                Opset::V16
            } else {
                Opset::V18
            })?;
        }
        let dtype = self.b.dtype(x);
        let (reduction, neutral) = match update {
            IndexingUpdateOp::Mul => ("ReduceProd", self.b.scalar(dtype, 1.0)),
            IndexingUpdateOp::Min => ("ReduceMin", self.neutral("ReduceMin", dtype)),
            IndexingUpdateOp::Max => ("ReduceMax", self.neutral("ReduceMax", dtype)),
            IndexingUpdateOp::Add | IndexingUpdateOp::Assign => ("ReduceSum", self.b.scalar(dtype, 0.0)),
        };
        // [..., places, updates, ...]: whether an update is for a place.
        let trailing = shape.len() - axis - 1;
        let places = self.b.range(&shape[axis], DataType::I64);
        let places = self.column(places, trailing + 1);
        let indices = self.b.cast(indices, DataType::I64);
        let before = self.b.rank(indices) - trailing - 1;
        let indices = self.b.unsqueeze(indices, &[before]);
        let hit = self.b.compare("Equal", indices, places);
        let value = self.b.unsqueeze(value, &[axis]);
        let met = self.b.choose(hit, value, neutral);
        let met = self.b.reduce(reduction, met, &[axis + 1]);
        let met = self.b.reshape(met, shape);
        Ok(Some(match update {
            IndexingUpdateOp::Mul => self.b.mul(x, met),
            IndexingUpdateOp::Min | IndexingUpdateOp::Max => {
                let op = if *update == IndexingUpdateOp::Min { "Less" } else { "Greater" };
                let replaces = self.b.compare(op, met, x);
                self.b.choose(replaces, met, x)
            }
            IndexingUpdateOp::Add | IndexingUpdateOp::Assign => self.b.add(x, met),
        }))
    }
}
