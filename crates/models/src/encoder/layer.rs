//! The layers: attention and a feed-forward part, with layer norm behind each or before each.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, gelu_approximate, relu, sigmoid, silu, tanh};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Device, Int, Tensor};

use super::rotary::Rotation;
use super::{EncoderConfig, ModernSettings};
use crate::bert::HiddenAct;

/// A layer with layer norm behind each part, as in BERT.
#[derive(Module, Debug)]
pub(super) struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    feed_norm: LayerNorm,
    heads: usize,
    #[module(skip)]
    activation: HiddenAct,
}

/// A layer with layer norm before each part, rotary positions, and a gate in its feed-forward part, as in ModernBERT.
#[derive(Module, Debug)]
pub(super) struct GatedLayer {
    /// None in the first layer, whose input comes out of a layer norm.
    attention_norm: Option<LayerNorm>,
    joined: Linear,
    output: Linear,
    feed_norm: LayerNorm,
    up: Linear,
    down: Linear,
    heads: usize,
    /// Whether a token sees its neighbours alone.
    pub(super) local: bool,
    #[module(skip)]
    activation: HiddenAct,
}

/// A linear layer on every token. Burn folds the batch into the rows by itself, but at some sizes only, and a recorded graph
/// must not depend on them.
pub(super) fn project(linear: &Linear, x: Tensor<3>) -> Tensor<3> {
    let [batch, sequence, width] = x.dims();
    let rows: Tensor<2> = linear.forward(x.reshape([batch * sequence, width]));
    let [_, outputs] = rows.dims();
    rows.reshape([batch, sequence, outputs])
}

/// A layer norm over `width` numbers, with a bias unless the family has none.
pub(super) fn norm(config: &EncoderConfig, width: usize, device: &Device) -> LayerNorm {
    let bias = config.modern.as_ref().is_none_or(|modern| modern.norm_bias);
    LayerNormConfig::new(width).with_epsilon(config.layer_norm_eps).with_bias(bias).init(device)
}

/// What is added to the attention scores for a mask of ones and zeros: 0, and the lowest float. It is finite, so that nothing in
/// the graph is infinite.
pub(super) fn bias(mask: Tensor<4>) -> Tensor<4> {
    (mask - 1.0) * f32::MAX
}

/// The mask of padding as numbers, `[batch, 1, 1, sequence]`.
pub(super) fn real(mask: Tensor<2, Int>, dtype: DType) -> Tensor<4> {
    let [batch, sequence] = mask.dims();
    mask.float().cast(dtype).reshape([batch, 1, 1, sequence])
}

pub(super) fn activate<const D: usize>(activation: HiddenAct, x: Tensor<D>) -> Tensor<D> {
    match activation {
        HiddenAct::Gelu => gelu(x),
        HiddenAct::GeluTanh => gelu_approximate(x),
        HiddenAct::QuickGelu => x.clone() * sigmoid(x * 1.702),
        HiddenAct::Relu => relu(x),
        HiddenAct::Silu => silu(x),
        HiddenAct::Tanh => tanh(x),
    }
}

/// `[batch, sequence, hidden]` as `[batch, heads, sequence, head]`.
fn split(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, sequence, width] = x.dims();
    x.reshape([batch, sequence, heads, width / heads]).swap_dims(1, 2)
}

/// What every token takes from those that it sees, `[batch, sequence, hidden]`.
fn attend([query, key, value]: [Tensor<4>; 3], bias: &Tensor<4>) -> Tensor<3> {
    let [batch, heads, sequence, size] = query.dims();
    let context = attention(query, key, value, None, Some(bias.clone()), AttentionModuleOptions::default());
    context.swap_dims(1, 2).reshape([batch, sequence, heads * size])
}

impl Layer {
    pub(super) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            query: linear(hidden, hidden),
            key: linear(hidden, hidden),
            value: linear(hidden, hidden),
            output: linear(hidden, hidden),
            attention_norm: norm(config, hidden, device),
            up: linear(hidden, inner),
            down: linear(inner, hidden),
            feed_norm: norm(config, hidden, device),
            heads: config.num_attention_heads,
            activation: config.hidden_act,
        }
    }

    /// `bias` is added to the attention scores, `[batch, heads or 1, sequence or 1, sequence]`.
    pub(super) fn forward(&self, hidden: Tensor<3>, bias: &Tensor<4>) -> Tensor<3> {
        let part = |projection: &Linear| split(project(projection, hidden.clone()), self.heads);
        let context = attend([part(&self.query), part(&self.key), part(&self.value)], bias);
        let attended = self.attention_norm.forward(project(&self.output, context) + hidden);
        let expanded = activate(self.activation, project(&self.up, attended.clone()));
        self.feed_norm.forward(project(&self.down, expanded) + attended)
    }
}

impl GatedLayer {
    pub(super) fn new(config: &EncoderConfig, modern: &ModernSettings, index: usize, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let linear = |inputs, outputs, bias| LinearConfig::new(inputs, outputs).with_bias(bias).init(device);
        Self {
            attention_norm: (index > 0).then(|| norm(config, hidden, device)),
            joined: linear(hidden, 3 * hidden, modern.attention_bias),
            output: linear(hidden, hidden, modern.attention_bias),
            feed_norm: norm(config, hidden, device),
            up: linear(hidden, 2 * inner, modern.mlp_bias),
            down: linear(inner, hidden, modern.mlp_bias),
            heads: config.num_attention_heads,
            local: modern.local.get(index).copied().unwrap_or(false),
            activation: config.hidden_act,
        }
    }

    /// `bias` is added to the attention scores, `[batch, 1, sequence or 1, sequence]`.
    pub(super) fn forward(&self, hidden: Tensor<3>, bias: &Tensor<4>, rotation: &Rotation) -> Tensor<3> {
        let [_, _, width] = hidden.dims();
        let normed = match &self.attention_norm {
            Some(norm) => norm.forward(hidden.clone()),
            None => hidden.clone(),
        };
        let joined = project(&self.joined, normed);
        let part = |index: usize| split(joined.clone().narrow(2, index * width, width), self.heads);
        let context = attend([rotation.rotate(part(0)), rotation.rotate(part(1)), part(2)], bias);
        let attended = hidden + project(&self.output, context);
        let expanded = project(&self.up, self.feed_norm.forward(attended.clone()));
        let [_, _, twice] = expanded.dims();
        let gate = expanded.clone().narrow(2, twice / 2, twice / 2);
        let gated = activate(self.activation, expanded.narrow(2, 0, twice / 2)) * gate;
        attended + project(&self.down, gated)
    }
}
