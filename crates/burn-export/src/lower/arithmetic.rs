//! Arithmetic on floats and integers.

use burn::backend::ir::{BinaryOpIr, ClampOpIr, FullOpIr, NumericOperationIr, ScalarIr, ScalarOpIr};
use onnx_model::DataType;

use super::{Builder, Lowering, Result};
use crate::graph::{Operand, ValueId};
use crate::opset::Opset;

/// Exponents up to which an integer power is written as products.
const LARGEST_PRODUCT: i64 = 8;

impl Lowering<'_> {
    pub(super) fn numeric(&mut self, op: &NumericOperationIr) -> Result<()> {
        use NumericOperationIr as N;
        match op {
            N::Add(op) => self.binary("Add", op),
            N::AddScalar(op) => self.binary_scalar("Add", op),
            N::Sub(op) => self.binary("Sub", op),
            N::SubScalar(op) => self.binary_scalar("Sub", op),
            N::Div(op) => self.binary("Div", op),
            N::DivScalar(op) => self.binary_scalar("Div", op),
            N::Rem(op) => self.remainder(op),
            N::RemScalar(op) => self.remainder_scalar(op),
            N::Mul(op) => self.binary("Mul", op),
            N::MulScalar(op) => self.binary_scalar("Mul", op),
            N::Abs(op) => self.unary("Abs", op),
            N::Full(op) => self.full(op),
            N::MeanDim(op) => self.mean_along(op),
            N::Mean(op) => self.mean_all(op),
            N::Sum(op) => self.reduce_all("ReduceSum", op),
            N::SumDim(op) => self.reduce_along("ReduceSum", op),
            N::SumDims(op) => self.sum_along_several(op),
            N::Prod(op) => self.reduce_all("ReduceProd", op),
            N::ProdDim(op) => self.reduce_along("ReduceProd", op),
            N::Greater(op) => self.compare("Greater", op),
            N::GreaterElem(op) => self.compare_scalar("Greater", op),
            N::GreaterEqual(op) => self.compare("GreaterOrEqual", op),
            N::GreaterEqualElem(op) => self.compare_scalar("GreaterOrEqual", op),
            N::Lower(op) => self.compare("Less", op),
            N::LowerElem(op) => self.compare_scalar("Less", op),
            N::LowerEqual(op) => self.compare("LessOrEqual", op),
            N::LowerEqualElem(op) => self.compare_scalar("LessOrEqual", op),
            N::ArgMax(op) => self.arg_extreme("ArgMax", op),
            N::ArgMin(op) => self.arg_extreme("ArgMin", op),
            N::ArgTopK(op) => self.arg_top_k(op),
            N::TopK(op) => self.top_k(op),
            N::TopKWithIndices(op) => self.top_k_with_indices(op),
            N::Max(op) => self.reduce_all("ReduceMax", op),
            N::MaxDimWithIndices(op) => self.extreme_with_indices(true, op),
            N::MinDimWithIndices(op) => self.extreme_with_indices(false, op),
            N::Min(op) => self.reduce_all("ReduceMin", op),
            N::MaxDim(op) => self.reduce_along("ReduceMax", op),
            N::MinDim(op) => self.reduce_along("ReduceMin", op),
            N::MaxAbs(op) => self.max_abs_all(op),
            N::MaxAbsDim(op) => self.max_abs_along(op),
            N::Clamp(op) => self.clamp(op),
            N::IntRandom(_) => Err(self.refuse("random numbers belong to training; pass them in as an input")),
            N::Powi(op) => self.power(op),
            N::PowiScalar(op) => self.power_scalar(op),
            N::CumSum(op) => self.cumulative_sum(op),
            N::CumProd(op) => self.cumulative("ReduceProd", op),
            N::CumMin(op) => self.cumulative("ReduceMin", op),
            N::CumMax(op) => self.cumulative("ReduceMax", op),
            N::Neg(op) => self.unary("Neg", op),
            N::Sign(op) => self.unary("Sign", op),
            N::ClampMin(op) => self.clamp_one_side(op, true),
            N::ClampMax(op) => self.clamp_one_side(op, false),
            N::Sort(op) => self.sort(op),
            N::SortWithIndices(op) => self.sort_with_indices(op),
            N::ArgSort(op) => self.arg_sort(op),
            N::Pad(op) => self.pad(op),
        }
    }

    pub(super) fn binary(&mut self, name: &'static str, op: &BinaryOpIr) -> Result<()> {
        let (left, right) = self.pair(op)?;
        let out = self.b.binary(name, left, right);
        self.bind(&op.out, out)
    }

    /// Both operands, in one type: ONNX does not mix.
    pub(super) fn pair(&mut self, op: &BinaryOpIr) -> Result<(ValueId, ValueId)> {
        let (left, right) = (self.value(&op.lhs)?, self.value(&op.rhs)?);
        let right = self.b.cast(right, self.b.dtype(left));
        Ok((left, right))
    }

    fn binary_scalar(&mut self, name: &'static str, op: &ScalarOpIr) -> Result<()> {
        let left = self.value(&op.lhs)?;
        let right = self.scalar(0, op.rhs, self.b.dtype(left));
        let out = self.b.binary(name, left, right);
        self.bind(&op.out, out)
    }

    fn full(&mut self, op: &FullOpIr) -> Result<()> {
        let (shape, dtype) = (self.shape(&op.out), self.dtype(&op.out)?);
        let value = self.scalar(0, op.value, dtype);
        let out = self.b.expand(value, shape);
        self.bind(&op.out, out)
    }

    fn remainder(&mut self, op: &BinaryOpIr) -> Result<()> {
        let (left, right) = self.pair(op)?;
        let out = self.modulo(left, right);
        self.bind(&op.out, out)
    }

    fn remainder_scalar(&mut self, op: &ScalarOpIr) -> Result<()> {
        let left = self.value(&op.lhs)?;
        let right = self.scalar(0, op.rhs, self.b.dtype(left));
        let out = self.modulo(left, right);
        self.bind(&op.out, out)
    }

    /// The remainder with the sign of the divisor. `Mod` has it for integers only; for floats it follows the dividend.
    fn modulo(&mut self, left: ValueId, right: ValueId) -> ValueId {
        if !self.b.is_float(left) {
            return self.b.binary("Mod", left, right);
        }
        let kind = (self.b.dtype(left), crate::graph::broadcast(self.b.graph.shape(left), self.b.graph.shape(right)));
        let rest = self.b.node("Mod", [left.into(), right.into()], [("fmod", 1i64.into())], kind);
        let shifted = self.b.add(rest, right);
        let zero = self.b.scalar_like(left, 0.0);
        let rest_negative = self.b.compare("Less", rest, zero);
        let divisor_negative = self.b.compare("Less", right, zero);
        let signs_differ = self.b.binary("Xor", rest_negative, divisor_negative);
        let whole = self.b.compare("Equal", rest, zero);
        let partial = self.b.not(whole);
        let shift = self.b.binary("And", signs_differ, partial);
        self.b.choose(shift, shifted, rest)
    }

    fn power(&mut self, op: &BinaryOpIr) -> Result<()> {
        let (base, exponent) = (self.value(&op.lhs)?, self.value(&op.rhs)?);
        // Pow takes integers, and exponents of another type than the base, from opset 12.
        if !self.b.is_float(base) {
            self.need(Opset::V12)?;
        }
        let exponent = self.b.cast(exponent, self.b.dtype(base));
        let out = self.b.binary("Pow", base, exponent);
        self.bind(&op.out, out)
    }

    pub(super) fn power_scalar(&mut self, op: &ScalarOpIr) -> Result<()> {
        let base = self.value(&op.lhs)?;
        let exponent = self.fixed_scalar(0, op.rhs)?;
        let dtype = self.b.dtype(base);
        let out = if exponent == 1.0 {
            base
        } else if exponent == 0.5 && self.b.is_float(base) {
            self.b.unary("Sqrt", base)
        } else if exponent == -1.0 && self.b.is_float(base) {
            self.b.unary("Reciprocal", base)
        } else if self.b.is_float(base) {
            self.b.with_scalar("Pow", base, exponent)
        } else if (0.0..=LARGEST_PRODUCT as f64).contains(&exponent) {
            let mut product = self.b.whole(dtype, 1);
            let shape = self.b.shape(base);
            product = if exponent == 0.0 { self.b.expand(product, shape) } else { base };
            for _ in 1..exponent as i64 {
                product = self.b.mul(product, base);
            }
            product
        } else {
            self.need(Opset::V12)?;
            let exponent = self.b.whole(dtype, exponent as i64);
            self.b.binary("Pow", base, exponent)
        };
        self.bind(&op.out, out)
    }

    fn clamp(&mut self, op: &ClampOpIr) -> Result<()> {
        let x = self.value(&op.tensor)?;
        let dtype = self.b.dtype(x);
        let (low, high) = (self.scalar(0, op.min, dtype), self.scalar(1, op.max, dtype));
        let out = self.limit(x, Some(low), Some(high));
        self.bind(&op.out, out)
    }

    fn clamp_one_side(&mut self, op: &ScalarOpIr, low: bool) -> Result<()> {
        let x = self.value(&op.lhs)?;
        let bound = self.scalar(0, op.rhs, self.b.dtype(x));
        let out = if low { self.limit(x, Some(bound), None) } else { self.limit(x, None, Some(bound)) };
        self.bind(&op.out, out)
    }

    /// Clip takes bounds as inputs from opset 11 and integers from 12. A bound that is left out is the largest number
    /// for ONNX Runtime, which infinity is above, so that floats have both.
    fn limit(&mut self, x: ValueId, low: Option<ValueId>, high: Option<ValueId>) -> ValueId {
        let kind = (self.b.dtype(x), self.b.shape(x));
        if self.b.is_float(x) || self.b.since(Opset::V12) {
            let endless = |b: &mut Builder, bound: Option<ValueId>, infinity: f64| match bound {
                Some(bound) => bound.into(),
                None if b.is_float(x) => b.scalar_like(x, infinity).into(),
                None => Operand::Absent,
            };
            let low = endless(&mut self.b, low, f64::NEG_INFINITY);
            let high = endless(&mut self.b, high, f64::INFINITY);
            let mut inputs = vec![x.into(), low];
            inputs.extend(Some(high).filter(|high| *high != Operand::Absent));
            return self.b.node("Clip", inputs, [], kind);
        }
        let mut out = x;
        if let Some(low) = low {
            let below = self.b.compare("Less", out, low);
            out = self.b.choose(below, low, out);
        }
        if let Some(high) = high {
            let above = self.b.compare("Greater", out, high);
            out = self.b.choose(above, high, out);
        }
        out
    }

    /// The scalar of an integer operation as a plain number.
    pub(super) fn whole_scalar(&mut self, position: usize, scalar: ScalarIr) -> Result<i64> {
        match scalar {
            ScalarIr::Int(value) if !self.operation.scalars.contains_key(&position) => Ok(value),
            ScalarIr::UInt(value) if !self.operation.scalars.contains_key(&position) => Ok(value as i64),
            other => Ok(self.fixed_scalar(position, other)? as i64),
        }
    }

    /// Whether the type has a sign.
    pub(super) fn is_signed(dtype: DataType) -> bool {
        !matches!(dtype, DataType::U8 | DataType::U16 | DataType::U32 | DataType::U64)
    }
}
