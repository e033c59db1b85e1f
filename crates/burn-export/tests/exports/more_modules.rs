//! The modules of `burn::nn` that `modules` does not have, so that both together have all that run inference.

use burn::nn::activation::{
    ActivationConfig, HardSigmoidConfig, HardtanhConfig, LeakyReluConfig, RReluConfig, SoftplusConfig, SwiGluConfig,
};
use burn::nn::attention::CrossAttentionConfig;
use burn::nn::conv::{Conv1dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose3dConfig, DeformConv2dConfig};
use burn::nn::gru::BiGruConfig;
use burn::nn::interpolate::{Interpolate1dConfig, InterpolateMode};
use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig, AvgPool2dConfig,
    MaxPool1dConfig, MaxPool2dConfig,
};
use burn::nn::transformer::{PositionWiseFeedForwardConfig, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BiLstmConfig, BiRnnConfig, CosineSimilarityConfig, EmbeddingConfig, Fold4dConfig, GaussianNoiseConfig, Identity,
    LocalResponseNormConfig, PairwiseDistanceConfig, PixelShuffleConfig, PixelUnshuffleConfig, RnnConfig,
    Unfold4dConfig,
};
use burn::tensor::{Device, Int, Tensor};
use burn_export::Opset;

use crate::modules::{agrees, agrees_from};

#[test]
fn convolutions_of_one_and_three_axes() {
    let device = Device::flex();
    agrees("Conv1d", &Conv1dConfig::new(2, 3, 3).with_stride(2).init(&device), [0, 2, 9], |conv, x| conv.forward(x));
    let conv: burn::nn::conv::Conv3d = Conv3dConfig::new([2, 4], [2, 3, 2]).with_groups(2).init(&device);
    agrees("Conv3d", &conv, [0, 2, 4, 5, 3], |conv, x| conv.forward(x));
    let up = ConvTranspose1dConfig::new([2, 3], 3).with_stride(2).init(&device);
    agrees("ConvTranspose1d", &up, [0, 2, 5], |up, x| up.forward(x));
    let up = ConvTranspose3dConfig::new([2, 3], [2, 2, 3]).init(&device);
    agrees("ConvTranspose3d", &up, [0, 2, 3, 4, 3], |up, x| up.forward(x));
    let bent = DeformConv2dConfig::new([1, 2], [2, 2]).init(&device);
    agrees_from(Opset::V19, "DeformConv2d", &bent, [0, 1, 5, 6], |bent, x| {
        let [n, _, _, _] = x.dims();
        let offset = Tensor::<4>::full([n, 8, 4, 5], 0.25, &x.device());
        bent.forward(x, offset, None)
    });
}

#[test]
fn pools() {
    agrees("AvgPool1d", &AvgPool1dConfig::new(3).with_stride(2).init(), [0, 2, 9], |pool, x| pool.forward(x));
    agrees("MaxPool1d", &MaxPool1dConfig::new(3).with_stride(2).init(), [0, 2, 9], |pool, x| pool.forward(x));
    agrees("AvgPool2d", &AvgPool2dConfig::new([2, 3]).init(), [0, 2, 6, 9], |pool, x| pool.forward(x));
    agrees("MaxPool2d", &MaxPool2dConfig::new([2, 3]).init(), [0, 2, 6, 9], |pool, x| pool.forward(x));
    agrees("AdaptiveAvgPool1d", &AdaptiveAvgPool1dConfig::new(3).init(), [0, 2, 7], |pool, x| pool.forward(x));
    agrees("AdaptiveAvgPool2d", &AdaptiveAvgPool2dConfig::new([2, 3]).init(), [0, 2, 5, 7], |pool, x| pool.forward(x));
    agrees("AdaptiveAvgPool3d", &AdaptiveAvgPool3dConfig::new([2, 1, 2]).init(), [0, 2, 3, 4, 5], |pool, x| {
        pool.forward(x)
    });
}

#[test]
fn moves_of_pixels() {
    agrees("PixelShuffle", &PixelShuffleConfig::new(2).init(), [0, 8, 3, 4], |shuffle, x| shuffle.forward(x));
    agrees("PixelUnshuffle", &PixelUnshuffleConfig::new(2).init(), [0, 2, 6, 4], |shuffle, x| shuffle.forward(x));
    agrees("Unfold4d", &Unfold4dConfig::new([2, 3]).init(), [0, 2, 4, 5], |unfold, x| unfold.forward(x));
    agrees("Fold4d", &Fold4dConfig::new([4, 5], [2, 3]).init(), [0, 12, 9], |fold, x: Tensor<3>| fold.forward(x));
    let resize = Interpolate1dConfig::new().with_scale_factor(Some(2.0)).with_mode(InterpolateMode::Linear).init();
    agrees("Interpolate1d", &resize, [0, 2, 5], |resize, x| resize.forward(x));
    agrees("LocalResponseNorm", &LocalResponseNormConfig::new(3).init(), [0, 5, 4, 3], |norm, x: Tensor<4>| {
        norm.forward(x)
    });
}

