//! Pooling.

use burn::backend::ir::TensorIr;
use onnx_model::DataType;

use super::convolution::{ints, pads};
use super::{Lowering, Result};
use crate::graph::ValueId;
use crate::symbolic::Dim;

/// A pooling window.
pub(super) struct Pool<'a> {
    pub(super) kernel: &'a [usize],
    pub(super) stride: &'a [usize],
    pub(super) padding: &'a [usize],
    pub(super) dilation: Option<&'a [usize]>,
    pub(super) ceil: bool,
}

impl Pool<'_> {
    fn pads(&self) -> onnx_model::Attribute {
        let both: Vec<(usize, usize)> = self.padding.iter().map(|padding| (*padding, *padding)).collect();
        pads(&both)
    }
}

impl Lowering<'_> {
    pub(super) fn max_pool(
        &mut self,
        x: &TensorIr,
        pool: &Pool<'_>,
        out: &TensorIr,
        indices: Option<&TensorIr>,
    ) -> Result<()> {
        let value = self.value(x)?;
        let kind = (self.b.dtype(value), self.shape(out));
        let ones = vec![1usize; pool.kernel.len()];
        let attributes = [
            ("ceil_mode", i64::from(pool.ceil).into()),
            ("dilations", ints(pool.dilation.unwrap_or(&ones))),
            ("kernel_shape", ints(pool.kernel)),
            ("pads", pool.pads()),
            ("strides", ints(pool.stride)),
        ];
        let Some(indices) = indices else {
            let result = self.b.node("MaxPool", [value.into()], attributes, kind);
            return self.bind(out, result);
        };
        let index_kind = (DataType::I64, kind.1.clone());
        let [result, flat] = self.b.nodes("MaxPool", [value.into()], attributes, [kind, index_kind]);
        self.bind(out, result)?;
        // ONNX counts over the whole tensor, Burn over one plane.
        let plane = Self::count(self.shape(x).get(2..).unwrap_or_default());
        let plane = self.b.size(&plane, DataType::I64);
        let within = self.b.binary("Mod", flat, plane);
        self.bind(indices, within)
    }

    pub(super) fn avg_pool(&mut self, x: &TensorIr, pool: &Pool<'_>, count_pad: bool, out: &TensorIr) -> Result<()> {
        let value = self.value(x)?;
        let kind = (self.b.dtype(value), self.shape(out));
        let attributes = [
            ("ceil_mode", i64::from(pool.ceil).into()),
            ("count_include_pad", count_pad.into()),
            ("kernel_shape", ints(pool.kernel)),
            ("pads", pool.pads()),
            ("strides", ints(pool.stride)),
        ];
        let result = self.b.node("AveragePool", [value.into()], attributes, kind);
        self.bind(out, result)
    }

    /// The mean over windows that divide each axis as evenly as they can.
    pub(super) fn adaptive_avg_pool(&mut self, x: &TensorIr, sizes: &[usize], out: &TensorIr) -> Result<()> {
        self.follows_from_shapes("/output_size");
        let value = self.value(x)?;
        let (shape, kind) = (self.b.shape(value), (self.b.dtype(value), self.shape(out)));
        let spatial = &shape[2..];
        if sizes.iter().all(|size| *size == 1) {
            let result = self.b.node("GlobalAveragePool", [value.into()], [], kind);
            return self.bind(out, result);
        }
        if kind.1 == shape {
            return self.bind(out, value);
        }
        let kernel: Option<Vec<usize>> = spatial
            .iter()
            .zip(sizes)
            .map(|(from, to)| {
                let from = usize::try_from(from.as_fixed()?).ok()?;
                (*to > 0 && from % to == 0).then(|| from / to)
            })
            .collect();
        if let Some(kernel) = kernel {
            let attributes = [("kernel_shape", ints(&kernel)), ("strides", ints(&kernel))];
            let result = self.b.node("AveragePool", [value.into()], attributes, kind);
            return self.bind(out, result);
        }
        // Uneven windows are a matrix of weights for each axis, which exists for every size.
        let mut result = value;
        let rank = shape.len();
        for (position, to) in kind.1[2..].iter().cloned().enumerate() {
            let (axis, from) = (position + 2, &spatial[position]);
            if *from == to {
                continue;
            }
            let weights = self.window_weights(from, &to, kind.0);
            let turned = self.b.swap(result, axis, rank - 1);
            let pooled = self.b.matmul(turned, weights);
            result = self.b.swap(pooled, axis, rank - 1);
        }
        self.bind(out, result)
    }

    /// `[from, to]`: one over the window's length inside window `o`, which is `floor(o * from / to)` up to
    /// `ceil((o + 1) * from / to)`.
    fn window_weights(&mut self, from: &Dim, to: &Dim, dtype: DataType) -> ValueId {
        let window = self.b.range(to, DataType::I64);
        let from_size = self.b.size(from, DataType::I64);
        let to_size = self.b.size(to, DataType::I64);
        let scaled = self.b.mul(window, from_size);
        let start = self.b.div(scaled, to_size);
        let next = self.b.add(scaled, from_size);
        let rounding = self.b.size(&(to - &Dim::fixed(1)), DataType::I64);
        let next = self.b.add(next, rounding);
        let end = self.b.div(next, to_size);
        let element = self.b.range(from, DataType::I64);
        let element = self.b.unsqueeze(element, &[1]);
        let reached = self.b.compare("Less", element, start);
        let reached = self.b.not(reached);
        let before = self.b.compare("Less", element, end);
        let inside = self.b.binary("And", reached, before);
        let length = self.b.sub(end, start);
        let length = self.b.cast(length, dtype);
        let inside = self.b.cast(inside, dtype);
        self.b.div(inside, length)
    }
}
