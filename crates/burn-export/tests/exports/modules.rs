//! Modules of `burn::nn`, with random weights.

mod activations;
mod layers;

use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::transformer::{
    TransformerDecoderConfig, TransformerDecoderInput, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BatchNormConfig, DropoutConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig, LinearConfig, PReluConfig,
    PositionalEncodingConfig, RmsNormConfig, RotaryEncodingConfig, SwiGluConfig,
};
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};

use crate::support::{Runner, difference, uniform};

/// Exports `module` with one input, whose axes `0` are `n` and others of size zero are `m`, and compares at several
/// sizes.
pub fn agrees<M: Module, const I: usize, const O: usize>(
    name: &str,
    module: &M,
    axes: [usize; I],
    forward: impl Fn(&M, Tensor<I>) -> Tensor<O>,
) {
    agrees_from(Opset::V11, name, module, axes, forward);
}

/// [`agrees`] for what needs an opset.
pub fn agrees_from<M: Module, const I: usize, const O: usize>(
    lowest: Opset,
    name: &str,
    module: &M,
    axes: [usize; I],
    forward: impl Fn(&M, Tensor<I>) -> Tensor<O>,
) {
    let device = Device::flex();
    for opset in [Opset::V11, Opset::V17, Opset::V21].into_iter().filter(|opset| *opset >= lowest) {
        let declared = axes.iter().enumerate().map(|(position, size)| match (position, size) {
            (0, 0) => Axis::dynamic("n"),
            (_, 0) => Axis::dynamic("m").range(1..=40),
            (_, size) => Axis::fixed(*size),
        });
        let exporter = OnnxExporter::new().opset(opset).input("x", declared).output("y");
        let model = exporter.export(module, &forward).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{name}: {error}\n{}", model.model()));
        for (n, m) in [(1, 1), (1, 9), (6, 1), (2, 8), (13, 33)] {
            let shape: Vec<usize> = axes
                .iter()
                .enumerate()
                .map(|(position, size)| match (position, size) {
                    (0, 0) => n,
                    (_, 0) => m,
                    (_, size) => *size,
                })
                .collect();
            let data = uniform(7, &shape);
            let found = runner.run(&[("x", &data)]).unwrap_or_else(|error| panic!("{name}, n {n}, m {m}: {error}"));
            let expected = forward(&module.valid(), Tensor::from_data(data, &device)).into_data();
            let text = difference(&found[0], &expected, 2e-5);
            assert_eq!(text, None, "{name}, opset {opset}, n {n}, m {m}\n{}", model.model());
        }
    }
}

#[test]
fn norms() {
    let device = Device::flex();
    agrees("BatchNorm", &BatchNormConfig::new(3).init(&device), [0, 3, 4, 5], |norm, x| norm.forward(x));
    agrees("GroupNorm", &GroupNormConfig::new(2, 4).init(&device), [0, 4, 0], |norm, x: Tensor<3>| norm.forward(x));
    agrees("InstanceNorm", &InstanceNormConfig::new(4).init(&device), [0, 4, 6], |norm, x| norm.forward(x));
    agrees("LayerNorm", &LayerNormConfig::new(4).init(&device), [0, 0, 4], |norm, x| norm.forward(x));
    agrees("RmsNorm", &RmsNormConfig::new(4).init(&device), [0, 0, 4], |norm, x| norm.forward(x));
}

#[test]
fn convolutional_blocks() {
    let device = Device::flex();
    let up = ConvTranspose2dConfig::new([4, 2], [2, 2]).with_stride([2, 2]).init(&device);
    let down = Conv2dConfig::new([2, 4], [3, 3]).with_stride([2, 2]).init(&device);
    let resize =
        Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0])).with_mode(InterpolateMode::Nearest).init();
    let block = (down, BatchNormConfig::new(4).init(&device), PReluConfig::new().init(&device), up);
    agrees("a block", &block, [0, 2, 9, 11], |(down, norm, act, up), x: Tensor<4>| {
        up.forward(act.forward(norm.forward(down.forward(x))))
    });
    agrees("Interpolate2d", &resize, [0, 2, 4, 5], |resize, x| resize.forward(x));
}

#[test]
fn linear_layers_and_gates() {
    let device = Device::flex();
    let dropout = DropoutConfig::new(0.5).init();
    let linear = LinearConfig::new(4, 5).init(&device);
    agrees("Linear", &linear, [0, 4], |linear, x: Tensor<2>| linear.forward(x));
    agrees("Linear rank 1", &linear, [4], |linear, x: Tensor<1>| linear.forward(x));
    agrees("Linear rank 4", &(linear, dropout), [0, 3, 0, 4], |(linear, dropout), x: Tensor<4>| {
        dropout.forward(linear.forward(x))
    });
    agrees("SwiGlu", &SwiGluConfig::new(4, 6).init(&device), [0, 0, 4], |gate, x: Tensor<3>| gate.forward(x));
}

#[test]
fn position_encodings() {
    let device = Device::flex();
    let fixed = PositionalEncodingConfig::new(6).with_max_sequence_size(40).init(&device);
    agrees("PositionalEncoding", &fixed, [0, 0, 6], |encoding, x: Tensor<3>| encoding.forward(x));
    let rotary = RotaryEncodingConfig::new(40, 6).init(&device);
    agrees("RotaryEncoding", &rotary, [0, 0, 6], |encoding, x: Tensor<3>| encoding.forward(x));
}

#[test]
fn attention_and_transformers() {
    let device = Device::flex();
    let attention = MultiHeadAttentionConfig::new(8, 2).init(&device);
    agrees("MultiHeadAttention", &attention, [0, 0, 8], |attention, x: Tensor<3>| {
        attention.forward(MhaInput::self_attn(x)).context
    });
    agrees("MultiHeadAttention, causal", &attention, [0, 0, 8], |attention, x: Tensor<3>| {
        let [batch, sequence, _] = x.dims();
        let mask = generate_autoregressive_mask(batch, sequence, &x.device());
        attention.forward(MhaInput::self_attn(x).mask_attn(mask)).context
    });
    let encoder = TransformerEncoderConfig::new(8, 12, 2, 2).init(&device);
    agrees("TransformerEncoder", &encoder, [0, 0, 8], |encoder, x: Tensor<3>| {
        encoder.forward(TransformerEncoderInput::new(x))
    });
    let wide = TransformerEncoderConfig::new(8, 16, 2, 1).init(&device);
    agrees("TransformerEncoder, causal", &wide, [0, 0, 8], |encoder, x: Tensor<3>| {
        let [batch, sequence, _] = x.dims();
        let mask = generate_autoregressive_mask(batch, sequence, &x.device());
        encoder.forward(TransformerEncoderInput::new(x).mask_attn(mask))
    });
    let decoder = TransformerDecoderConfig::new(8, 12, 2, 1).init(&device);
    agrees("TransformerDecoder", &decoder, [0, 0, 8], |decoder, x: Tensor<3>| {
        decoder.forward(TransformerDecoderInput::new(x.clone(), x))
    });
}

#[test]
fn recurrent_layers_of_fixed_length() {
    let device = Device::flex();
    let lstm = burn::nn::LstmConfig::new(3, 4, true).init(&device);
    agrees("Lstm", &lstm, [0, 3, 3], |lstm, x: Tensor<3>| lstm.forward(x, None).0);
    let gru = burn::nn::gru::GruConfig::new(3, 4, true).init(&device);
    agrees("Gru", &gru, [0, 3, 3], |gru, x: Tensor<3>| gru.forward(x, None));
}
