//! Convolution of any geometry and pools, of tensors that are recorded.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::inference::{general_shape, pool_shape, pooled};
use super::recycling::Memory;
use super::values::{Row, Taped, own_tensor, taped};
use crate::convolution::{GeneralGradients, GeneralShape, PackedConvolution, WindowShape, backward_general, infer};
use crate::linear::{Activation, activate, before_activation};
use crate::pool::{self, Pool};
use crate::simd::Isa;

/// `activation(conv(images))`, channels-last in memory.
pub fn recorded_conv2d(conv: &Conv2d, activation: Activation, images: &Tensor<4>) -> Option<Tensor<4>> {
    let shape = general_shape(conv, images.dims())?;
    let (images, weights) = (taped(images)?, taped(&conv.weight.val())?);
    let nodes = (images.node(), weights.node());
    let bias = match &conv.bias {
        Some(bias) => Some(taped(&bias.val())?),
        None => None,
    };
    let new = |bias: Option<FlexTensor>| Operands {
        shape,
        activation,
        images: Row::channels_last(images.primitive()),
        weights: Row::of(weights.into_primitive()),
        bias: bias.map(Row::of),
    };
    let output = match bias {
        Some(bias) => {
            let nodes = [nodes.0, nodes.1, bias.node()];
            let operands = new(Some(bias.into_primitive()));
            let (out, control) = operands.forward();
            match Convolution.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(preparation) => preparation.finish((operands, control), out),
                OpsKind::UnTracked(preparation) => preparation.finish(out),
            }
        }
        None => {
            let operands = new(None);
            let (out, control) = operands.forward();
            match Convolution.prepare::<NoCheckpointing>([nodes.0, nodes.1]).compute_bound().stateful() {
                OpsKind::Tracked(preparation) => preparation.finish((operands, control), out),
                OpsKind::UnTracked(preparation) => preparation.finish(out),
            }
        }
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// What both passes read.
#[derive(Debug, Clone)]
struct Operands {
    shape: GeneralShape,
    activation: Activation,
    /// Channels-last.
    images: Row,
    weights: Row,
    bias: Option<Row>,
}

impl Operands {
    fn count(&self) -> usize {
        self.images.values().len() / (self.shape.windows.size.iter().product::<usize>() * self.shape.inputs)
    }

    /// The output, `[image, channel, row, column]`, and what decides about the derivative of the activation, channels-last.
    fn forward(&self) -> (FlexTensor, Row) {
        let Self { shape, activation, images, weights, bias } = self;
        let zeros;
        let bias = match bias {
            Some(bias) => bias.values(),
            None => {
                zeros = vec![0.0; shape.outputs];
                &zeros
            }
        };
        let [height, width] = shape.windows.output_size();
        let sizes = [self.count(), height, width, shape.outputs];
        let layer = PackedConvolution::new(Isa::best(), shape, weights.values(), bias);
        let direct = matches!(activation, Activation::Identity | Activation::Relu);
        let first = if direct { *activation } else { Activation::Identity };
        let mut out = Memory::arbitrary(sizes.iter().product());
        infer(Isa::best(), shape, &layer, first, images.values(), None, &mut out);
        if direct {
            let out = out.into_tensor(sizes);
            return (out.permute(&[0, 3, 1, 2]), Row::of(out));
        }
        let mut active = Memory::arbitrary(sizes.iter().product());
        activate(Isa::best(), *activation, &out, None, &mut active);
        (active.into_tensor(sizes).permute(&[0, 3, 1, 2]), Row::of(out.into_tensor(sizes)))
    }
}

#[derive(Debug)]
struct Convolution;

/// The parents are the images, the weights, and the bias where there is one.
impl<const N: usize> Backward<Flex, N> for Convolution {
    /// The operands, and what decides about the derivative of the activation.
    type State = (Operands, Row);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output = Row::channels_last(&gradients.consume::<Flex>(&ops.node));
        let (operands, control) = &ops.state;
        let Operands { shape, activation, images, weights, .. } = operands;
        let output = before_activation(Isa::best(), *activation, None, control.values(), output.values());
        let parent = |index: usize| ops.parents.get(index).and_then(Option::as_ref);
        let mut d_images = parent(0).map(|_| Memory::arbitrary(images.values().len()));
        let mut d_weights = Memory::arbitrary(weights.values().len());
        let mut d_bias = vec![0.0; shape.outputs];
        let to = GeneralGradients {
            output: &output,
            images: d_images.as_deref_mut(),
            weights: &mut d_weights,
            bias: &mut d_bias,
        };
        backward_general(Isa::best(), shape, images.values(), weights.values(), to);
        let [height, width] = shape.windows.size;
        if let (Some(node), Some(d_images)) = (parent(0), d_images) {
            let d_images = d_images.into_tensor([operands.count(), height, width, shape.inputs]);
            gradients.register::<Flex>(node.id, d_images.permute(&[0, 3, 1, 2]));
        }
        if let Some(node) = parent(1) {
            let [height, width] = shape.windows.kernel;
            let sizes = [shape.outputs, shape.inputs / shape.groups, height, width];
            gradients.register::<Flex>(node.id, d_weights.into_tensor(sizes));
        }
        if let Some(node) = parent(2) {
            gradients.register::<Flex>(node.id, own_tensor(d_bias, [shape.outputs]));
        }
    }
}

/// The pools of `images`, channels-last in memory; padding, on all sides alike, takes no part in them.
pub fn recorded_pool2d(
    kind: Pool,
    images: &Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Option<Tensor<4>> {
    let sizes = images.dims();
    let shape = pool_shape(sizes, kernel, stride, padding)?;
    let images = taped(images)?;
    let nodes = [images.node()];
    let images = Row::channels_last(images.primitive());
    let out = pooled(kind, &shape, &images, sizes[1]);
    let output = match Pooling.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => preparation.finish((kind, shape, images, sizes[1]), out),
        OpsKind::UnTracked(preparation) => preparation.finish(out),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

#[derive(Debug)]
struct Pooling;

impl Backward<Flex, 1> for Pooling {
    /// What the pool is, the images, and their channels.
    type State = (Pool, WindowShape, Row, usize);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output = Row::channels_last(&gradients.consume::<Flex>(&ops.node));
        let (kind, shape, images, channels) = ops.state;
        let [Some(node)] = ops.parents else { return };
        let images = images.values();
        let mut d_images = Memory::arbitrary(images.len());
        pool::backward(&shape, kind, channels, images, output.values(), &mut d_images);
        let [height, width] = shape.size;
        let sizes = [images.len() / (height * width * channels), height, width, channels];
        gradients.register::<Flex>(node.id, d_images.into_tensor(sizes).permute(&[0, 3, 1, 2]));
    }
}
