//! Convolutions, their transposes, and linear layers.

use burn::backend::ir::{
    Conv1dOpIr, Conv2dOpIr, Conv3dOpIr, ConvTranspose1dOpIr, ConvTranspose2dOpIr, ConvTranspose3dOpIr,
    DeformConv2dOpIr, LinearOpIr, TensorIr,
};
use onnx_model::Attribute;

use super::{Lowering, Result};
use crate::graph::Operand;
use crate::opset::Opset;
use crate::symbolic::Dim;

/// What a convolution has besides its tensors.
struct Window<'a> {
    stride: &'a [usize],
    /// Before and after, axis by axis.
    padding: Vec<(Dim, Dim)>,
    dilation: &'a [usize],
    groups: usize,
    /// Extra size of a transposed convolution's output.
    extra: Option<&'a [usize]>,
}

pub(super) fn ints(values: &[usize]) -> Attribute {
    values.iter().map(|value| *value as i64).collect::<Vec<i64>>().into()
}

/// All beginnings, then all ends.
pub(super) fn pads(padding: &[(usize, usize)]) -> Attribute {
    let before = padding.iter().map(|(before, _)| *before as i64);
    before.chain(padding.iter().map(|(_, after)| *after as i64)).collect::<Vec<i64>>().into()
}

fn symmetric(padding: &[usize]) -> Vec<(Dim, Dim)> {
    padding.iter().map(|padding| (Dim::fixed(*padding as i64), Dim::fixed(*padding as i64))).collect()
}

/// Padding that no axis changes.
fn fixed(padding: &[(Dim, Dim)]) -> Option<Vec<(usize, usize)>> {
    let size = |dim: &Dim| usize::try_from(dim.as_fixed()?).ok();
    padding.iter().map(|(before, after)| Some((size(before)?, size(after)?))).collect()
}

