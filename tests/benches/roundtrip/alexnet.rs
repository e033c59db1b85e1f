// Generated from ONNX "alexnet.onnx" by burn-onnx
extern crate alloc;
use burn::prelude::*;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::MaxPool2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::Bytes;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    constant11: burn::module::Param<Tensor<2>>,
    constant12: burn::module::Param<Tensor<1>>,
    constant13: burn::module::Param<Tensor<2>>,
    constant14: burn::module::Param<Tensor<1>>,
    constant15: burn::module::Param<Tensor<2>>,
    constant16: burn::module::Param<Tensor<1>>,
    conv2d1: Conv2d,
    maxpool2d1: MaxPool2d,
    conv2d2: Conv2d,
    maxpool2d2: MaxPool2d,
    conv2d3: Conv2d,
    conv2d4: Conv2d,
    conv2d5: Conv2d,
    maxpool2d3: MaxPool2d,
    #[module(skip)]
    device: Device,
}


impl Model {
    /// Load model weights from in-memory bytes.
    ///
    /// The bytes must be the contents of a `.bpk` file.
    pub fn from_bytes(bytes: Bytes, device: &Device) -> Self {
        let mut model = Self::new(device);
        let mut store = BurnpackStore::from_bytes(Some(bytes));
        model
            .load_from(&mut store)
            .unwrap_or_else(|e| panic!("Failed to load burnpack bytes: {e}"));
        model
    }
}

impl Model {
    #[allow(unused_variables)]
    pub fn new(device: &Device) -> Self {
        let constant11: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([4096, 9216], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [4096, 9216].into(),
        );
        let constant12: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::zeros([4096], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [4096].into(),
        );
        let constant13: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([4096, 4096], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [4096, 4096].into(),
        );
        let constant14: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::zeros([4096], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [4096].into(),
        );
        let constant15: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([1000, 4096], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1000, 4096].into(),
        );
        let constant16: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::zeros([1000], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1000].into(),
        );
        let conv2d1 = Conv2dConfig::new([3, 64], [11, 11])
            .with_stride([4, 4])
            .with_padding(PaddingConfig2d::Explicit(2, 2, 2, 2))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool2d1 = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        let conv2d2 = Conv2dConfig::new([64, 192], [5, 5])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(2, 2, 2, 2))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool2d2 = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        let conv2d3 = Conv2dConfig::new([192, 384], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let conv2d4 = Conv2dConfig::new([384, 256], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let conv2d5 = Conv2dConfig::new([256, 256], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool2d3 = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        Self {
            constant11,
            constant12,
            constant13,
            constant14,
            constant15,
            constant16,
            conv2d1,
            maxpool2d1,
            conv2d2,
            maxpool2d2,
            conv2d3,
            conv2d4,
            conv2d5,
            maxpool2d3,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let constant11_out1 = self.constant11.val();
        let constant12_out1 = self.constant12.val();
        let constant13_out1 = self.constant13.val();
        let constant14_out1 = self.constant14.val();
        let constant15_out1 = self.constant15.val();
        let constant16_out1 = self.constant16.val();
        let conv2d1_out1 = self.conv2d1.forward(input);
        let relu1_out1 = burn::tensor::activation::relu(conv2d1_out1);
        let maxpool2d1_out1 = self.maxpool2d1.forward(relu1_out1);
        let conv2d2_out1 = self.conv2d2.forward(maxpool2d1_out1);
        let relu2_out1 = burn::tensor::activation::relu(conv2d2_out1);
        let maxpool2d2_out1 = self.maxpool2d2.forward(relu2_out1);
        let conv2d3_out1 = self.conv2d3.forward(maxpool2d2_out1);
        let relu3_out1 = burn::tensor::activation::relu(conv2d3_out1);
        let conv2d4_out1 = self.conv2d4.forward(relu3_out1);
        let relu4_out1 = burn::tensor::activation::relu(conv2d4_out1);
        let conv2d5_out1 = self.conv2d5.forward(relu4_out1);
        let relu5_out1 = burn::tensor::activation::relu(conv2d5_out1);
        let maxpool2d3_out1 = self.maxpool2d3.forward(relu5_out1);
        let flatten1_out1 = {
            let leading_dim = maxpool2d3_out1.shape()[..1].iter().product::<usize>()
                as i32;
            maxpool2d3_out1.reshape::<2, _>([leading_dim, -1])
        };
        let gemm1_out1 = flatten1_out1.matmul(constant11_out1.transpose())
            + constant12_out1.unsqueeze();
        let relu6_out1 = burn::tensor::activation::relu(gemm1_out1);
        let gemm2_out1 = relu6_out1.matmul(constant13_out1.transpose())
            + constant14_out1.unsqueeze();
        let relu7_out1 = burn::tensor::activation::relu(gemm2_out1);
        let gemm3_out1 = relu7_out1.matmul(constant15_out1.transpose())
            + constant16_out1.unsqueeze();
        gemm3_out1
    }
}
