//! Convolutions of any geometry and pools, with their gradients, against Burn's own operations, on every instruction set.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use flex_kernels::convolution::{
    GeneralGradients, GeneralShape, PackedConvolution, WindowShape, backward_general, infer,
};
use flex_kernels::layers::Activation;
use flex_kernels::operations;
use flex_kernels::pool::{Pool, pool};
use proptest::prelude::*;

use crate::support::{Numbers, assert_close, cases, double, on_every_instruction_set};

/// Burn's operations round in float32 as well, in another order.
const TOLERANCE: f64 = 2e-5;

fn tensor<const D: usize>(numbers: &mut Numbers, shape: [usize; D]) -> Tensor<D> {
    tensor_on(&Device::flex(), numbers, shape)
}

fn tensor_on<const D: usize>(device: &Device, numbers: &mut Numbers, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers.vector(shape.iter().product()), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// Groups, input channels and output channels.
fn any_channels() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        (1..=20_usize, 1..=40_usize).prop_map(|(inputs, outputs)| (1, inputs, outputs)),
        (1..=40_usize).prop_map(|channels| (channels, channels, channels)),
        (2..=3_usize, 1..=5_usize, 1..=20_usize).prop_map(|(groups, i, o)| (groups, groups * i, groups * o)),
    ]
}

fn any_windows() -> impl Strategy<Value = WindowShape> {
    let side = || (1..=4_usize, 1..=3_usize, 1..=2_usize, 0..=3_usize, 0..=3_usize, 1..=11_usize);
    (side(), side()).prop_filter_map("a window larger than the image", |(rows, columns)| {
        let shape = WindowShape {
            size: [rows.5, columns.5],
            kernel: [rows.0, columns.0],
            stride: [rows.1, columns.1],
            dilation: [rows.2, columns.2],
            padding: [rows.3, columns.3, rows.4, columns.4],
        };
        shape.checked_output_size().map(|_| shape)
    })
}

fn convolution(device: &Device, numbers: &mut Numbers, shape: &GeneralShape, bias: bool) -> Conv2d {
    let WindowShape { kernel, stride, dilation, padding: [top, left, bottom, right], .. } = shape.windows;
    let mut conv = Conv2dConfig::new([shape.inputs, shape.outputs], kernel)
        .with_stride(stride)
        .with_dilation(dilation)
        .with_groups(shape.groups)
        .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
        .with_bias(bias)
        .init(device);
    let inputs = shape.inputs / shape.groups;
    conv.weight = Param::from_tensor(tensor_on(device, numbers, [shape.outputs, inputs, kernel[0], kernel[1]]));
    conv.bias = bias.then(|| Param::from_tensor(tensor_on(device, numbers, [shape.outputs])));
    conv
}

