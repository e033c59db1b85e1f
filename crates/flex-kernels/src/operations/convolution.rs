//! Convolution with bias and ReLU, and with a max-pooling.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::recycling::Memory;
use super::terms::{LayerTerms, Terms, collecting, keep};
use super::values::{Row, Taped, constant, own_tensor, plain, taped};
use crate::buffer::Buffer;
use crate::convolution::{ConvShape, Parts, Pooled, PooledTerms, forward, forward_pooled, parts, pooled_parts};
use crate::simd::Isa;

/// `relu(conv(images))`, channels-last in memory.
pub fn conv_relu(conv: &Conv2d, images: &Tensor<4>) -> Option<Tensor<4>> {
    let shape = shape_of(conv, images.dims())?;
    let (weights, bias) = (conv.weight.val(), conv.bias.as_ref()?.val());
    if let (Some(images), Some(weights), Some(bias)) = (plain(images), plain(&weights), plain(&bias)) {
        let operands = Operands::new(shape, &images, weights, bias);
        return Some(Tensor::from_primitive::<Flex>(operands.forward().0));
    }
    let (images, weights, bias) = (taped(images)?, taped(&weights)?, taped(&bias)?);
    let nodes = [images.node(), weights.node(), bias.node()];
    let operands = Operands::new(shape, images.primitive(), weights.into_primitive(), bias.into_primitive());
    let (tensor, out) = operands.forward();
    let output = match ConvRelu.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => preparation.finish((operands, out), tensor),
        OpsKind::UnTracked(preparation) => preparation.finish(tensor),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// `max_pool(relu(conv(images))) * scale`, row-major; windows of `pool` by `pool` next to each other, `scale` of
/// `[image, channel, 1, 1]` without gradient.
pub fn conv_relu_pool(conv: &Conv2d, images: &Tensor<4>, pool: usize, scale: Option<&Tensor<4>>) -> Option<Tensor<4>> {
    let [count, ..] = images.dims();
    let shape = shape_of(conv, images.dims())?;
    if !(1..16).contains(&pool) || shape.output_size().iter().any(|&side| side < pool) {
        return None;
    }
    let scale = match scale {
        Some(scale) if scale.dims() == [count, shape.outputs, 1, 1] => Some(constant(scale)?),
        Some(_) => return None,
        None => None,
    };
    let (weights, bias) = (conv.weight.val(), conv.bias.as_ref()?.val());
    if let (Some(images), Some(weights), Some(bias)) = (plain(images), plain(&weights), plain(&bias)) {
        let operands = Operands::new(shape, &images, weights, bias);
        return Some(Tensor::from_primitive::<Flex>(operands.forward_pooled(pool, scale.as_ref(), None)));
    }
    let (images, weights, bias) = (taped(images)?, taped(&weights)?, taped(&bias)?);
    let nodes = [images.node(), weights.node(), bias.node()];
    let operands = Operands::new(shape, images.primitive(), weights.into_primitive(), bias.into_primitive());
    let output = match ConvReluPool.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => {
            let [height, width] = shape.output_size().map(|side| side / pool);
            let length = count * shape.outputs * height * width;
            let mut winners = Buffer::zeros(length.div_ceil(size_of::<f32>()));
            let bytes = &mut bytemuck::cast_slice_mut(&mut winners)[..length];
            let tensor = operands.forward_pooled(pool, scale.as_ref(), Some(bytes));
            let state = PoolState { operands, pool, scale, winners: Arc::new(winners) };
            preparation.finish(state, tensor)
        }
        OpsKind::UnTracked(preparation) => preparation.finish(operands.forward_pooled(pool, scale.as_ref(), None)),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// The geometry, if the kernels can do it.
fn shape_of(conv: &Conv2d, [count, inputs, height, width]: [usize; 4]) -> Option<ConvShape> {
    let padding = match conv.padding {
        PaddingConfig2d::Valid => [0, 0],
        PaddingConfig2d::Explicit(top, left, bottom, right) if (top, left) == (bottom, right) => [top, left],
        _ => return None,
    };
    let [outputs, weight_inputs, _, _] = conv.weight.lazy_shape().dims();
    let shape =
        ConvShape { inputs, outputs, size: [height, width], kernel: conv.kernel_size, stride: conv.stride, padding };
    let plain = conv.groups == 1 && conv.dilation == [1, 1] && weight_inputs == inputs;
    (plain && count > 0 && shape.image_len() > 0 && shape.checked_output_size().is_some()).then_some(shape)
}

/// What both passes read.
#[derive(Debug, Clone)]
struct Operands {
    shape: ConvShape,
    count: usize,
    /// Channels-last.
    images: Row,
    weights: Row,
    bias: Row,
}

impl Operands {
    fn new(shape: ConvShape, images: &FlexTensor, weights: FlexTensor, bias: FlexTensor) -> Self {
        let images = Row::channels_last(images);
        let count = images.values().len() / shape.image_len();
        Self { shape, count, images, weights: Row::of(weights), bias: Row::of(bias) }
    }

    /// The output as `[image, channel, row, column]`, and as it is in memory.
    fn forward(&self) -> (FlexTensor, Row) {
        let Self { shape, count, images, weights, bias } = self;
        let [height, width] = shape.output_size();
        let mut out = Memory::arbitrary(count * shape.output_len());
        forward(Isa::best(), shape, images.values(), weights.values(), bias.values(), &mut out);
        let out = out.into_tensor([*count, height, width, shape.outputs]);
        (out.permute(&[0, 3, 1, 2]), Row::of(out))
    }

    fn forward_pooled(&self, pool: usize, scale: Option<&Row>, winners: Option<&mut [u8]>) -> FlexTensor {
        let Self { shape, count, images, weights, bias } = self;
        let [height, width] = shape.output_size().map(|side| side / pool);
        let mut out = Memory::arbitrary(count * shape.outputs * height * width);
        let to = Pooled { out: &mut out, winners };
        let (images, weights, bias) = (images.values(), weights.values(), bias.values());
        forward_pooled(Isa::best(), shape, pool, images, weights, bias, scale.map(Row::values), to);
        out.into_tensor([*count, shape.outputs, height, width])
    }
}

/// Hands on the gradient of the images, and that of the parameters or the terms of it.
fn register<S>(operands: &Operands, images: Option<Memory>, parts: Parts, ops: &Ops<S, 3>, gradients: &mut Gradients) {
    let [images_node, weights_node, bias_node] = &ops.parents;
    let Operands { shape, count, .. } = operands;
    let (ConvShape { inputs, outputs, .. }, [height, width], [rows, columns]) = (*shape, shape.size, shape.kernel);
    if let (Some(node), Some(values)) = (images_node, images) {
        let gradient = values.into_tensor([*count, height, width, inputs]).permute(&[0, 3, 1, 2]);
        gradients.register::<Flex>(node.id, gradient);
    }
    if let (Some(weights), Some(bias), Some(_)) = (weights_node, bias_node, collecting()) {
        keep(LayerTerms { weights: weights.id, bias: bias.id, terms: Terms::Convolution(parts) });
        return;
    }
    let (mut d_weights, mut d_bias) = (vec![0.0; shape.weights_len()], vec![0.0; outputs]);
    parts.finish(&parts.total(), &mut d_weights, &mut d_bias);
    if let Some(node) = weights_node {
        gradients.register::<Flex>(node.id, own_tensor(d_weights, [outputs, inputs, rows, columns]));
    }
    if let Some(node) = bias_node {
        gradients.register::<Flex>(node.id, own_tensor(d_bias, [outputs]));
    }
}

#[derive(Debug)]
struct ConvRelu;

impl Backward<Flex, 3> for ConvRelu {
    /// The operands, and the output channels-last.
    type State = (Operands, Row);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Row::channels_last(&gradients.consume::<Flex>(&ops.node));
        let (operands, out) = &ops.state;
        let mut d_images = images_gradient(operands, &ops);
        let parts = parts(
            Isa::best(),
            &operands.shape,
            collecting().unwrap_or(operands.count),
            operands.images.values(),
            operands.weights.values(),
            out.values(),
            (gradient.values(), d_images.as_deref_mut()),
        );
        register(operands, d_images, parts, &ops, gradients);
    }
}

#[derive(Debug)]
struct ConvReluPool;

#[derive(Debug, Clone)]
struct PoolState {
    operands: Operands,
    pool: usize,
    scale: Option<Row>,
    /// A byte for each value of the output.
    winners: Arc<Buffer>,
}

impl Backward<Flex, 3> for ConvReluPool {
    type State = PoolState;

    fn backward(self, ops: Ops<PoolState, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Row::of(gradients.consume::<Flex>(&ops.node));
        let PoolState { operands, pool, scale, winners } = &ops.state;
        let mut d_images = images_gradient(operands, &ops);
        let parts = pooled_parts(
            Isa::best(),
            &operands.shape,
            *pool,
            collecting().unwrap_or(operands.count),
            operands.images.values(),
            operands.weights.values(),
            PooledTerms {
                output: gradient.values(),
                winners: &bytemuck::cast_slice(winners)[..gradient.values().len()],
                scale: scale.as_ref().map(Row::values),
                images: d_images.as_deref_mut(),
            },
        );
        register(operands, d_images, parts, &ops, gradients);
    }
}

/// Memory for the gradient of the images, where it is wanted.
fn images_gradient<S>(operands: &Operands, ops: &Ops<S, 3>) -> Option<Memory> {
    ops.parents[0].is_some().then(|| Memory::arbitrary(operands.images.values().len()))
}
