//! Normalisations.

use burn::backend::ir::{BatchNormOpIr, LayerNormOpIr};

use super::{Lowering, Result};
use crate::opset::Opset;

impl Lowering<'_> {
    /// LayerNormalization came with opset 17. Before, the form that runtimes recognise.
    pub(super) fn layer_norm(&mut self, op: &LayerNormOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let gamma = self.value(&op.gamma)?;
        let beta = op.beta.as_ref().map(|beta| self.value(beta)).transpose()?;
        let epsilon = self.fixed_scalar(0, op.epsilon)?;
        let axis = self.b.rank(x) - 1;
        let out = if self.b.since(Opset::V17) {
            let kind = (self.b.dtype(x), self.b.shape(x));
            let mut inputs = vec![x.into(), gamma.into()];
            inputs.extend(beta.map(crate::graph::Operand::Value));
            let attributes = [("axis", (-1i64).into()), ("epsilon", (epsilon as f32).into())];
            self.b.node("LayerNormalization", inputs, attributes, kind)
        } else {
            let mean = self.b.reduce("ReduceMean", x, &[axis]);
            let centred = self.b.sub(x, mean);
            let squared = self.b.with_scalar("Pow", centred, 2.0);
            let variance = self.b.reduce("ReduceMean", squared, &[axis]);
            let shifted = self.b.with_scalar("Add", variance, epsilon);
            let deviation = self.b.unary("Sqrt", shifted);
            let normal = self.b.div(centred, deviation);
            let scaled = self.b.mul(normal, gamma);
            match beta {
                Some(beta) => self.b.add(scaled, beta),
                None => scaled,
            }
        };
        self.bind(&op.out, out)
    }

    pub(super) fn batch_norm(&mut self, op: &BatchNormOpIr) -> Result<()> {
        let x = self.value(&op.x)?;
        let mut inputs = vec![x.into()];
        for tensor in [&op.gamma, &op.beta, &op.mean, &op.variance] {
            inputs.push(self.value(tensor)?.into());
        }
        let epsilon = self.fixed_scalar(0, op.epsilon)? as f32;
        let kind = (self.b.dtype(x), self.b.shape(x));
        let out = self.b.node("BatchNormalization", inputs, [("epsilon", epsilon.into())], kind);
        self.bind(&op.out, out)
    }
}
