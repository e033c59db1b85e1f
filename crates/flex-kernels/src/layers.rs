//! Layers of a network that run on the fused kernels where they can, and on Burn's own operations elsewhere.
//!
//! Each function is defined by the composition of Burn's operations in its body. On the flex backend one kernel computes
//! the same, up to rounding, forward and backward; on every other device, and in a captured graph, the composition runs.

mod convolution;
mod transformer;

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::{gelu, gelu_approximate, log_softmax, relu, silu};

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Int, Tensor};

pub use self::convolution::{conv2d, global_avg_pool2d, max_pool2d};
pub use self::transformer::{attention, embeddings, layer_norm, packed_attention, residual_norm};
pub use crate::dropout::Dropout;
pub use crate::linear::Activation;
use crate::operations;

/// `relu(conv(images))`.
pub fn conv_relu(conv: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    operations::conv_relu(conv, &images).unwrap_or_else(|| relu(conv.forward(images)))
}

/// `max_pool(relu(conv(images))) * scale`, with pooling windows of `pool` by `pool` next to each other.
///
/// `scale` `[image, channel, 1, 1]` is for dropout; it gets no gradient on the kernels.
pub fn conv_relu_pool(conv: &Conv2d, images: Tensor<4>, pool: usize, scale: Option<Tensor<4>>) -> Tensor<4> {
    operations::conv_relu_pool(conv, &images, pool, scale.as_ref()).unwrap_or_else(|| {
        let x = burn::tensor::module::max_pool2d(relu(conv.forward(images)), MaxPoolOptions::new([pool, pool]));
        scaled(x, scale)
    })
}

/// `activation(layer(input))`, over the last axis.
pub fn linear<const D: usize>(layer: &Linear, activation: Activation, input: Tensor<D>) -> Tensor<D> {
    operations::linear(layer, activation, &input, None).unwrap_or_else(|| {
        // Burn folds all axes but the last into rows by itself, but at some sizes only, and a recorded graph must not depend
        // on them.
        let mut sizes = input.dims();
        let (width, before) = sizes.split_last_mut().expect("a linear layer has an axis");
        let rows: Tensor<2> = layer.forward(input.reshape([before.iter().product(), *width]));
        [_, *width] = rows.dims();
        activated(activation, rows.reshape(sizes))
    })
}

/// `relu(layer(input)) * scale`. `scale`, like the output, is for dropout; it gets no gradient on the kernels.
pub fn linear_relu(layer: &Linear, input: Tensor<2>, scale: Option<Tensor<2>>) -> Tensor<2> {
    operations::linear(layer, Activation::Relu, &input, scale.as_ref())
        .unwrap_or_else(|| scaled(relu(layer.forward(input)), scale))
}

/// The mean over the rows of `logits` `[rows, classes]` of the negative log-likelihood of `labels` `[rows]`, `[1]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    operations::cross_entropy(&logits, &labels)
        .unwrap_or_else(|| log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).mean().neg())
}

fn activated<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_approximate(x),
        Activation::Silu => silu(x),
    }
}

fn scaled<const D: usize>(x: Tensor<D>, scale: Option<Tensor<D>>) -> Tensor<D> {
    match scale {
        Some(scale) => x * scale,
        None => x,
    }
}