#[test]
fn distances_and_small_parts() {
    let device = Device::flex();
    agrees("CosineSimilarity", &CosineSimilarityConfig::new().init(), [0, 4], |similarity, x| {
        similarity.forward(x.clone(), x.exp())
    });
    agrees("PairwiseDistance", &PairwiseDistanceConfig::new().init(), [0, 4], |distance, x| {
        distance.forward(x.clone(), x.exp())
    });
    agrees("Identity", &Identity::new(), [0, 4], |identity, x: Tensor<2>| identity.forward(x) + 1.0);
    agrees("GaussianNoise", &GaussianNoiseConfig::new(0.5).init(), [0, 4], |noise, x: Tensor<2>| {
        noise.forward(x) + 1.0
    });
    let embedding = EmbeddingConfig::new(5, 3).init(&device);
    agrees("Embedding", &embedding, [0, 4], |embedding, x: Tensor<2>| {
        let ids: Tensor<2, Int> = (x.abs() * 2.0).int().clamp(0, 4);
        embedding.forward(ids)
    });
    let feed = PositionWiseFeedForwardConfig::new(4, 6).init(&device);
    agrees("PositionWiseFeedForward", &feed, [0, 0, 4], |feed, x: Tensor<3>| feed.forward(x));
}

#[test]
fn attention_across_and_with_norms_first() {
    let device = Device::flex();
    let cross = CrossAttentionConfig::new(8, 8, 4, 2, 2).init(&device);
    agrees("CrossAttention", &cross, [0, 0, 8], |cross, x: Tensor<3>| {
        let context = x.clone().slice([0..x.dims()[0], 0..1]) * 0.5;
        cross.forward(x, context, None)
    });
    let first = TransformerEncoderConfig::new(8, 12, 2, 2).with_norm_first(true).with_quiet_softmax(true).init(&device);
    agrees("TransformerEncoder, norms first", &first, [0, 0, 8], |encoder, x: Tensor<3>| {
        encoder.forward(TransformerEncoderInput::new(x))
    });
}

#[test]
fn recurrent_layers_of_both_directions() {
    let device = Device::flex();
    agrees("Rnn", &RnnConfig::new(3, 4, true).init(&device), [0, 3, 3], |rnn, x: Tensor<3>| rnn.forward(x, None).0);
    agrees("BiRnn", &BiRnnConfig::new(3, 4, true).init(&device), [0, 3, 3], |rnn, x: Tensor<3>| rnn.forward(x, None).0);
    agrees("BiGru", &BiGruConfig::new(3, 4, true).init(&device), [0, 3, 3], |gru, x: Tensor<3>| gru.forward(x, None).0);
    agrees("BiLstm", &BiLstmConfig::new(3, 4, true).init(&device), [0, 3, 3], |lstm, x: Tensor<3>| {
        lstm.forward(x, None).0
    });
}

#[test]
fn activations() {
    let device = Device::flex();
    let all = [
        ActivationConfig::Gelu,
        ActivationConfig::GeluApproximate,
        ActivationConfig::Relu,
        ActivationConfig::LeakyRelu(LeakyReluConfig::new()),
        ActivationConfig::SwiGlu(SwiGluConfig::new(4, 4)),
        ActivationConfig::Selu,
        ActivationConfig::Sigmoid,
        ActivationConfig::Tanh,
        ActivationConfig::HardSigmoid(HardSigmoidConfig::new()),
        ActivationConfig::HardSwish,
        ActivationConfig::Softplus(SoftplusConfig::new()),
        ActivationConfig::Softsign,
    ];
    for activation in all {
        let name = format!("{activation:?}");
        agrees(&name, &activation.init(&device), [0, 0, 4], |activation, x: Tensor<3>| activation.forward(x * 3.0));
    }
    agrees("Hardtanh", &HardtanhConfig::new().init(), [0, 4], |act, x: Tensor<2>| act.forward(x * 3.0));
    agrees("RRelu", &RReluConfig::new().init(), [0, 4], |act, x: Tensor<2>| act.forward(x));
}
