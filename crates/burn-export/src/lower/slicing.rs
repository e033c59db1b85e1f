//! Slices, writing into slices, and padding.

use burn::backend::ir::{PadModeIr, PadOpIr, SliceAssignOpIr, SliceOpIr};
use burn::tensor::Slice;
use onnx_model::DataType;

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
        let out_shape = self.shape(&op.out);
        let out = self.take(x, &ranges, out_shape);
        self.bind(&op.out, out)
    }

    fn take(&mut self, x: ValueId, ranges: &[Range], out_shape: Vec<Dim>) -> ValueId {
        let shape = self.b.shape(x);
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for range in ranges {
            if range.step > 0 {
                starts.push(range.start.clone());
                ends.push(range.end.clone());
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
        let axes = ranges.iter().map(|range| range.axis).collect();
        let steps = ranges.iter().map(|range| range.step).collect();
        self.b.slice_to(x, axes, starts, ends, steps, out_shape)
    }

    pub(super) fn slice_assign(&mut self, op: &SliceAssignOpIr) -> Result<()> {
        let (x, value) = (self.value(&op.tensor)?, self.value(&op.value)?);
        let value = self.b.cast(value, self.b.dtype(x));
        let shape = self.b.shape(x);
        let ranges = self.ranges(&op.ranges, &shape);
        let out = self.overwrite(x, value, &ranges);
        self.bind(&op.out, out)
    }

    /// The elements in the ranges replaced by `value`, one axis after the other.
    fn overwrite(&mut self, x: ValueId, value: ValueId, ranges: &[Range]) -> ValueId {
        let Some((range, inner)) = ranges.split_first() else { return value };
        let part = if inner.is_empty() {
            value
        } else {
            let mut shape = self.b.shape(x);
            shape[range.axis] = (&range.end - &range.start).ceil_div(range.step.abs());
            let part = self.take(x, std::slice::from_ref(range), shape);
            self.overwrite(part, value, inner)
        };
        if range.step == 1 { self.insert(x, part, range) } else { self.interleave(x, part, range) }
    }

    /// What lies before, the new part, and what lies behind.
    fn insert(&mut self, x: ValueId, part: ValueId, range: &Range) -> ValueId {
        let size = self.b.graph.shape(x)[range.axis].clone();
        let mut parts = Vec::new();
        if !range.start.is(0) {
            parts.push(self.b.slice(x, range.axis, Dim::fixed(0), range.start.clone()));
        }
        parts.push(part);
        if range.end != size {
            parts.push(self.b.slice(x, range.axis, range.end.clone(), size));
        }
        self.b.concat(&parts, range.axis)
    }

    /// The new part at every step: each place reads the element that is written there, if one is.
    fn interleave(&mut self, x: ValueId, part: ValueId, range: &Range) -> ValueId {
        let (size, count) = (self.b.shape(x)[range.axis].clone(), self.b.shape(part)[range.axis].clone());
        let place = self.b.range(&size, DataType::I64);
        let distance = if range.step > 0 {
            let start = self.b.size(&range.start, DataType::I64);
            self.b.sub(place, start)
        } else {
            let last = self.b.size(&(&range.end - &Dim::fixed(1)), DataType::I64);
            self.b.sub(last, place)
        };
        let (zero, step) = (self.b.whole(DataType::I64, 0), self.b.whole(DataType::I64, range.step.abs()));
        let (element, rest) = (self.b.div(distance, step), self.b.binary("Mod", distance, step));
        let count = self.b.size(&count, DataType::I64);
        let (reached, on_step) = (self.b.compare("Less", distance, zero), self.b.compare("Equal", rest, zero));
        let reached = self.b.not(reached);
        let left = self.b.compare("Less", element, count);
        let written = self.b.binary("And", reached, on_step);
        let mut written = self.b.binary("And", written, left);
        let element = self.b.choose(written, element, zero);
        let spread = self.b.gather(part, element, range.axis);
        let trailing: Vec<usize> = (1..self.b.rank(x) - range.axis).collect();
        if !trailing.is_empty() {
            written = self.b.unsqueeze(written, &trailing);
        }
        self.b.choose(written, spread, x)
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
        if !self.b.is_float(x) && mode == "constant" && kind.0 == DataType::Bool {
            self.need(Opset::V13)?;
        }
        let mut inputs: Vec<Operand> = vec![x.into(), Operand::Dims(pads)];
        inputs.extend(value.map(Operand::Value));
        let out = self.b.node("Pad", inputs, [("mode", mode.into())], kind);
        self.bind(&op.out, out)
    }
}
