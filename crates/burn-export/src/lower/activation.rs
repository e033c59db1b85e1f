//! Activation functions.

use burn::backend::ir::{ActivationOperationIr, BinaryOpIr, DimOpIr, HardSigmoidOpIr, ScalarOpIr, UnaryOpIr};

use super::{Lowering, Result};
use crate::opset::Opset;

impl Lowering<'_> {
    pub(super) fn activation(&mut self, op: &ActivationOperationIr) -> Result<()> {
        use ActivationOperationIr as A;
        match op {
            A::Relu(op) => self.unary("Relu", op),
            A::LeakyRelu(op) => self.leaky_relu(op),
            A::PRelu(op) => self.prelu(op),
            A::Gelu(op) => self.gelu(op),
            A::Sigmoid(op) => self.unary("Sigmoid", op),
            A::HardSigmoid(op) => self.hard_sigmoid(op),
            A::LogSigmoid(op) => self.log_sigmoid(op),
            A::Softmax(op) => self.softmax("Softmax", op),
            A::LogSoftmax(op) => self.softmax("LogSoftmax", op),
            A::Softmin(op) => self.softmin(op),
            A::ReluBackward(_) | A::GeluBackward(_) | A::SigmoidBackward(_) | A::LogSigmoidBackward(_) => {
                Err(self.backward())
            }
        }
    }

    fn leaky_relu(&mut self, op: &ScalarOpIr) -> Result<()> {
        let x = self.value(&op.lhs)?;
        let slope = self.fixed_scalar(0, op.rhs)? as f32;
        let kind = (self.b.dtype(x), self.b.shape(x));
        let out = self.b.node("LeakyRelu", [x.into()], [("alpha", slope.into())], kind);
        self.bind(&op.out, out)
    }

    fn prelu(&mut self, op: &BinaryOpIr) -> Result<()> {
        let (x, slope) = self.pair(op)?;
        let out = self.b.binary("PRelu", x, slope);
        self.bind(&op.out, out)
    }

    /// Gelu came with opset 20. Before, the form that runtimes recognise: `x * 0.5 * (1 + erf(x / sqrt(2)))`.
    fn gelu(&mut self, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        if self.b.since(Opset::V20) {
            return self.unary("Gelu", op);
        }
        let scaled = self.b.with_scalar("Div", x, std::f64::consts::SQRT_2);
        let erf = self.b.unary("Erf", scaled);
        let shifted = self.b.with_scalar("Add", erf, 1.0);
        let product = self.b.mul(x, shifted);
        let out = self.b.with_scalar("Mul", product, 0.5);
        self.bind(&op.out, out)
    }

    fn hard_sigmoid(&mut self, op: &HardSigmoidOpIr) -> Result<()> {
        let x = self.value(&op.tensor)?;
        let (alpha, beta) = (self.fixed_scalar(0, op.alpha)? as f32, self.fixed_scalar(1, op.beta)? as f32);
        let kind = (self.b.dtype(x), self.b.shape(x));
        let attributes = [("alpha", alpha.into()), ("beta", beta.into())];
        let out = self.b.node("HardSigmoid", [x.into()], attributes, kind);
        self.bind(&op.out, out)
    }

    /// `-softplus(-x)`.
    fn log_sigmoid(&mut self, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let negative = self.b.unary("Neg", x);
        let softplus = self.b.unary("Softplus", negative);
        let out = self.b.unary("Neg", softplus);
        self.bind(&op.out, out)
    }

    fn softmax(&mut self, name: &'static str, op: &DimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.b.softmax(name, x, op.axis);
        self.bind(&op.out, out)
    }

    fn softmin(&mut self, op: &DimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let negative = self.b.unary("Neg", x);
        let out = self.b.softmax("Softmax", negative, op.axis);
        self.bind(&op.out, out)
    }
}
