//! Convolutions of any geometry and pools.

use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use super::activated;
use crate::linear::Activation;
use crate::operations;
use crate::pool::Pool;

/// `activation(norm(conv(images)) + residual)`, `[image, channel, row, column]`.
///
/// Where nothing is recorded, the kernel takes the running statistics of `norm` into the weights, once. Where gradients are
/// recorded, `norm`, the residual and what follows them are Burn's operations.
pub fn conv2d(
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    activation: Activation,
    images: Tensor<4>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    operations::conv2d(conv, norm, activation, &images, residual.as_ref()).unwrap_or_else(|| {
        let alone = norm.is_none() && residual.is_none();
        let (first, last) = if alone { (activation, Activation::Identity) } else { (Activation::Identity, activation) };
        let mut x =
            operations::recorded_conv2d(conv, first, &images).unwrap_or_else(|| activated(first, conv.forward(images)));
        if let Some(norm) = norm {
            x = norm.forward(x);
        }
        if let Some(residual) = residual {
            x = x + residual;
        }
        activated(last, x)
    })
}

/// The largest value of each window, without padding.
pub fn max_pool2d(images: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    pool2d(Pool::Max, &images, kernel, stride)
        .unwrap_or_else(|| burn::tensor::module::max_pool2d(images, MaxPoolOptions::new(kernel).with_stride(stride)))
}

/// The mean of each channel, `[image, channel, 1, 1]`.
pub fn global_avg_pool2d(images: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    pool2d(Pool::Average, &images, [height, width], [1, 1]).unwrap_or_else(|| adaptive_avg_pool2d(images, [1, 1]))
}

fn pool2d(kind: Pool, images: &Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Option<Tensor<4>> {
    operations::pool2d(kind, images, kernel, stride, [0, 0])
        .or_else(|| operations::recorded_pool2d(kind, images, kernel, stride, [0, 0]))
}
