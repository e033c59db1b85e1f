//! Operations on integers: bits, shifts, casts.

use burn::backend::ir::{BinaryOpIr, IntOperationIr, ScalarOpIr, UnaryOpIr};

use super::{Lowering, Result};
use crate::graph::ValueId;
use crate::opset::Opset;

impl Lowering<'_> {
    pub(super) fn integer(&mut self, op: &IntOperationIr) -> Result<()> {
        use IntOperationIr as I;
        match op {
            I::IntoFloat(op) => self.cast(op),
            I::BitwiseAnd(op) => self.bitwise("BitwiseAnd", op),
            I::BitwiseAndScalar(op) => self.bitwise_and_scalar(op),
            I::BitwiseOr(op) => self.bitwise("BitwiseOr", op),
            I::BitwiseOrScalar(op) => self.bitwise_scalar("BitwiseOr", op),
            I::BitwiseXor(op) => self.bitwise("BitwiseXor", op),
            I::BitwiseXorScalar(op) => self.bitwise_scalar("BitwiseXor", op),
            I::BitwiseNot(op) => self.bitwise_not(op),
            I::BitwiseLeftShift(op) => self.shift(op, true),
            I::BitwiseLeftShiftScalar(op) => self.shift_scalar(op, true),
            I::BitwiseRightShift(op) => self.shift(op, false),
            I::BitwiseRightShiftScalar(op) => self.shift_scalar(op, false),
            I::Matmul(op) => self.matmul(op),
        }
    }

    fn bitwise(&mut self, name: &'static str, op: &BinaryOpIr) -> Result<()> {
        self.need(Opset::V18)?;
        self.binary(name, op)
    }

    fn bitwise_scalar(&mut self, name: &'static str, op: &ScalarOpIr) -> Result<()> {
        self.need(Opset::V18)?;
        let x = self.value(&op.lhs)?;
        let mask = self.scalar(0, op.rhs, self.b.dtype(x));
        let out = self.b.binary(name, x, mask);
        self.bind(&op.out, out)
    }

    /// A mask of low bits is a remainder, which every opset has.
    fn bitwise_and_scalar(&mut self, op: &ScalarOpIr) -> Result<()> {
        let mask = self.whole_scalar(0, op.rhs)?;
        if self.b.since(Opset::V18) || mask < 0 || mask.checked_add(1).is_none_or(|next| next & mask != 0) {
            return self.bitwise_scalar("BitwiseAnd", op);
        }
        let x = self.value(&op.lhs)?;
        let modulus = self.b.whole(self.b.dtype(x), mask + 1);
        let out = self.b.binary("Mod", x, modulus);
        self.bind(&op.out, out)
    }

    /// In two's complement, `!x` is `-x - 1`.
    fn bitwise_not(&mut self, op: &UnaryOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let dtype = self.b.dtype(x);
        let out = if self.b.since(Opset::V18) || !Self::is_signed(dtype) {
            self.need(Opset::V18)?;
            self.b.unary("BitwiseNot", x)
        } else {
            let minus_one = self.b.whole(dtype, -1);
            self.b.sub(minus_one, x)
        };
        self.bind(&op.out, out)
    }

    fn shift(&mut self, op: &BinaryOpIr, left: bool) -> Result<()> {
        // Powers of integers came with opset 12.
        self.need(Opset::V12)?;
        let (x, bits) = self.pair(op)?;
        let two = self.b.whole(self.b.dtype(x), 2);
        let power = self.b.binary("Pow", two, bits);
        let out = self.scale(x, power, left);
        self.bind(&op.out, out)
    }

    fn shift_scalar(&mut self, op: &ScalarOpIr, left: bool) -> Result<()> {
        let x = self.value(&op.lhs)?;
        let bits = self.whole_scalar(0, op.rhs)?;
        let dtype = self.b.dtype(x);
        let width = dtype.bits().unwrap_or_default() as i64;
        if !(0..width).contains(&bits) {
            return Err(
                self.refuse(format!("a shift by {bits} bits is not within the {width} of its type; shift by fewer"))
            );
        }
        let out = if !left && bits == width - 1 && Self::is_signed(dtype) {
            // Only the sign is left. Its power of two would be negative.
            let (zero, minus_one) = (self.b.whole(dtype, 0), self.b.whole(dtype, -1));
            let negative = self.b.compare("Less", x, zero);
            self.b.choose(negative, minus_one, zero)
        } else {
            let power = self.b.whole(dtype, 1 << bits);
            self.scale(x, power, left)
        };
        self.bind(&op.out, out)
    }

    /// Shifting left multiplies; shifting right divides and rounds down. `Mod` rounds down, so the division is exact.
    fn scale(&mut self, x: ValueId, power: ValueId, left: bool) -> ValueId {
        if left {
            return self.b.mul(x, power);
        }
        let rest = self.b.binary("Mod", x, power);
        let whole = self.b.sub(x, rest);
        self.b.div(whole, power)
    }
}
