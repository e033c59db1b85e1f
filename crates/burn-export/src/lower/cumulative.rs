//! Running sums, products and extremes.

use burn::backend::ir::DimOpIr;
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::graph::{Operand, ValueId};
use crate::symbolic::Dim;

impl Lowering<'_> {
    pub(super) fn cumulative_sum(&mut self, op: &DimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let kind = (self.b.dtype(x), self.b.shape(x));
        let out = self.b.node("CumSum", [x.into(), Operand::Size(Dim::fixed(op.axis as i64))], [], kind);
        self.bind(&op.out, out)
    }

    /// ONNX has no other running reduction before opset 26: every prefix is reduced, which takes quadratic space along
    /// the axis. What comes later is replaced by the neutral element.
    pub(super) fn cumulative(&mut self, reduction: &'static str, op: &DimOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let (rank, axis) = (self.b.rank(x), op.axis);
        let size = self.b.graph.shape(x)[axis].clone();
        // [..., 1, size, ...]: the first of the two axes counts prefixes, the second elements.
        let wide = self.b.unsqueeze(x, &[axis]);
        let element = self.b.range(&size, DataType::I64);
        let prefix = self.b.unsqueeze(element, &[1]);
        let mut inside = self.b.compare("LessOrEqual", element, prefix);
        let trailing: Vec<usize> = (2..rank - axis + 1).collect();
        if !trailing.is_empty() {
            inside = self.b.unsqueeze(inside, &trailing);
        }
        let dtype = self.b.dtype(x);
        let neutral = match reduction {
            "ReduceProd" => self.b.scalar(dtype, 1.0),
            _ => self.neutral(reduction, dtype),
        };
        let prefixes = self.b.choose(inside, wide, neutral);
        let out = self.b.reduce(reduction, prefixes, &[axis + 1]);
        let shape = self.b.shape(x);
        let out = self.b.reshape(out, shape);
        self.bind(&op.out, out)
    }

    /// What changes no minimum (`ReduceMin`), or no maximum (`ReduceMax`).
    pub(super) fn neutral(&mut self, reduction: &'static str, dtype: DataType) -> ValueId {
        let is_maximum = reduction == "ReduceMax";
        if Self::is_float(dtype) {
            return self.b.scalar(dtype, if is_maximum { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        let (low, high) = whole_range(dtype);
        self.b.whole(dtype, if is_maximum { low } else { high })
    }
}

fn whole_range(dtype: DataType) -> (i64, i64) {
    match dtype {
        DataType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::U32 => (0, u32::MAX.into()),
        DataType::U16 => (0, u16::MAX.into()),
        DataType::U8 => (0, u8::MAX.into()),
        DataType::U64 => (0, -1),
        _ => (i64::MIN, i64::MAX),
    }
}
