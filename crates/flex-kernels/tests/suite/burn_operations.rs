//! The layers on Burn's tensors against Burn's own operations.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use flex_kernels::linear::Activation;
use flex_kernels::{layers, operations};
use proptest::prelude::*;

use crate::convolutions::{Case, any_case, operands};
use crate::reference;
use crate::support::{Numbers, assert_close, cases, double};

/// Burn's operations round in float32 as well, in another order.
const TOLERANCE: f64 = 4e-5;

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

fn convolution(case: &Case, weights: &[f32], bias: &[f32], device: &Device) -> Conv2d {
    let shape = &case.shape;
    let ([rows, columns], [above, beside]) = (shape.kernel, shape.padding);
    let mut conv = Conv2dConfig::new([shape.inputs, shape.outputs], shape.kernel)
        .with_stride(shape.stride)
        .with_padding(PaddingConfig2d::Explicit(above, beside, above, beside))
        .init(device);
    conv.weight = Param::from_tensor(tensor(weights, [shape.outputs, shape.inputs, rows, columns], device));
    conv.bias = Some(Param::from_tensor(tensor(bias, [shape.outputs], device)));
    conv
}

/// Output, and the gradients of images, weights and bias for the cotangent.
fn results(
    conv: &Conv2d,
    images: &Tensor<4>,
    cotangent: Tensor<4>,
    layer: impl Fn(&Conv2d, Tensor<4>) -> Tensor<4>,
) -> [Vec<f32>; 4] {
    let images = images.clone().require_grad();
    let out = layer(conv, images.clone());
    let gradients = (out.clone() * cotangent).sum().backward();
    let bias = conv.bias.as_ref().unwrap().val();
    [
        values(out),
        values(images.grad(&gradients).unwrap()),
        values(conv.weight.val().grad(&gradients).unwrap()),
        values(bias.grad(&gradients).unwrap()),
    ]
}

fn compare(found: [Vec<f32>; 4], expected: [Vec<f32>; 4]) {
    for ((found, expected), name) in found.iter().zip(expected).zip(["output", "images", "weights", "bias"]) {
        assert_close(found, &double(&expected), TOLERANCE, name);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn convolutions(case in any_case()) {
        let Case { shape, count, pool, seed } = &case;
        let device = Device::flex().autodiff();
        let mut numbers = Numbers::new(*seed);
        let [images, weights, bias] = operands(&case, &mut numbers);
        let [height, width] = shape.size;
        let arguments = [double(&images), double(&weights), double(&bias)];
        let scale = numbers.factors(count * shape.outputs);
        let conv = convolution(&case, &weights, &bias, &device);
        let channels_last = tensor(&images, [*count, height, width, shape.inputs], &device);
        let images = channels_last.permute([0, 3, 1, 2]);

        let [height, width] = shape.output_size();
        let decided = reference::conv_relu(shape, &arguments[0], &arguments[1], &arguments[2]);
        let cotangent = decided.only(&numbers.vector(count * shape.output_len()));
        let cotangent = tensor(&cotangent, [*count, height, width, shape.outputs], &device).permute([0, 3, 1, 2]);
        prop_assert!(operations::conv_relu(&conv, &images).is_some());
        let own = results(&conv, &images, cotangent.clone(), |conv, images| relu(conv.forward(images)));
        compare(results(&conv, &images, cotangent, layers::conv_relu), own);

        let [height, width] = [height, width].map(|side| side / pool);
        let [a, b, c] = &arguments;
        let decided = reference::conv_relu_pool(shape, *pool, a, b, c, &double(&scale));
        let cotangent = decided.only(&numbers.vector(decided.out.len()));
        let cotangent = tensor(&cotangent, [*count, shape.outputs, height, width], &device);
        let scale = tensor(&scale, [*count, shape.outputs, 1, 1], &device);
        prop_assert!(operations::conv_relu_pool(&conv, &images, *pool, Some(&scale)).is_some());
        let own = results(&conv, &images, cotangent.clone(), |conv, images| {
            max_pool2d(relu(conv.forward(images)), MaxPoolOptions::new([*pool, *pool])) * scale.clone()
        });
        let fused = |conv: &Conv2d, images| layers::conv_relu_pool(conv, images, *pool, Some(scale.clone()));
        compare(results(&conv, &images, cotangent, fused), own);
    }
}

fn classifier(device: &Device, numbers: &mut Numbers) -> (Linear, Tensor<2>, Tensor<2>, Tensor<1, Int>) {
    let mut layer = LinearConfig::new(40, 11).init(device);
    layer.weight = Param::from_tensor(tensor(&numbers.vector(440), [40, 11], device));
    layer.bias = Some(Param::from_tensor(tensor(&numbers.vector(11), [11], device)));
    let input = tensor(&numbers.vector(9 * 40), [9, 40], device);
    let scale = tensor(&numbers.factors(99), [9, 11], device);
    let labels: Vec<i32> = (0..9).map(|_| numbers.below(11) as i32).collect();
    (layer, input, scale, Tensor::from_data(TensorData::new(labels, [9]), device))
}

fn gradients(layer: &Linear, input: &Tensor<2>, gradients: &Gradients) -> [Vec<f32>; 3] {
    let bias = layer.bias.as_ref().unwrap().val();
    [
        values(input.grad(gradients).unwrap()),
        values(layer.weight.val().grad(gradients).unwrap()),
        values(bias.grad(gradients).unwrap()),
    ]
}

#[test]
fn linear_layers_and_the_loss() {
    let device = Device::flex().autodiff();
    for seed in 0..20 {
        let (layer, input, scale, labels) = classifier(&device, &mut Numbers::new(seed));
        assert!(operations::linear(&layer, Activation::Relu, &input, Some(&scale)).is_some());
        assert!(operations::cross_entropy(&scale, &labels).is_some());
        let input = input.require_grad();
        let fused =
            layers::cross_entropy(layers::linear_relu(&layer, input.clone(), Some(scale.clone())), labels.clone());
        let logits = relu(layer.forward(input.clone())) * scale;
        let own = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).mean().neg();
        assert_close(&values(fused.clone()), &double(&values(own.clone())), TOLERANCE, "loss");
        let fused = gradients(&layer, &input, &fused.backward());
        let own = gradients(&layer, &input, &own.backward());
        for ((fused, own), name) in fused.iter().zip(own).zip(["input", "weights", "bias"]) {
            assert_close(fused, &double(&own), TOLERANCE, name);
        }
    }
}

