//! Functions of single elements: the float operations.

use burn::backend::ir::{BinaryOpIr, CastOpIr, CrossOpIr, FloatOperationIr, MatmulOpIr, UnaryOpIr};
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::elements;
use crate::graph::ValueId;
use crate::symbolic::Dim;

impl Lowering<'_> {
    pub(super) fn float(&mut self, op: &FloatOperationIr) -> Result<()> {
        use FloatOperationIr as F;
        match op {
            F::Exp(op) => self.unary("Exp", op),
            F::Log(op) => self.unary("Log", op),
            F::Log1p(op) => self.log1p(op),
            F::Erf(op) => self.unary("Erf", op),
            F::PowfScalar(op) => self.power_scalar(op),
            F::Sqrt(op) => self.unary("Sqrt", op),
            F::Cos(op) => self.unary("Cos", op),
            F::Cosh(op) => self.unary("Cosh", op),
            F::Sin(op) => self.unary("Sin", op),
            F::Sinh(op) => self.unary("Sinh", op),
            F::Tan(op) => self.unary("Tan", op),
            F::Tanh(op) => self.unary("Tanh", op),
            F::ArcCos(op) => self.unary("Acos", op),
            F::ArcCosh(op) => self.unary("Acosh", op),
            F::ArcSin(op) => self.unary("Asin", op),
            F::ArcSinh(op) => self.unary("Asinh", op),
            F::ArcTan(op) => self.unary("Atan", op),
            F::ArcTanh(op) => self.unary("Atanh", op),
            F::ArcTan2(op) => self.arctan2(op),
            F::Round(op) => self.unary("Round", op),
            F::Floor(op) => self.unary("Floor", op),
            F::Ceil(op) => self.unary("Ceil", op),
            F::Trunc(op) => self.trunc(op),
            F::IntoInt(op) => self.cast(op),
            F::Matmul(op) => self.matmul(op),
            F::Cross(op) => self.cross(op),
            F::Random(_) => Err(self.refuse("random numbers belong to training; pass them in as an input")),
            F::Recip(op) => self.unary("Reciprocal", op),
            F::IsNan(op) => self.test("IsNaN", op),
            F::IsInf(op) => self.test("IsInf", op),
            F::Quantize(_) | F::Dequantize(_) => {
                Err(self.refuse("quantised tensors are not exported; export the module before it is quantised"))
            }
            F::GridSample2d(op) => self.grid_sample(op),
            F::Powf(op) => self.binary("Pow", op),
            F::Hypot(op) => self.hypot(op),
        }
    }

    pub(super) fn unary(&mut self, name: &'static str, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.b.unary(name, x);
        self.bind(&op.out, out)
    }

    fn test(&mut self, name: &'static str, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let kind = (DataType::Bool, self.b.shape(x));
        let out = self.b.node(name, [x.into()], [], kind);
        self.bind(&op.out, out)
    }

    pub(super) fn cast(&mut self, op: &CastOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let dtype = self.dtype(&op.out)?;
        let out = self.b.cast(x, dtype);
        self.bind(&op.out, out)
    }

    /// Exact for small numbers (W. Kahan): `x * log(u) / (u - 1)` with `u = 1 + x` rounded.
    fn log1p(&mut self, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let u = self.b.with_scalar("Add", x, 1.0);
        let log = self.b.unary("Log", u);
        let rounded = self.b.with_scalar("Sub", u, 1.0);
        let correction = self.b.div(x, rounded);
        let corrected = self.b.mul(log, correction);
        // From 2^24 on, and for infinity, u is x.
        let large = self.b.compare("Equal", u, x);
        let one = self.b.scalar_like(x, 1.0);
        let small = self.b.compare("Equal", u, one);
        let out = self.b.choose(large, log, corrected);
        let out = self.b.choose(small, x, out);
        self.bind(&op.out, out)
    }

    /// `sign(x) * floor(|x|)`.
    fn trunc(&mut self, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let sign = self.b.unary("Sign", x);
        let size = self.b.unary("Abs", x);
        let size = self.b.unary("Floor", size);
        let out = self.b.mul(sign, size);
        self.bind(&op.out, out)
    }

    /// The angle from the quotient, turned by half a circle on the left half-plane.
    fn arctan2(&mut self, op: &BinaryOpIr) -> Result<()> {
        let (y, x) = (self.value(&op.lhs)?, self.value(&op.rhs)?);
        let zero = self.b.scalar_like(x, 0.0);
        let quotient = self.b.div(y, x);
        // Two infinities have a quotient too: one, with its sign.
        let (y_endless, x_endless) = (self.endless(y), self.endless(x));
        let endless = self.b.binary("And", y_endless, x_endless);
        let (y_sign, x_sign) = (self.b.unary("Sign", y), self.b.unary("Sign", x));
        let signs = self.b.mul(y_sign, x_sign);
        let quotient = self.b.choose(endless, signs, quotient);
        let angle = self.b.unary("Atan", quotient);
        let below = self.b.compare("Less", y, zero);
        let (half, negative_half) =
            (self.b.scalar_like(x, std::f64::consts::PI), self.b.scalar_like(x, -std::f64::consts::PI));
        let turn = self.b.choose(below, negative_half, half);
        let turned = self.b.add(angle, turn);
        let left = self.b.compare("Less", x, zero);
        let out = self.b.choose(left, turned, angle);
        let upright = self.b.compare("Equal", x, zero);
        let straight = self.b.with_scalar("Mul", y_sign, std::f64::consts::FRAC_PI_2);
        let out = self.b.choose(upright, straight, out);
        self.bind(&op.out, out)
    }

    /// Whether a number is infinite, of either sign.
    fn endless(&mut self, x: ValueId) -> ValueId {
        let size = self.b.unary("Abs", x);
        let infinity = self.b.scalar_like(x, f64::INFINITY);
        self.b.compare("Equal", size, infinity)
    }

    /// The larger side times `sqrt(1 + quotient^2)`, whose squares stay small.
    fn hypot(&mut self, op: &BinaryOpIr) -> Result<()> {
        let (x, y) = (self.value(&op.lhs)?, self.value(&op.rhs)?);
        let (x, y) = (self.b.unary("Abs", x), self.b.unary("Abs", y));
        let (large, small) = (self.b.binary("Max", x, y), self.b.binary("Min", x, y));
        let quotient = self.b.div(small, large);
        let square = self.b.mul(quotient, quotient);
        let sum = self.b.with_scalar("Add", square, 1.0);
        let root = self.b.unary("Sqrt", sum);
        let out = self.b.mul(large, root);
        // Both zero, or both infinite: no quotient.
        let zero = self.b.scalar_like(large, 0.0);
        let flat = self.b.compare("Equal", large, zero);
        let endless = self.endless(large);
        let degenerate = self.b.binary("Or", flat, endless);
        let out = self.b.choose(degenerate, large, out);
        self.bind(&op.out, out)
    }

    pub(super) fn matmul(&mut self, op: &MatmulOpIr) -> Result<()> {
        let (left, right) = (self.value(&op.lhs)?, self.value(&op.rhs)?);
        let out = self.b.matmul(left, right);
        self.bind(&op.out, out)
    }

    fn cross(&mut self, op: &CrossOpIr) -> Result<()> {
        let (left, right) = (self.value(&op.lhs)?, self.value(&op.rhs)?);
        let next = self.b.ints(&[1, 2, 0]);
        let after = self.b.ints(&[2, 0, 1]);
        let mut turned = |value: ValueId, indices: ValueId| self.b.gather(value, indices, op.dim);
        let (left_next, left_after) = (turned(left, next), turned(left, after));
        let (right_next, right_after) = (turned(right, next), turned(right, after));
        let plus = self.b.mul(left_next, right_after);
        let minus = self.b.mul(left_after, right_next);
        let out = self.b.sub(plus, minus);
        self.bind(&op.out, out)
    }

    /// Numbers of a type: whether the operand is a float.
    pub(super) fn is_float(dtype: DataType) -> bool {
        elements::is_float(dtype)
    }

    /// The number of elements.
    pub(super) fn count(shape: &[Dim]) -> Dim {
        Dim::product(shape)
    }
}
