//! Attention, transformers, and the position encodings in front of them.

use burn::nn::attention::{CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput, TransformerEncoderConfig,
    TransformerEncoderInput,
};
use burn::nn::{PositionalEncodingConfig, RotaryEncodingConfig};
use burn::tensor::{Device, Tensor};

use super::agrees;

#[test]
fn position_encodings() {
    let device = Device::flex();
    let fixed = PositionalEncodingConfig::new(6).with_max_sequence_size(40).init(&device);
    agrees("PositionalEncoding", &fixed, [0, 0, 6], |encoding, x: Tensor<3>| encoding.forward(x));
    let rotary = RotaryEncodingConfig::new(40, 6).init(&device);
    agrees("RotaryEncoding", &rotary, [0, 0, 6], |encoding, x: Tensor<3>| encoding.forward(x));
}

#[test]
fn attention() {
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
    let cross = CrossAttentionConfig::new(8, 8, 4, 2, 2).init(&device);
    agrees("CrossAttention", &cross, [0, 0, 8], |cross, x: Tensor<3>| {
        let context = x.clone().slice([0..x.dims()[0], 0..1]) * 0.5;
        cross.forward(x, context, None)
    });
    let feed = PositionWiseFeedForwardConfig::new(4, 6).init(&device);
    agrees("PositionWiseFeedForward", &feed, [0, 0, 4], |feed, x: Tensor<3>| feed.forward(x));
}

#[test]
fn transformers() {
    let device = Device::flex();
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
    let first = TransformerEncoderConfig::new(8, 12, 2, 2).with_norm_first(true).with_quiet_softmax(true).init(&device);
    agrees("TransformerEncoder, norms first", &first, [0, 0, 8], |encoder, x: Tensor<3>| {
        encoder.forward(TransformerEncoderInput::new(x))
    });
    let decoder = TransformerDecoderConfig::new(8, 12, 2, 1).init(&device);
    agrees("TransformerDecoder", &decoder, [0, 0, 8], |decoder, x: Tensor<3>| {
        decoder.forward(TransformerDecoderInput::new(x.clone(), x))
    });
}
