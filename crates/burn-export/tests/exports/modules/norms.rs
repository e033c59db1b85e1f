//! Norms, by themselves and through Burn's wrapper.

use burn::nn::norm::{Normalization, NormalizationConfig};
use burn::nn::{
    BatchNormConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig, LocalResponseNormConfig, RmsNormConfig,
};
use burn::tensor::{Device, Tensor};

use super::agrees;

#[test]
fn norms() {
    let device = Device::flex();
    agrees("BatchNorm", &BatchNormConfig::new(3).init(&device), [0, 3, 4, 5], |norm, x| norm.forward(x));
    agrees("GroupNorm", &GroupNormConfig::new(2, 4).init(&device), [0, 4, 0], |norm, x: Tensor<3>| norm.forward(x));
    agrees("InstanceNorm", &InstanceNormConfig::new(4).init(&device), [0, 4, 6], |norm, x| norm.forward(x));
    agrees("LayerNorm", &LayerNormConfig::new(4).init(&device), [0, 0, 4], |norm, x| norm.forward(x));
    agrees("RmsNorm", &RmsNormConfig::new(4).init(&device), [0, 0, 4], |norm, x| norm.forward(x));
    agrees("LocalResponseNorm", &LocalResponseNormConfig::new(3).init(), [0, 5, 4, 3], |norm, x: Tensor<4>| {
        norm.forward(x)
    });
}

#[test]
fn every_norm_through_the_wrapper() {
    let device = Device::flex();
    let norms = [
        ("identity", NormalizationConfig::Identity),
        ("batch", BatchNormConfig::new(4).into()),
        ("group", GroupNormConfig::new(2, 4).into()),
        ("instance", InstanceNormConfig::new(4).into()),
    ];
    for (name, config) in norms {
        agrees(name, &config.init(&device), [0, 4, 5], |norm: &Normalization, x: Tensor<3>| norm.forward(x));
    }
    let norms: [(&str, NormalizationConfig); 2] =
        [("layer", LayerNormConfig::new(4).into()), ("rms", RmsNormConfig::new(4).into())];
    for (name, config) in norms {
        agrees(name, &config.init(&device), [0, 0, 4], |norm: &Normalization, x: Tensor<3>| norm.forward(x));
    }
}
