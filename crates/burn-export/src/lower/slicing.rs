//! Slices, writing into slices, and padding.

use burn::backend::ir::{PadModeIr, PadOpIr, SliceAssignOpIr, SliceOpIr};
use burn::tensor::Slice;

use super::{Lowering, Result};
use crate::graph::{Operand, ValueId};
use crate::opset::Opset;
use crate::symbolic::Dim;

/// One axis of a slice, bounds counted from the front.
struct Range {
    axis: usize,
    start: Dim,
    end: Dim,
    step: i64,
}

impl Lowering<'_> {
    /// The ranges that leave something out.
    fn ranges(&mut self, ranges: &[Slice], shape: &[Dim]) -> Vec<Range> {
        let mut partial = Vec::new();
        for (axis, (range, size)) in ranges.iter().zip(shape).enumerate() {
            let from_front = |bound: Dim, base: isize| if base < 0 { &bound + size } else { bound };
            let start = self.number(&format!("/ranges/{axis}/start"), range.start as i64);
            let start = from_front(start, range.start);
            let end = match range.end {
                Some(end) => {
                    let bound = self.number(&format!("/ranges/{axis}/end"), end as i64);
                    from_front(bound, end)
                }
                None => size.clone(),
            };
            let step = range.step as i64;
            if !(start.is(0) && end == *size && step == 1) {
                partial.push(Range { axis, start, end, step });
            }
        }
        partial
    }

    pub(super) fn slice(&mut self, op: &SliceOpIr) -> Result<()> {
        let x = self.value(&op.tensor)?;
        let shape = self.b.shape(x);
        let ranges = self.ranges(&op.ranges, &shape);
        if ranges.is_empty() {
            return self.bind(&op.out, x);
        }
        let mut axes = Vec::new();
        let (mut starts, mut ends, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for range in ranges {
            axes.push(range.axis);
            steps.push(range.step);
            if range.step > 0 {
                starts.push(range.start);
                ends.push(range.end);
            } else {
                // Burn walks the range from its end; ONNX from the last element down to the one before the first, which
                // is counted from the back where it may lie in front of them all.
                starts.push(&range.end - &Dim::fixed(1));
                let before = &range.start - &Dim::fixed(1);
                ends.push(match range.start.as_fixed() {
                    Some(0) => Dim::fixed(i64::MIN + 1),
                    Some(_) => before,
                    None => &before - &shape[range.axis],
                });
            }
        }
        let out_shape = self.shape(&op.out);
        let out = self.b.slice_to(x, axes, starts, ends, steps, out_shape);
        self.bind(&op.out, out)
    }

    pub(super) fn slice_assign(&mut self, op: &SliceAssignOpIr) -> Result<()> {
        let (x, value) = (self.value(&op.tensor)?, self.value(&op.value)?);
        let value = self.b.cast(value, self.b.dtype(x));
        let shape = self.b.shape(x);
        let ranges = self.ranges(&op.ranges, &shape);
        if ranges.iter().any(|range| range.step != 1) {
            return Err(self.refuse(
                "writing into a slice with a step has no ONNX form here; write into a reshaped tensor instead",
            ));
        }
        let out = self.overwrite(x, value, &ranges);
        self.bind(&op.out, out)
    }

    /// What lies before, the new part, and what lies behind, joined along each axis from the inside out.
    fn overwrite(&mut self, x: ValueId, value: ValueId, ranges: &[Range]) -> ValueId {
        let Some((range, inner)) = ranges.split_first() else { return value };
        let size = self.b.graph.shape(x)[range.axis].clone();
        let middle = if inner.is_empty() {
            value
        } else {
            let middle = self.b.slice(x, range.axis, range.start.clone(), range.end.clone());
            self.overwrite(middle, value, inner)
        };
        let mut parts = Vec::new();
        if !range.start.is(0) {
            parts.push(self.b.slice(x, range.axis, Dim::fixed(0), range.start.clone()));
        }
        parts.push(middle);
        if range.end != size {
            parts.push(self.b.slice(x, range.axis, range.end.clone(), size));
        }
        self.b.concat(&parts, range.axis)
    }

    pub(super) fn pad(&mut self, op: &PadOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let rank = op.padding.len();
        let mut pads = Vec::new();
        for (side, name) in ["0", "1"].iter().enumerate() {
            for (axis, padding) in op.padding.iter().enumerate() {
                let base = if side == 0 { padding.0 } else { padding.1 };
                pads.push(self.number(&format!("/padding/{axis}/{name}"), base as i64));
            }
        }
        if pads.len() == 2 * rank && pads.iter().all(|pad| pad.is(0)) {
            return self.bind(&op.out, x);
        }
        let kind = (self.b.dtype(x), self.shape(&op.out));
        let (mode, value) = match op.mode {
            PadModeIr::Constant(value) => ("constant", Some(self.scalar(0, value, kind.0))),
            PadModeIr::Reflect => ("reflect", None),
            PadModeIr::Edge => ("edge", None),
        };
        if !self.b.is_float(x) && mode == "constant" && kind.0 == onnx_model::DataType::Bool {
            self.need(Opset::V13)?;
        }
        let mut inputs: Vec<Operand> = vec![x.into(), Operand::Dims(pads)];
        inputs.extend(value.map(Operand::Value));
        let out = self.b.node("Pad", inputs, [("mode", mode.into())], kind);
        self.bind(&op.out, out)
    }
}
