//! Linear layers, with an activation and dropout.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::packing::ready;
use super::recycling::Memory;
use super::terms::{LayerTerms, LinearTerms, Terms, collecting, keep};
use super::values::{Row, Taped, constant, own_tensor, plain, taped};
use crate::linear::{
    Activation, LinearShape, PackedWeights, Weights, activate, backward_rows, backward_weights, forward,
};
use crate::simd::Isa;

/// `activation(layer(input)) * scale` over the last axis, with `scale` like the output, without gradient.
pub fn linear<const D: usize>(
    layer: &Linear,
    activation: Activation,
    input: &Tensor<D>,
    scale: Option<&Tensor<D>>,
) -> Option<Tensor<D>> {
    let weights = layer.weight.val();
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    let ([weight_inputs, outputs], mut sizes) = (weights.dims(), input.dims());
    let (inputs, rows) = (*sizes.last()?, sizes[..D - 1].iter().product());
    if inputs != weight_inputs || rows * inputs * outputs == 0 {
        return None;
    }
    *sizes.last_mut()? = outputs;
    let scale = match scale {
        Some(scale) if scale.dims() == sizes => Some(constant(scale)?),
        Some(_) => return None,
        None => None,
    };
    let shape = LinearShape { rows, inputs, outputs };
    if let (Some(input), Some(weights)) = (plain(input), plain(&weights)) {
        let bias = match bias {
            Some(bias) => Some(Row::of(plain(&bias)?)),
            None => None,
        };
        let mut out = Memory::arbitrary(rows * outputs);
        let (input, weights_by_row) = (Row::of(input), Row::of(weights.clone()));
        let (bias, scale) = (bias.as_ref().map(Row::values), scale.as_ref().map(Row::values));
        let packed;
        let weights = if PackedWeights::pay_for(rows) {
            packed = ready(&[&weights], || PackedWeights::new(Isa::best(), inputs, outputs, weights_by_row.values()));
            Weights::Packed(&packed)
        } else {
            Weights::Plain(weights_by_row.values())
        };
        forward(Isa::best(), shape, activation, input.values(), weights, bias, scale, &mut out);
        return Some(Tensor::from_primitive::<Flex>(out.into_tensor(sizes)));
    }
    let (input, weights, bias) = (taped(input)?, taped(&weights)?, taped(&bias?)?);
    let nodes = [input.node(), weights.node(), bias.node()];
    let operands = Operands {
        shape,
        activation,
        sizes,
        input: Row::of(input.into_primitive()),
        weights: Row::of(weights.into_primitive()),
        bias: Row::of(bias.into_primitive()),
        scale,
    };
    let (out, control) = operands.forward();
    let output = match LinearLayer.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => preparation.finish((operands, control), out),
        OpsKind::UnTracked(preparation) => preparation.finish(out),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// What both passes read.
#[derive(Debug, Clone)]
struct Operands<const D: usize> {
    shape: LinearShape,
    activation: Activation,
    /// Of the output.
    sizes: [usize; D],
    input: Row,
    weights: Row,
    bias: Row,
    scale: Option<Row>,
}

impl<const D: usize> Operands<D> {
    /// The output, and what decides about the derivative of the activation.
    fn forward(&self) -> (FlexTensor, Row) {
        let Self { shape, activation, sizes, input, weights, bias, scale } = self;
        let mut out = Memory::arbitrary(shape.rows * shape.outputs);
        let (weights, bias, scale) =
            (Weights::Plain(weights.values()), Some(bias.values()), scale.as_ref().map(Row::values));
        let run = |activation, scale, out: &mut [f32]| {
            forward(Isa::best(), *shape, activation, input.values(), weights, bias, scale, out);
        };
        if matches!(activation, Activation::Identity | Activation::Relu) {
            run(*activation, scale, &mut out);
            let out = out.into_tensor(*sizes);
            return (out.clone(), Row::of(out));
        }
        run(Activation::Identity, None, &mut out);
        let mut active = Memory::arbitrary(shape.rows * shape.outputs);
        activate(Isa::best(), *activation, &out, scale, &mut active);
        (active.into_tensor(*sizes), Row::of(out.into_tensor(*sizes)))
    }
}

#[derive(Debug)]
struct LinearLayer<const D: usize>;

impl<const D: usize> Backward<Flex, 3> for LinearLayer<D> {
    /// The operands, and what decides about the derivative of the activation.
    type State = (Operands<D>, Row);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Row::of(gradients.consume::<Flex>(&ops.node));
        let (Operands { shape, activation, sizes, input, weights, scale, .. }, control) = &ops.state;
        let LinearShape { rows, inputs, outputs } = *shape;
        let mut d_input = ops.parents[0].is_some().then(|| Memory::arbitrary(rows * inputs));
        let scale = scale.as_ref().map(Row::values);
        let active = backward_rows(
            Isa::best(),
            *shape,
            *activation,
            weights.values(),
            scale,
            control.values(),
            gradient.values(),
            d_input.as_deref_mut(),
        );
        let [input_node, weights_node, bias_node] = &ops.parents;
        if let (Some(node), Some(d_input)) = (input_node, d_input) {
            let mut sizes = *sizes;
            sizes[D - 1] = inputs;
            gradients.register::<Flex>(node.id, d_input.into_tensor(sizes));
        }
        if let (Some(weights), Some(bias), Some(_)) = (weights_node, bias_node, collecting()) {
            let terms = LinearTerms { input: input.clone(), gradient: active.into_owned(), sizes: [inputs, outputs] };
            keep(LayerTerms { weights: weights.id, bias: bias.id, terms: Terms::Linear(terms) });
            return;
        }
        let mut d_weights = Memory::arbitrary(inputs * outputs);
        let mut d_bias = vec![0.0; outputs];
        backward_weights(Isa::best(), rows, input.values(), &active, &mut d_weights, &mut d_bias);
        if let Some(node) = weights_node {
            gradients.register::<Flex>(node.id, d_weights.into_tensor([inputs, outputs]));
        }
        if let Some(node) = bias_node {
            gradients.register::<Flex>(node.id, own_tensor(d_bias, [outputs]));
        }
    }
}
