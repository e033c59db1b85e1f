//! Moving elements without computing: reshape, permute, expand, repeat, concatenate, flip, unfold.

use burn::backend::ir::{
    CatOpIr, FlipOpIr, PermuteOpIr, RepeatDimOpIr, ShapeOpIr, SwapDimsOpIr, TensorIr, Unfold4dOpIr, UnfoldOpIr,
};
use onnx_model::DataType;

use super::{Lowering, Result};
use crate::elements;
use crate::symbolic::Dim;

impl Lowering<'_> {
    pub(super) fn reshape(&mut self, op: &ShapeOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let shape = self.shape(&op.out);
        let out = self.b.reshape(x, shape);
        self.bind(&op.out, out)
    }

    pub(super) fn swap_dims(&mut self, op: &SwapDimsOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.b.swap(x, op.dim1, op.dim2);
        self.bind(&op.out, out)
    }

    pub(super) fn permute(&mut self, op: &PermuteOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out = self.b.transpose(x, &op.axes);
        self.bind(&op.out, out)
    }

    pub(super) fn expand(&mut self, op: &ShapeOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let shape = self.shape(&op.out);
        let out = self.b.expand(x, shape);
        self.bind(&op.out, out)
    }

    pub(super) fn repeat_dim(&mut self, op: &RepeatDimOpIr) -> Result<()> {
        let x = self.value(&op.tensor)?;
        let times = self.number("/times", op.times as i64);
        let shape = self.shape(&op.out);
        let out = if self.b.graph.shape(x)[op.dim].is(1) {
            self.b.expand(x, shape)
        } else {
            let rank = shape.len();
            let repeats = (0..rank).map(|axis| if axis == op.dim { times.clone() } else { Dim::fixed(1) });
            let kind = (self.b.dtype(x), shape);
            self.b.node("Tile", [x.into(), Self::sizes(repeats)], [], kind)
        };
        self.bind(&op.out, out)
    }

    pub(super) fn cat(&mut self, op: &CatOpIr) -> Result<()> {
        let mut parts = Vec::new();
        for tensor in &op.tensors {
            // Burn lets an empty tensor join; it adds nothing.
            if !self.shape(tensor).get(op.dim).is_some_and(|size| size.is(0)) {
                parts.push(self.value(tensor)?);
            }
        }
        if parts.is_empty() {
            parts.extend(op.tensors.first().map(|tensor| self.value(tensor)).transpose()?);
        }
        let out = self.b.concat(&parts, op.dim);
        self.bind(&op.out, out)
    }

    pub(super) fn flip(&mut self, op: &FlipOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        if op.axes.is_empty() {
            return self.bind(&op.out, x);
        }
        let count = op.axes.len();
        let shape = self.b.shape(x);
        let (starts, ends) = (vec![Dim::fixed(-1); count], vec![Dim::fixed(i64::MIN + 1); count]);
        let out = self.b.slice_to(x, op.axes.clone(), starts, ends, vec![-1; count], shape);
        self.bind(&op.out, out)
    }

    /// Windows along one axis: an index for every element of every window.
    pub(super) fn unfold(&mut self, op: &UnfoldOpIr) -> Result<()> {
        let x = self.value(&op.input)?;
        let out_shape = self.shape(&op.out);
        let windows = out_shape[op.dim].clone();
        let rank = out_shape.len();
        let first = self.b.range(&windows, DataType::I64);
        let step = self.b.whole(DataType::I64, op.step as i64);
        let first = self.b.mul(first, step);
        let first = self.b.unsqueeze(first, &[1]);
        let within = self.b.range(&Dim::fixed(op.size as i64), DataType::I64);
        let indices = self.b.add(first, within);
        let gathered = self.b.gather(x, indices, op.dim);
        // The elements of a window come last.
        let mut permutation: Vec<usize> = (0..rank).filter(|axis| *axis != op.dim + 1).collect();
        permutation.push(op.dim + 1);
        let out = self.b.transpose(gathered, &permutation);
        self.bind(&op.out, out)
    }

    /// `[N, C, H, W]` to columns `[N, C * kH * kW, L]`: a convolution with one-hot kernels, one group a channel.
    pub(super) fn unfold4d(&mut self, op: &Unfold4dOpIr) -> Result<()> {
        let x = self.value(&op.x)?;
        let shape = self.b.shape(x);
        let channels = self.fixed(&shape[1], "number of channels")?;
        let dtype = self.b.dtype(x);
        let [height, width] = op.kernel_size;
        let taps = height * width;
        let (zero, one) = (elements::element(dtype, 0.0, 0), elements::element(dtype, 1.0, 1));
        let kernels: Vec<u8> = (0..channels as usize * taps * taps)
            .flat_map(|position| {
                let (kernel, tap) = (position / taps % taps, position % taps);
                if kernel == tap { one.clone() } else { zero.clone() }
            })
            .collect();
        let weight = self.b.constant(dtype, &[channels as usize * taps, 1, height, width], kernels);
        let window = |size: &Dim, axis: usize| {
            let reach = 2 * op.options.padding[axis] as i64
                - (op.options.dilation[axis] * (op.kernel_size[axis].max(1) - 1)) as i64
                - 1;
            &(size + &Dim::fixed(reach)).floor_div(op.options.stride[axis].max(1) as i64) + &Dim::fixed(1)
        };
        let (rows, columns) = (window(&shape[2], 0), window(&shape[3], 1));
        let kind = (dtype, vec![shape[0].clone(), Dim::fixed(channels * taps as i64), rows, columns]);
        let ints = |values: [usize; 2]| -> Vec<i64> { values.iter().map(|value| *value as i64).collect() };
        let [top, left] = op.options.padding;
        let attributes = [
            ("dilations", ints(op.options.dilation).into()),
            ("group", channels.into()),
            ("kernel_shape", ints(op.kernel_size).into()),
            ("pads", vec![top as i64, left as i64, top as i64, left as i64].into()),
            ("strides", ints(op.options.stride).into()),
        ];
        let out = self.b.node("Conv", [x.into(), weight.into()], attributes, kind);
        let shape = self.shape(&op.out);
        let out = self.b.reshape(out, shape);
        self.bind(&op.out, out)
    }

    pub(super) fn filled(&mut self, out: &TensorIr, whole: i64) -> Result<()> {
        let (shape, dtype) = (self.shape(out), self.dtype(out)?);
        let value = self.b.filled(&shape, dtype, whole as f64, whole);
        self.bind(out, value)
    }
}
