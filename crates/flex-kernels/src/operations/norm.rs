//! Layer normalisation, alone and behind a residual connection with dropout.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::nn::LayerNorm;
use burn::tensor::Tensor;

use super::recycling::Memory;
use super::values::{Row, Taped, own_tensor, plain, taped};
use crate::dropout::Dropout;
use crate::norm::{Norm, add, backward, forward, silence};
use crate::simd::Isa;

/// `norm(dropout(input) + residual)` over the last axis, and nothing added where there is no residual.
pub fn residual_norm<const D: usize>(
    norm: &LayerNorm,
    epsilon: f64,
    input: &Tensor<D>,
    residual: Option<&Tensor<D>>,
    dropout: Option<Dropout>,
) -> Option<Tensor<D>> {
    let (gamma, beta) = (norm.gamma.val(), norm.beta.as_ref()?.val());
    let sizes = input.dims();
    let width = *sizes.last()?;
    if gamma.dims() != [width] || residual.is_some_and(|residual| residual.dims() != sizes) || width == 0 {
        return None;
    }
    let new = |input, residual: Option<FlexTensor>, gamma, beta| Operands {
        sizes,
        epsilon: epsilon as f32,
        dropout,
        input: Row::of(input),
        residual: residual.map(Row::of),
        gamma: Row::of(gamma),
        beta: Row::of(beta),
    };
    if let (Some(input), Some(gamma), Some(beta)) = (plain(input), plain(&gamma), plain(&beta)) {
        let residual = match residual {
            Some(residual) => Some(plain(residual)?),
            None => None,
        };
        let (out, _) = new(input, residual, gamma, beta).forward();
        return Some(Tensor::from_primitive::<Flex>(out));
    }
    let (input, gamma, beta) = (taped(input)?, taped(&gamma)?, taped(&beta)?);
    let output = match residual {
        Some(residual) => {
            let residual = taped(residual)?;
            let nodes = [input.node(), gamma.node(), beta.node(), residual.node()];
            let operands = new(
                input.into_primitive(),
                Some(residual.into_primitive()),
                gamma.into_primitive(),
                beta.into_primitive(),
            );
            let (out, kept) = operands.forward();
            let state = State { sizes, dropout, gamma: operands.gamma, kept };
            match ResidualNorm::<D>.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(preparation) => preparation.finish(state, out),
                OpsKind::UnTracked(preparation) => preparation.finish(out),
            }
        }
        None => {
            let nodes = [input.node(), gamma.node(), beta.node()];
            let operands = new(input.into_primitive(), None, gamma.into_primitive(), beta.into_primitive());
            let (out, kept) = operands.forward();
            let state = State { sizes, dropout, gamma: operands.gamma, kept };
            match ResidualNorm::<D>.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(preparation) => preparation.finish(state, out),
                OpsKind::UnTracked(preparation) => preparation.finish(out),
            }
        }
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

struct Operands<const D: usize> {
    sizes: [usize; D],
    epsilon: f32,
    dropout: Option<Dropout>,
    input: Row,
    residual: Option<Row>,
    gamma: Row,
    beta: Row,
}

/// The normalised values, and the reciprocal standard deviation of each row.
#[derive(Debug, Clone)]
struct Kept {
    normalised: Row,
    deviations: Vec<f32>,
}

impl<const D: usize> Operands<D> {
    fn forward(&self) -> (FlexTensor, Kept) {
        let Self { sizes, epsilon, dropout, input, residual, gamma, beta } = self;
        let length = input.values().len();
        let [mut normalised, mut out] = [(); 2].map(|()| Memory::arbitrary(length));
        match residual {
            Some(residual) => add(input.values(), residual.values(), *dropout, &mut normalised),
            None => {
                normalised.copy_from_slice(input.values());
                if let Some(dropout) = dropout {
                    silence(*dropout, &mut normalised);
                }
            }
        }
        let norm = Norm { gamma: gamma.values(), beta: beta.values(), epsilon: *epsilon };
        let mut deviations = vec![0.0; length / norm.gamma.len()];
        forward(Isa::best(), norm, &mut normalised, &mut deviations, &mut out);
        let normalised = Row::of(normalised.into_tensor(*sizes));
        (out.into_tensor(*sizes), Kept { normalised, deviations })
    }
}

#[derive(Debug)]
struct ResidualNorm<const D: usize>;

#[derive(Debug, Clone)]
struct State<const D: usize> {
    sizes: [usize; D],
    dropout: Option<Dropout>,
    gamma: Row,
    kept: Kept,
}

/// The parents are the input, gamma and beta, and the residual where there is one.
impl<const D: usize, const N: usize> Backward<Flex, N> for ResidualNorm<D> {
    type State = State<D>;

    fn backward(self, ops: Ops<State<D>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output = Row::of(gradients.consume::<Flex>(&ops.node));
        let State { sizes, dropout, gamma, kept: Kept { normalised, deviations } } = &ops.state;
        let width = gamma.values().len();
        let (mut d_gamma, mut d_beta) = (vec![0.0; width], vec![0.0; width]);
        let mut gradient = Memory::arbitrary(output.values().len());
        gradient.copy_from_slice(output.values());
        let normalised = normalised.values();
        backward(Isa::best(), gamma.values(), normalised, deviations, &mut gradient, &mut d_gamma, &mut d_beta);
        let parent = |index: usize| ops.parents.get(index).and_then(Option::as_ref);
        let silenced = dropout.filter(|_| parent(0).is_some()).map(|dropout| {
            let mut silenced = Memory::arbitrary(gradient.len());
            silenced.copy_from_slice(&gradient);
            silence(dropout, &mut silenced);
            silenced.into_tensor(*sizes)
        });
        let gradient = gradient.into_tensor(*sizes);
        if let Some(node) = parent(0) {
            gradients.register::<Flex>(node.id, silenced.unwrap_or_else(|| gradient.clone()));
        }
        for (index, values) in [(1, d_gamma), (2, d_beta)] {
            if let Some(node) = parent(index) {
                gradients.register::<Flex>(node.id, own_tensor(values, [width]));
            }
        }
        if let Some(node) = parent(3) {
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}
