//! Convolution of any geometry and pools, of tensors that are not recorded.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::Tensor;

use super::packing::ready;
use super::recycling::Memory;
use super::values::{Row, plain};
use crate::convolution::{GeneralShape, PackedConvolution, WindowShape, infer};
use crate::linear::Activation;
use crate::pool::{Pool, pool};
use crate::simd::Isa;

/// `activation(norm(conv(images)) + residual)`, channels-last in memory.
pub fn conv2d(
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    activation: Activation,
    images: &Tensor<4>,
    residual: Option<&Tensor<4>>,
) -> Option<Tensor<4>> {
    let shape = general_shape(conv, images.dims())?;
    let (count, outputs, [out_height, out_width]) = (images.dims()[0], shape.outputs, shape.windows.output_size());
    let images = plain(images)?;
    let residual = match residual {
        Some(residual) if residual.dims() == [count, outputs, out_height, out_width] => Some(plain(residual)?),
        Some(_) => return None,
        None => None,
    };
    let weights = plain(&conv.weight.val())?;
    let bias = optional(conv.bias.as_ref().map(|bias| bias.val()))?;
    let folded = match norm {
        Some(norm) => {
            let parts = [norm.gamma.val(), norm.beta.val(), norm.running_mean.value(), norm.running_var.value()];
            let [gamma, beta, mean, variance] = parts.each_ref().map(plain);
            Some([gamma?, beta?, mean?, variance?])
        }
        None => None,
    };
    let mut parts = vec![&weights];
    parts.extend(&bias);
    parts.extend(folded.iter().flatten());
    let layer = ready(&parts, || {
        let mut weights = Row::of(weights.clone()).values().to_vec();
        let mut shift =
            bias.as_ref().map_or_else(|| vec![0.0; outputs], |bias| Row::of(bias.clone()).values().to_vec());
        if let (Some(norm), Some(parts)) = (norm, &folded) {
            fold(&mut weights, &mut shift, parts, norm.epsilon);
        }
        PackedConvolution::new(Isa::best(), &shape, &weights, &shift)
    });
    let images = Row::channels_last(&images);
    let residual = residual.as_ref().map(Row::channels_last);
    let mut out = Memory::arbitrary(count * outputs * out_height * out_width);
    let residual = residual.as_ref().map(Row::values);
    infer(Isa::best(), &shape, &layer, activation, images.values(), residual, &mut out);
    let out = out.into_tensor([count, out_height, out_width, outputs]).permute(&[0, 3, 1, 2]);
    Some(Tensor::from_primitive::<Flex>(out))
}

/// The geometry, if the kernels can do it.
pub(super) fn general_shape(conv: &Conv2d, [count, inputs, height, width]: [usize; 4]) -> Option<GeneralShape> {
    let [outputs, inputs_of_group, _, _] = conv.weight.lazy_shape().dims();
    let padding = match conv.padding {
        PaddingConfig2d::Valid => [0; 4],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [top, left, bottom, right],
        PaddingConfig2d::Same => return None,
    };
    let windows = WindowShape {
        size: [height, width],
        kernel: conv.kernel_size,
        stride: conv.stride,
        dilation: conv.dilation,
        padding,
    };
    let groups = conv.groups;
    windows.checked_output_size()?;
    let fits = inputs_of_group * groups == inputs && outputs.is_multiple_of(groups);
    let any = count * inputs * outputs * height * width > 0;
    (fits && any).then_some(GeneralShape { windows, inputs, outputs, groups })
}

/// Multiplies the filter of each output, and shifts its bias, as batch normalisation with its running statistics does.
fn fold(weights: &mut [f32], bias: &mut [f32], parts: &[FlexTensor; 4], epsilon: f64) {
    let [gamma, beta, mean, variance] = parts.each_ref().map(|part| Row::of(part.clone()));
    let length = weights.len() / bias.len();
    for (output, (weights, bias)) in weights.chunks_exact_mut(length).zip(bias).enumerate() {
        let value = |row: &Row| f64::from(row.values()[output]);
        let factor = value(&gamma) / (value(&variance) + epsilon).sqrt();
        for weight in weights {
            *weight = (f64::from(*weight) * factor) as f32;
        }
        *bias = ((f64::from(*bias) - value(&mean)) * factor + value(&beta)) as f32;
    }
}

/// The flex tensor behind a tensor that may be absent; `None` if it is there and none.
fn optional<const D: usize>(tensor: Option<Tensor<D>>) -> Option<Option<FlexTensor>> {
    match tensor {
        Some(tensor) => Some(Some(plain(&tensor)?)),
        None => Some(None),
    }
}

/// The pools of `images`, channels-last in memory; padding, on all sides alike, takes no part in them.
pub fn pool2d(
    kind: Pool,
    images: &Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Option<Tensor<4>> {
    let (shape, images) = (pool_shape(images.dims(), kernel, stride, padding)?, plain(images)?);
    let out = pooled(kind, &shape, &Row::channels_last(&images), images.layout().shape()[1]);
    Some(Tensor::from_primitive::<Flex>(out))
}

/// The geometry, if the kernels can do it.
pub(super) fn pool_shape(
    [count, channels, height, width]: [usize; 4],
    kernel: [usize; 2],
    stride: [usize; 2],
    [above, beside]: [usize; 2],
) -> Option<WindowShape> {
    let padding = [above, beside, above, beside];
    let shape = WindowShape { size: [height, width], kernel, stride, dilation: [1, 1], padding };
    shape.checked_output_size()?;
    (above < kernel[0] && beside < kernel[1] && count * channels * height * width > 0).then_some(shape)
}

/// The pools of channels-last `images`, `[image, channel, row, column]`.
pub(super) fn pooled(kind: Pool, shape: &WindowShape, images: &Row, channels: usize) -> FlexTensor {
    let [height, width] = shape.output_size();
    let count = images.values().len() / (shape.size[0] * shape.size[1] * channels);
    let mut out = Memory::arbitrary(count * channels * height * width);
    pool(Isa::best(), shape, kind, channels, images.values(), &mut out);
    out.into_tensor([count, height, width, channels]).permute(&[0, 3, 1, 2])
}
