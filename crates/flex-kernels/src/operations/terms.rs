//! Gradients of parameters before they are summed over the batch, for processes that share one.
//!
//! While [`collect`] runs a backward pass, the kernels keep the terms of a parameter's gradient in place of their sum. Whoever has the
//! terms of all processes sums them as a single process does, in the same order, and gets the same bits.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::backend::autodiff::NodeId;
use burn::tensor::Tensor;

use super::values::{Row, taped};
use crate::convolution::Parts;

/// The terms of the gradients of a layer's weights and bias.
#[derive(Debug)]
pub enum Terms {
    /// Of a convolution.
    Convolution(Parts),
    /// Of a linear layer, by rows of its input.
    Linear(LinearTerms),
}

/// The terms of a linear layer's gradients: the weights' is the product of the transposed input and the gradient, the bias' the sum of
/// the gradient's rows.
#[derive(Debug)]
pub struct LinearTerms {
    pub(super) input: Row,
    /// Behind the linear map, before the activation.
    pub(super) gradient: Vec<f32>,
    /// Values in a row of the input, and in one of the gradient.
    pub(super) sizes: [usize; 2],
}

impl LinearTerms {
    /// `[rows, inputs]`.
    pub fn input(&self) -> &[f32] {
        self.input.values()
    }

    /// `[rows, outputs]`.
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// Values in a row of the input, and in one of the gradient.
    pub fn sizes(&self) -> [usize; 2] {
        self.sizes
    }
}

/// The terms of a layer, and what its parameters are known by ([`node`]).
#[derive(Debug)]
pub struct LayerTerms {
    /// The weights.
    pub weights: NodeId,
    /// The bias.
    pub bias: NodeId,
    /// Of both.
    pub terms: Terms,
}

/// What [`collect`] found.
#[derive(Debug)]
pub struct Collected {
    whole: usize,
    /// By the weights, older ones first: then the order is the same in every process.
    layers: BTreeMap<NodeId, LayerTerms>,
}

thread_local! {
    static COLLECTED: RefCell<Option<Collected>> = const { RefCell::new(None) };
}

/// Runs a backward pass on this thread. The parameters of convolutions and linear layers get no gradients but the terms of them;
/// the batch is a part of one of `whole` images.
///
/// # Panics
/// When one runs already on this thread.
pub fn collect<T>(whole: usize, backward: impl FnOnce() -> T) -> (T, Collected) {
    let before = COLLECTED.replace(Some(Collected { whole, layers: BTreeMap::new() }));
    assert!(before.is_none(), "a backward pass inside another");
    let result = backward();
    (result, COLLECTED.take().unwrap_or(Collected { whole, layers: BTreeMap::new() }))
}

/// The images of the whole batch while [`collect`] runs.
pub(super) fn collecting() -> Option<usize> {
    COLLECTED.with_borrow(|collected| collected.as_ref().map(|collected| collected.whole))
}

/// Keeps the terms of a layer's gradients.
pub(super) fn keep(layer: LayerTerms) {
    COLLECTED.with_borrow_mut(|collected| {
        if let Some(collected) = collected {
            collected.layers.insert(layer.weights, layer);
        }
    });
}

impl Collected {
    /// All layers, those first whose weights are older.
    pub fn into_layers(self) -> impl Iterator<Item = LayerTerms> {
        self.layers.into_values()
    }
}

/// What a parameter is known by, if it is recorded on the flex backend.
pub fn node<const D: usize>(tensor: &Tensor<D>) -> Option<NodeId> {
    taped(tensor).map(|tensor| tensor.id())
}
