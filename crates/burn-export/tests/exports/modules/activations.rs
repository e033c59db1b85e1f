//! Activations, through Burn's wrapper and beside it.

use burn::nn::activation::*;
use burn::tensor::{Device, Tensor};

use super::agrees;

#[test]
fn activations_of_the_wrapper() {
    let device = Device::flex();
    let configs = [
        ActivationConfig::Identity,
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
        ActivationConfig::PRelu(PReluConfig::new()),
        ActivationConfig::Elu(EluConfig::new()),
        ActivationConfig::Celu(CeluConfig::new()),
        ActivationConfig::ThresholdedRelu(ThresholdedReluConfig::new()),
        ActivationConfig::HardShrink(HardShrinkConfig::new()),
        ActivationConfig::SoftShrink(SoftShrinkConfig::new()),
        ActivationConfig::Shrink(ShrinkConfig::new()),
    ];
    for config in configs {
        let name = format!("{config:?}");
        let activation = config.init(&device);
        for factor in [3.0, 8.0] {
            // Beyond one, where some of them turn.
            agrees(&name, &activation, [0, 0, 4], |activation: &Activation, x: Tensor<3>| {
                activation.forward(x * factor)
            });
        }
    }
}

#[test]
fn the_activations_beside_the_wrapper() {
    agrees("GLU", &GLU::new(-1), [0, 6], |glu: &GLU, x: Tensor<2>| glu.forward(x));
    agrees("LogSigmoid", &LogSigmoid::new(), [0, 6], |act: &LogSigmoid, x: Tensor<2>| act.forward(x * 8.0));
    agrees("Mish", &Mish::new(), [0, 6], |act: &Mish, x: Tensor<2>| act.forward(x * 8.0));
    agrees("Relu6", &Relu6::new(), [0, 6], |act: &Relu6, x: Tensor<2>| act.forward(x * 8.0));
    agrees("SiLU", &SiLU::new(), [0, 6], |act: &SiLU, x: Tensor<2>| act.forward(x * 8.0));
    agrees("Tanhshrink", &Tanhshrink::new(), [0, 6], |act: &Tanhshrink, x: Tensor<2>| act.forward(x * 8.0));
    let threshold = ThresholdConfig::new(0.5, -1.0).init();
    agrees("Threshold", &threshold, [0, 6], |act: &Threshold, x: Tensor<2>| act.forward(x * 8.0));
    agrees("Hardtanh", &HardtanhConfig::new().init(), [0, 4], |act: &Hardtanh, x: Tensor<2>| act.forward(x * 3.0));
    agrees("RRelu", &RReluConfig::new().init(), [0, 4], |act: &RRelu, x: Tensor<2>| act.forward(x));
}