impl Lowering<'_> {
    pub(super) fn conv1d(&mut self, op: &Conv1dOpIr) -> Result<()> {
        let options = &op.options;
        let (padding, dilation) = (self.padding(&options.padding), &options.dilation);
        let window = Window { stride: &options.stride, padding, dilation, groups: options.groups, extra: None };
        self.convolve(&op.x, &op.weight, op.bias.as_ref(), &window, &op.out)
    }

    pub(super) fn conv2d(&mut self, op: &Conv2dOpIr) -> Result<()> {
        let options = &op.options;
        let (padding, dilation) = (self.padding(&options.padding), &options.dilation);
        let window = Window { stride: &options.stride, padding, dilation, groups: options.groups, extra: None };
        self.convolve(&op.x, &op.weight, op.bias.as_ref(), &window, &op.out)
    }

    pub(super) fn conv3d(&mut self, op: &Conv3dOpIr) -> Result<()> {
        let options = &op.options;
        let (padding, dilation) = (symmetric(&options.padding), &options.dilation);
        let window = Window { stride: &options.stride, padding, dilation, groups: options.groups, extra: None };
        self.convolve(&op.x, &op.weight, op.bias.as_ref(), &window, &op.out)
    }

    pub(super) fn conv_transpose1d(&mut self, op: &ConvTranspose1dOpIr) -> Result<()> {
        let options = &op.options;
        let (padding, dilation) = (symmetric(&options.padding), &options.dilation);
        let extra = Some(options.padding_out.as_slice());
        let window = Window { stride: &options.stride, padding, dilation, groups: options.groups, extra };
        self.convolve(&op.x, &op.weight, op.bias.as_ref(), &window, &op.out)
    }

    pub(super) fn conv_transpose2d(&mut self, op: &ConvTranspose2dOpIr) -> Result<()> {
        let options = &op.options;
        let (padding, dilation) = (symmetric(&options.padding), &options.dilation);
        let extra = Some(options.padding_out.as_slice());
        let window = Window { stride: &options.stride, padding, dilation, groups: options.groups, extra };
        self.convolve(&op.x, &op.weight, op.bias.as_ref(), &window, &op.out)
    }

    pub(super) fn conv_transpose3d(&mut self, op: &ConvTranspose3dOpIr) -> Result<()> {
        let options = &op.options;
        let (padding, dilation) = (symmetric(&options.padding), &options.dilation);
        let extra = Some(options.padding_out.as_slice());
        let window = Window { stride: &options.stride, padding, dilation, groups: options.groups, extra };
        self.convolve(&op.x, &op.weight, op.bias.as_ref(), &window, &op.out)
    }

    /// The padding of a convolution, which may follow the size of the image.
    fn padding(&mut self, recorded: &[(usize, usize)]) -> Vec<(Dim, Dim)> {
        let sides = recorded.iter().enumerate().map(|(axis, (before, after))| {
            let mut side = |name, size: &usize| self.number(&format!("/options/padding/{axis}/{name}"), *size as i64);
            (side("0", before), side("1", after))
        });
        sides.collect()
    }

    fn convolve(
        &mut self,
        x: &TensorIr,
        weight: &TensorIr,
        bias: Option<&TensorIr>,
        window: &Window<'_>,
        out: &TensorIr,
    ) -> Result<()> {
        let kernel = weight.shape.to_vec();
        for dim in self.shape(weight) {
            self.fixed(&dim, "size of the kernel")?;
        }
        let mut image = self.value(x)?;
        let padding = match fixed(&window.padding) {
            Some(padding) => padding,
            None => {
                // The attribute is fixed, so that an operator of its own pads.
                let (before, after): (Vec<Dim>, Vec<Dim>) = window.padding.iter().cloned().unzip();
                image = self.b.pad(image, &before, &after);
                vec![(0, 0); window.padding.len()]
            }
        };
        let mut inputs: Vec<Operand> = vec![image.into(), self.value(weight)?.into()];
        if let Some(bias) = bias {
            inputs.push(self.value(bias)?.into());
        }
        let kind = (self.dtype(x)?, self.shape(out));
        let base = [
            ("dilations", ints(window.dilation)),
            ("group", (window.groups as i64).into()),
            ("kernel_shape", ints(kernel.get(2..).unwrap_or_default())),
            ("pads", pads(&padding)),
            ("strides", ints(window.stride)),
        ];
        let value = match window.extra {
            None => self.b.node("Conv", inputs, base, kind),
            Some(extra) => {
                let [a, b, c, d, e] = base;
                let attributes = [a, b, c, d, e, ("output_padding", ints(extra))];
                self.b.node("ConvTranspose", inputs, attributes, kind)
            }
        };
        self.bind(out, value)
    }

    pub(super) fn deform_conv(&mut self, op: &DeformConv2dOpIr) -> Result<()> {
        self.need(Opset::V19)?;
        let optional = |this: &mut Self, tensor: &Option<TensorIr>| -> Result<Operand> {
            Ok(match tensor {
                Some(tensor) => this.value(tensor)?.into(),
                None => Operand::Absent,
            })
        };
        let mut inputs: Vec<Operand> =
            vec![self.value(&op.x)?.into(), self.value(&op.weight)?.into(), self.value(&op.offset)?.into()];
        inputs.push(optional(self, &op.bias)?);
        inputs.push(optional(self, &op.mask)?);
        while inputs.last() == Some(&Operand::Absent) {
            inputs.pop();
        }
        let kernel = op.weight.shape.to_vec();
        let kind = (self.dtype(&op.x)?, self.shape(&op.out));
        let attributes = [
            ("dilations", ints(&op.options.dilation)),
            ("group", (op.options.weight_groups as i64).into()),
            ("kernel_shape", ints(kernel.get(2..).unwrap_or_default())),
            ("offset_group", (op.options.offset_groups as i64).into()),
            ("pads", pads(&op.options.padding.map(|padding| (padding, padding)))),
            ("strides", ints(&op.options.stride)),
        ];
        let value = self.b.node("DeformConv", inputs, attributes, kind);
        self.bind(&op.out, value)
    }

    /// `x @ weight + bias`, weights `[in, out]`; simplification makes a Gemm of it where x has two axes.
    pub(super) fn linear(&mut self, op: &LinearOpIr) -> Result<()> {
        let (x, weight) = (self.value(&op.x)?, self.value(&op.weight)?);
        let mut out = self.b.matmul(x, weight);
        if let Some(bias) = &op.bias {
            let bias = self.value(bias)?;
            out = self.b.add(out, bias);
        }
        self.bind(&op.out, out)
    }
}
