// Generated from ONNX "mnist_cnn.onnx" by burn-onnx
extern crate alloc;
use burn::prelude::*;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::MaxPool2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::Bytes;
use burn::tensor::activation::log_softmax;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    constant5: burn::module::Param<Tensor<2>>,
    constant6: burn::module::Param<Tensor<1>>,
    constant7: burn::module::Param<Tensor<2>>,
    constant8: burn::module::Param<Tensor<1>>,
    conv2d1: Conv2d,
    conv2d2: Conv2d,
    maxpool2d1: MaxPool2d,
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
        let constant5: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([128, 9216], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [128, 9216].into(),
        );
        let constant6: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::zeros([128], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [128].into(),
        );
        let constant7: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([10, 128], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [10, 128].into(),
        );
        let constant8: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::zeros([10], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [10].into(),
        );
        let conv2d1 = Conv2dConfig::new([1, 32], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let conv2d2 = Conv2dConfig::new([32, 64], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool2d1 = MaxPool2dConfig::new([2, 2])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        Self {
            constant5,
            constant6,
            constant7,
            constant8,
            conv2d1,
            conv2d2,
            maxpool2d1,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let constant5_out1 = self.constant5.val();
        let constant6_out1 = self.constant6.val();
        let constant7_out1 = self.constant7.val();
        let constant8_out1 = self.constant8.val();
        let conv2d1_out1 = self.conv2d1.forward(input);
        let relu1_out1 = burn::tensor::activation::relu(conv2d1_out1);
        let conv2d2_out1 = self.conv2d2.forward(relu1_out1);
        let relu2_out1 = burn::tensor::activation::relu(conv2d2_out1);
        let maxpool2d1_out1 = self.maxpool2d1.forward(relu2_out1);
        let flatten1_out1 = {
            let leading_dim = maxpool2d1_out1.shape()[..1].iter().product::<usize>()
                as i32;
            maxpool2d1_out1.reshape::<2, _>([leading_dim, -1])
        };
        let gemm1_out1 = flatten1_out1.matmul(constant5_out1.transpose())
            + constant6_out1.unsqueeze();
        let relu3_out1 = burn::tensor::activation::relu(gemm1_out1);
        let gemm2_out1 = relu3_out1.matmul(constant7_out1.transpose())
            + constant8_out1.unsqueeze();
        let logsoftmax1_out1 = log_softmax(gemm2_out1, 1);
        logsoftmax1_out1
    }
}
