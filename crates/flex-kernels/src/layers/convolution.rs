//! Convolutions of any geometry and pools; the kernels are for inference.

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
/// Where nothing is recorded, the kernel takes the running statistics of `norm` into the weights, once.
pub fn conv2d(
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    activation: Activation,
    images: Tensor<4>,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    operations::conv2d(conv, norm, activation, &images, residual.as_ref()).unwrap_or_else(|| {
        let mut x = conv.forward(images);
        if let Some(norm) = norm {
            x = norm.forward(x);
        }
        if let Some(residual) = residual {
            x = x + residual;
        }
        activated(activation, x)
    })
}

/// The largest value of each window, without padding.
pub fn max_pool2d(images: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    operations::pool2d(Pool::Max, &images, kernel, stride, [0, 0])
        .unwrap_or_else(|| burn::tensor::module::max_pool2d(images, MaxPoolOptions::new(kernel).with_stride(stride)))
}

/// The mean of each channel, `[image, channel, 1, 1]`.
pub fn global_avg_pool2d(images: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    operations::pool2d(Pool::Average, &images, [height, width], [1, 1], [0, 0])
        .unwrap_or_else(|| adaptive_avg_pool2d(images, [1, 1]))
}