/// What the kernels do not do is left to Burn, with the same meaning.
#[test]
fn other_layers_take_burns_own_operations() {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(1);
    let images = tensor(&numbers.vector(2 * 4 * 64), [2, 4, 8, 8], &device);
    let config = Conv2dConfig::new([4, 6], [3, 3]);
    for config in [
        config.clone().with_groups(2),
        config.clone().with_dilation([2, 2]),
        config.clone().with_padding(PaddingConfig2d::Same),
        config.clone().with_bias(false),
    ] {
        let conv = config.init(&device);
        assert!(operations::conv_relu(&conv, &images).is_none());
        let own = relu(conv.forward(images.clone()));
        assert_eq!(values(layers::conv_relu(&conv, images.clone())), values(own));
    }

    let conv = config.init(&device);
    let scale = tensor(&numbers.vector(12), [2, 6, 1, 1], &device).require_grad();
    let out = layers::conv_relu_pool(&conv, images.clone(), 2, Some(scale.clone()));
    assert!(scale.grad(&out.sum().backward()).is_some(), "a factor to be learnt has a gradient");

    let device = Device::flex().autodiff().gradient_checkpointing();
    let conv = Conv2dConfig::new([4, 6], [3, 3]).init(&device);
    let images = tensor(&values(images), [2, 4, 8, 8], &device).require_grad();
    let out = layers::conv_relu(&conv, images.clone());
    assert!(images.grad(&out.sum().backward()).is_some());
}

/// Without autodiff the same values come out, and weights may be views of other memory.
#[test]
fn inference_gives_what_training_gives() {
    let mut numbers = Numbers::new(2);
    let [weights, bias, pixels] = [6 * 4 * 9, 6, 3 * 4 * 100].map(|length| numbers.vector(length));
    let run = |device: &Device| {
        let mut conv = Conv2dConfig::new([4, 6], [3, 3]).init(device);
        let transposed = tensor(&weights, [4, 6, 3, 3], device).swap_dims(0, 1);
        conv.weight = Param::from_tensor(transposed);
        conv.bias = Some(Param::from_tensor(tensor(&bias, [6], device)));
        let images = tensor(&pixels, [3, 4, 10, 10], device);
        assert!(operations::conv_relu(&conv, &images).is_some());
        let wide = layers::conv_relu(&conv, images.clone());
        let own = relu(conv.forward(images.clone()));
        assert_close(&values(wide.clone()), &double(&values(own)), TOLERANCE, "output");
        [values(wide), values(layers::conv_relu_pool(&conv, images, 2, None))]
    };
    assert_eq!(run(&Device::flex()), run(&Device::flex().autodiff()));
}