fn batch_norm(numbers: &mut Numbers, channels: usize) -> BatchNorm {
    let mut norm = BatchNormConfig::new(channels).with_epsilon(1e-3).init(&Device::flex());
    norm.gamma = Param::from_tensor(tensor(numbers, [channels]));
    norm.beta = Param::from_tensor(tensor(numbers, [channels]));
    norm.running_mean = burn::module::RunningState::new(tensor(numbers, [channels]));
    norm.running_var = burn::module::RunningState::new(tensor(numbers, [channels]).abs() + 0.1);
    norm
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn convolutions(
        (groups, inputs, outputs) in any_channels(), windows in any_windows(), count in 1..=3_usize,
        [bias, normalised, residual] in any::<[bool; 3]>(), seed in any::<u64>(),
    ) {
        let shape = GeneralShape { windows, inputs, outputs, groups };
        let mut numbers = Numbers::new(seed);
        let conv = convolution(&Device::flex(), &mut numbers, &shape, bias);
        let norm = normalised.then(|| batch_norm(&mut numbers, outputs));
        let [height, width] = windows.size;
        let images = tensor(&mut numbers, [count, inputs, height, width]);
        let mut expected = conv.forward(images.clone());
        if let Some(norm) = &norm {
            expected = norm.forward(expected);
        }
        let residual = residual.then(|| tensor(&mut numbers, expected.dims()));
        if let Some(residual) = &residual {
            expected = expected + residual.clone();
        }
        let expected = expected.clamp(0.0, 6.0);
        let found = operations::conv2d(&conv, norm.as_ref(), Activation::Relu6, &images, residual.as_ref()).unwrap();
        assert_close(&values(found), &double(&values(expected)), TOLERANCE, "output");
    }

    #[test]
    fn instruction_sets(
        (groups, inputs, outputs) in any_channels(), windows in any_windows(), residual in any::<bool>(), seed in any::<u64>(),
    ) {
        let shape = GeneralShape { windows, inputs, outputs, groups };
        let mut numbers = Numbers::new(seed);
        let [height, width] = windows.size;
        let [out_height, out_width] = windows.output_size();
        let images = numbers.vector(2 * inputs * height * width);
        let weights = numbers.vector(outputs * inputs / groups * windows.kernel[0] * windows.kernel[1]);
        let (bias, residual) =
            (numbers.vector(outputs), residual.then(|| numbers.vector(2 * outputs * out_height * out_width)));
        on_every_instruction_set(|isa| {
            let layer = PackedConvolution::new(isa, &shape, &weights, &bias);
            let mut out = vec![f32::NAN; 2 * outputs * out_height * out_width];
            infer(isa, &shape, &layer, Activation::Silu, &images, residual.as_deref(), &mut out);
            let unpadded = WindowShape { padding: [0; 4], kernel: windows.kernel.map(|side| side.min(1)), ..windows };
            let [out_height, out_width] = unpadded.output_size();
            let mut pooled = vec![f32::NAN; 2 * inputs * out_height * out_width];
            pool(isa, &unpadded, Pool::Average, inputs, &images, &mut pooled);
            let [mut d_images, mut d_weights, mut d_bias] =
                [images.len(), weights.len(), bias.len()].map(|length| vec![f32::NAN; length]);
            let gradients = GeneralGradients {
                output: &out,
                images: Some(&mut d_images),
                weights: &mut d_weights,
                bias: &mut d_bias,
            };
            backward_general(isa, &shape, &images, &weights, gradients);
            vec![out, pooled, d_images, d_weights, d_bias]
        });
    }

    #[test]
    fn pools(
        channels in 1..=40_usize, size in [1..=12_usize, 1..=12_usize], kernel in [1..=4_usize, 1..=4_usize],
        stride in [1..=3_usize, 1..=3_usize], padding in [0..=1_usize, 0..=1_usize], seed in any::<u64>(),
    ) {
        let fits = [0, 1].iter().all(|&axis| kernel[axis] <= size[axis] && 2 * padding[axis] <= kernel[axis]);
        prop_assume!(fits);
        let images = tensor(&mut Numbers::new(seed), [2, channels, size[0], size[1]]);
        let found = operations::pool2d(Pool::Max, &images, kernel, stride, padding).unwrap();
        let expected =
            max_pool2d(images.clone(), MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding));
        assert_eq!(values(found), values(expected));
        let found = operations::pool2d(Pool::Average, &images, kernel, stride, padding).unwrap();
        let options = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding).with_count_include_pad(false);
        assert_close(&values(found), &double(&values(avg_pool2d(images, options))), TOLERANCE, "average");
    }

    #[test]
    fn gradients_of_convolutions(
        (groups, inputs, outputs) in any_channels(), windows in any_windows(), count in 1..=3_usize, bias in any::<bool>(),
        activation in prop_oneof![Just(Activation::Identity), Just(Activation::Relu), Just(Activation::Silu)],
        seed in any::<u64>(),
    ) {
        let shape = GeneralShape { windows, inputs, outputs, groups };
        let mut numbers = Numbers::new(seed);
        let device = Device::flex().autodiff();
        let conv = convolution(&device, &mut numbers, &shape, bias);
        let [height, width] = windows.size;
        let images = tensor_on(&device, &mut numbers, [count, inputs, height, width]).require_grad();
        let [out_height, out_width] = windows.output_size();
        let cotangent = tensor_on(&device, &mut numbers, [count, outputs, out_height, out_width]);
        let gradients = |out: Tensor<4>| {
            let gradients = (out * cotangent.clone()).sum().backward();
            let mut all = vec![values(images.grad(&gradients).unwrap()), values(conv.weight.val().grad(&gradients).unwrap())];
            all.extend(conv.bias.as_ref().map(|bias| values(bias.val().grad(&gradients).unwrap())));
            all
        };
        let found = operations::recorded_conv2d(&conv, activation, &images).unwrap();
        let burn = conv.forward(images.clone());
        let expected = match activation {
            Activation::Relu => burn::tensor::activation::relu(burn),
            Activation::Silu => burn::tensor::activation::silu(burn),
            _ => burn,
        };
        assert_close(&values(found.clone()), &double(&values(expected.clone())), TOLERANCE, "output");
        for ((found, expected), what) in gradients(found).iter().zip(gradients(expected)).zip(["images", "weights", "bias"]) {
            assert_close(found, &double(&expected), TOLERANCE, what);
        }
    }

    /// Many values are equal, so that it matters which of the largest gets the gradient.
    #[test]
    fn gradients_of_pools(
        channels in 1..=20_usize, size in [1..=12_usize, 1..=12_usize], kernel in [1..=4_usize, 1..=4_usize],
        stride in [1..=3_usize, 1..=3_usize], padding in [0..=1_usize, 0..=1_usize], seed in any::<u64>(),
    ) {
        let fits = [0, 1].iter().all(|&axis| kernel[axis] <= size[axis] && 2 * padding[axis] <= kernel[axis]);
        prop_assume!(fits);
        let mut numbers = Numbers::new(seed);
        let device = Device::flex().autodiff();
        let images = (tensor_on(&device, &mut numbers, [2, channels, size[0], size[1]]) * 2.0).round().detach().require_grad();
        let options = MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
        let average = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding).with_count_include_pad(false);
        for (kind, expected) in
            [(Pool::Max, max_pool2d(images.clone(), options)), (Pool::Average, avg_pool2d(images.clone(), average))]
        {
            let cotangent = tensor_on(&device, &mut numbers, expected.dims());
            let gradient = |out: Tensor<4>| values(images.grad(&(out * cotangent.clone()).sum().backward()).unwrap());
            let found = operations::recorded_pool2d(kind, &images, kernel, stride, padding).unwrap();
            assert_close(&values(found.clone()), &double(&values(expected.clone())), TOLERANCE, "output");
            assert_close(&gradient(found), &double(&gradient(expected)), TOLERANCE, "gradient");
        }
    }
}
