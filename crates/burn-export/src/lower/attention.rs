//! Scaled dot-product attention, in plain operators: on CPU that form ran faster than the contributed Attention.

use burn::backend::ir::AttentionOpIr;
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::graph::ValueId;

impl Lowering<'_> {
    /// `softmax(query @ key^T * scale) @ value` over `[batch, heads, positions, width]`.
    ///
    /// Rows whose keys are all masked give zeros, as in Burn. A bias of minus infinity over a whole row gives NaN.
    pub(super) fn attention(&mut self, op: &AttentionOpIr) -> Result<()> {
        let (query, key, value) = (self.value(&op.query)?, self.value(&op.key)?, self.value(&op.value)?);
        let query_shape = self.b.shape(query);
        let rank = query_shape.len();
        let key = self.b.swap(key, rank - 2, rank - 1);
        let mut scores = self.b.matmul(query, key);
        let mut position = 0;
        let scale = match op.options.scale {
            Some(scale) => {
                position += 1;
                self.fixed_scalar(0, scale)?
            }
            None => 1.0 / (self.fixed(&query_shape[rank - 1], "width of a head")? as f64).sqrt(),
        };
        scores = self.b.with_scalar("Mul", scores, scale);
        if let Some(cap) = op.options.softcap {
            let cap = self.fixed_scalar(position, cap)?;
            let scaled = self.b.with_scalar("Div", scores, cap);
            let limited = self.b.unary("Tanh", scaled);
            scores = self.b.with_scalar("Mul", limited, cap);
        }
        let mut mask = op.mask.as_ref().map(|mask| self.value(mask)).transpose()?;
        // The causal mask alone leaves every row a key; another mask may not.
        let may_block = mask.is_some();
        if op.options.is_causal {
            let future = self.future(scores);
            mask = Some(match mask {
                Some(mask) => self.b.binary("Or", mask, future),
                None => future,
            });
        }
        if let Some(mask) = mask {
            let minus_infinity = self.b.scalar_like(scores, f64::NEG_INFINITY);
            scores = self.b.choose(mask, minus_infinity, scores);
        }
        if let Some(bias) = &op.attn_bias {
            let bias = self.value(bias)?;
            scores = self.b.add(scores, bias);
        }
        let weights = self.b.softmax("Softmax", scores, rank - 1);
        let mut out = self.b.matmul(weights, value);
        if let Some(mask) = mask.filter(|_| may_block) {
            let axis = self.b.rank(mask) - 1;
            let mask = self.b.cast(mask, DataType::I32);
            let blocked = self.b.reduce("ReduceMin", mask, &[axis]);
            let blocked = self.b.cast(blocked, DataType::Bool);
            let zero = self.b.scalar_like(out, 0.0);
            out = self.b.choose(blocked, zero, out);
        }
        self.bind(&op.out, out)
    }

    /// True where a key lies behind its query, both counted from the end: `[queries, keys]`.
    fn future(&mut self, scores: ValueId) -> ValueId {
        let shape = self.b.shape(scores);
        let (queries, keys) = (shape[shape.len() - 2].clone(), shape[shape.len() - 1].clone());
        let row = self.b.range(&queries, DataType::I64);
        let mut row = self.b.unsqueeze(row, &[1]);
        let column = self.b.range(&keys, DataType::I64);
        let offset = &keys - &queries;
        if !offset.is(0) {
            let offset = self.b.size(&offset, DataType::I64);
            row = self.b.add(row, offset);
        }
        self.b.compare("Less", row, column)
    }
}
