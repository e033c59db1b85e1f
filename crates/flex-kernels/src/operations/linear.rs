//! Linear layers, with ReLU and dropout.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::recycling::Memory;
use super::values::{Row, Taped, constant, own_tensor, plain, taped};
use crate::linear::{Activation, LinearGradients, LinearShape, backward, forward};
use crate::simd::Isa;

/// `activation(layer(input)) * scale`, with `scale` like the output, without gradient.
pub fn linear(
    layer: &Linear,
    activation: Activation,
    input: &Tensor<2>,
    scale: Option<&Tensor<2>>,
) -> Option<Tensor<2>> {
    let (weights, bias) = (layer.weight.val(), layer.bias.as_ref()?.val());
    let ([rows, inputs], [weight_inputs, outputs]) = (input.dims(), weights.dims());
    if inputs != weight_inputs || rows * inputs * outputs == 0 {
        return None;
    }
    let scale = match scale {
        Some(scale) if scale.dims() == [rows, outputs] => Some(constant(scale)?),
        Some(_) => return None,
        None => None,
    };
    let new = |input, weights, bias| Operands {
        shape: LinearShape { rows, inputs, outputs },
        activation,
        input: Row::of(input),
        weights: Row::of(weights),
        bias: Row::of(bias),
        scale: scale.clone(),
    };
    if let (Some(input), Some(weights), Some(bias)) = (plain(input), plain(&weights), plain(&bias)) {
        return Some(Tensor::from_primitive::<Flex>(new(input, weights, bias).forward()));
    }
    let (input, weights, bias) = (taped(input)?, taped(&weights)?, taped(&bias)?);
    let nodes = [input.node(), weights.node(), bias.node()];
    let operands = new(input.into_primitive(), weights.into_primitive(), bias.into_primitive());
    let out = operands.forward();
    let output = match LinearLayer.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => preparation.finish((operands, Row::of(out.clone())), out),
        OpsKind::UnTracked(preparation) => preparation.finish(out),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// What both passes read.
#[derive(Debug, Clone)]
struct Operands {
    shape: LinearShape,
    activation: Activation,
    input: Row,
    weights: Row,
    bias: Row,
    scale: Option<Row>,
}

impl Operands {
    fn forward(&self) -> FlexTensor {
        let Self { shape, activation, input, weights, bias, scale } = self;
        let mut out = Memory::arbitrary(shape.rows * shape.outputs);
        let (input, weights, bias) = (input.values(), weights.values(), bias.values());
        forward(Isa::best(), *shape, *activation, input, weights, bias, scale.as_ref().map(Row::values), &mut out);
        out.into_tensor([shape.rows, shape.outputs])
    }
}

#[derive(Debug)]
struct LinearLayer;

impl Backward<Flex, 3> for LinearLayer {
    /// The operands and the output.
    type State = (Operands, Row);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Row::of(gradients.consume::<Flex>(&ops.node));
        let (Operands { shape, activation, input, weights, scale, .. }, out) = &ops.state;
        let LinearShape { rows, inputs, outputs } = *shape;
        let mut d_input = ops.parents[0].is_some().then(|| Memory::arbitrary(rows * inputs));
        let mut d_weights = Memory::arbitrary(inputs * outputs);
        let mut d_bias = vec![0.0; outputs];
        backward(
            Isa::best(),
            *shape,
            *activation,
            input.values(),
            weights.values(),
            scale.as_ref().map(Row::values),
            out.values(),
            LinearGradients {
                output: gradient.values(),
                input: d_input.as_deref_mut(),
                weights: &mut d_weights,
                bias: &mut d_bias,
            },
        );
        let [input_node, weights_node, bias_node] = &ops.parents;
        if let (Some(node), Some(d_input)) = (input_node, d_input) {
            gradients.register::<Flex>(node.id, d_input.into_tensor([rows, inputs]));
        }
        if let Some(node) = weights_node {
            gradients.register::<Flex>(node.id, d_weights.into_tensor([inputs, outputs]));
        }
        if let Some(node) = bias_node {
            gradients.register::<Flex>(node.id, own_tensor(d_bias, [outputs]));
        }
    }
}
