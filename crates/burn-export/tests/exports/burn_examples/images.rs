//! Images: the book's guide, `mnist`, `custom-image-dataset`, `wgan`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::*;
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};

use crate::modules::agrees;
use crate::support::{Runner, difference, uniform};

/// The book's basic workflow: two convolutions, a pool to a fixed size, two linear layers.
#[derive(Module, Debug)]
struct Guide {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: AdaptiveAvgPool2d,
    dropout: Dropout,
    linear1: Linear,
    linear2: Linear,
    activation: Relu,
}

impl Guide {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            conv2: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            pool: AdaptiveAvgPool2dConfig::new([8, 8]).init(),
            dropout: DropoutConfig::new(0.5).init(),
            linear1: LinearConfig::new(16 * 8 * 8, 512).init(device),
            linear2: LinearConfig::new(512, 10).init(device),
            activation: Relu::new(),
        }
    }

    fn forward(&self, images: Tensor<3>) -> Tensor<2> {
        let [batch, height, width] = images.dims();
        let x = self.dropout.forward(self.conv1.forward(images.reshape([batch, 1, height, width])));
        let x = self.activation.forward(self.dropout.forward(self.conv2.forward(x)));
        let x = self.pool.forward(x).reshape([batch, 16 * 8 * 8]);
        let x = self.activation.forward(self.dropout.forward(self.linear1.forward(x)));
        self.linear2.forward(x)
    }
}

#[test]
fn the_guide_of_the_book() {
    let guide = Guide::new(&Device::flex());
    agrees("guide", &guide, [0, 28, 28], |guide: &Guide, images| guide.forward(images));
    let exporter = OnnxExporter::new().opset(Opset::V11).graph_name("guide");
    let image = [Axis::dynamic("batch"), Axis::fixed(28), Axis::fixed(28)];
    let model = exporter.input("images", image).output("logits").export(&guide, |guide, x| guide.forward(x)).unwrap();
    let graph = model.model().to_string();
    let nodes: Vec<&str> = graph.lines().filter(|line| line.trim_start().starts_with("node")).collect();
    insta::assert_snapshot!("guide_opset11", nodes.join("\n"));
}

/// The pool gives the linear layers their size, so pictures of any size go in.
#[test]
fn the_guide_of_the_book_with_pictures_of_any_size() {
    let device = Device::flex();
    let guide = Guide::new(&device);
    for opset in [Opset::V11, Opset::V17] {
        let side = |name: &str| Axis::dynamic(name).range(12..=64);
        let image = [Axis::dynamic("batch"), side("height"), side("width")];
        let exporter = OnnxExporter::new().opset(opset).input("images", image).output("logits");
        let model = exporter.export(&guide, |guide, images| guide.forward(images)).unwrap();
        let mut runner = Runner::new(&model.to_bytes().unwrap()).unwrap();
        for shape in [[1, 28, 28], [3, 12, 64], [2, 33, 19], [5, 47, 12]] {
            let data = uniform(3, &shape);
            let found = runner.run(&[("images", &data)]).unwrap();
            let expected = guide.forward(Tensor::from_data(data, &device)).into_data();
            assert_eq!(difference(&found[0], &expected, 1e-5), None, "{shape:?}, opset {opset}");
        }
    }
}

/// `mnist`: blocks of convolution, batch normalisation and Gelu, then two linear layers.
#[derive(Module, Debug)]
struct Mnist {
    blocks: Vec<Block>,
    dropout: Dropout,
    linear1: Linear,
    linear2: Linear,
    activation: Gelu,
}

#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
    pool: Option<MaxPool2d>,
    activation: Gelu,
}

impl Block {
    fn new(channels: [usize; 2], pools: bool, device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new(channels, [3, 3]).init(device),
            norm: BatchNormConfig::new(channels[1]).init(device),
            pool: pools.then(|| MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init()),
            activation: Gelu::new(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.activation.forward(self.norm.forward(self.conv.forward(x)));
        match &self.pool {
            Some(pool) => pool.forward(x),
            None => x,
        }
    }
}

impl Mnist {
    fn forward(&self, images: Tensor<3>) -> Tensor<2> {
        let x = self.blocks.iter().fold(images.unsqueeze_dim(1), |x, block| block.forward(x));
        let [batch, channels, height, width] = x.dims();
        let x = self.dropout.forward(x.reshape([batch, channels * height * width]));
        self.linear2.forward(self.activation.forward(self.linear1.forward(x)))
    }
}

#[test]
fn the_mnist_example_early_and_late() {
    let device = Device::flex();
    // The first releases: three blocks, no pool, no bias in the linear layers.
    let early = Mnist {
        blocks: [[1, 8], [8, 16], [16, 24]].map(|channels| Block::new(channels, false, &device)).to_vec(),
        dropout: DropoutConfig::new(0.5).init(),
        linear1: LinearConfig::new(24 * 22 * 22, 32).with_bias(false).init(&device),
        linear2: LinearConfig::new(32, 10).with_bias(false).init(&device),
        activation: Gelu::new(),
    };
    agrees("mnist, early", &early, [0, 28, 28], |network: &Mnist, images| network.forward(images));
    // Later ones: two blocks with a pool.
    let late = Mnist {
        blocks: [[1, 64], [64, 64]].map(|channels| Block::new(channels, true, &device)).to_vec(),
        dropout: DropoutConfig::new(0.25).init(),
        linear1: LinearConfig::new(64 * 5 * 5, 128).init(&device),
        linear2: LinearConfig::new(128, 10).init(&device),
        activation: Gelu::new(),
    };
    agrees("mnist, late", &late, [0, 28, 28], |network: &Mnist, images| network.forward(images));
}

/// `custom-image-dataset`: three blocks as in VGG for CIFAR-10.
#[derive(Module, Debug)]
struct Vgg {
    convs: Vec<Conv2d>,
    pool: MaxPool2d,
    dropout: Dropout,
    linear1: Linear,
    linear2: Linear,
    activation: Relu,
}

impl Vgg {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let blocks = self.convs.chunks(2);
        let x = blocks.fold(images, |x, block| {
            let x = block.iter().fold(x, |x, conv| self.activation.forward(conv.forward(x)));
            self.dropout.forward(self.pool.forward(x))
        });
        let x = self.activation.forward(self.linear1.forward(x.flatten(1, 3)));
        self.linear2.forward(self.dropout.forward(x))
    }
}

#[test]
fn the_custom_image_dataset_example() {
    let device = Device::flex();
    let channels = [[3, 32], [32, 32], [32, 64], [64, 64], [64, 128], [128, 128]];
    let conv = |channels| Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Same).init(&device);
    let network = Vgg {
        convs: channels.map(conv).to_vec(),
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        dropout: DropoutConfig::new(0.3).init(),
        linear1: LinearConfig::new(128 * 4 * 4, 128).init(&device),
        linear2: LinearConfig::new(128, 10).init(&device),
        activation: Relu::new(),
    };
    agrees("custom-image-dataset", &network, [0, 3, 32, 32], |network: &Vgg, images| network.forward(images));
}

/// `wgan`: a generator of linear blocks, and its critic.
#[derive(Module, Debug)]
struct Generator {
    blocks: Vec<(Linear, BatchNorm)>,
    activation: LeakyRelu,
    linear: Linear,
    tanh: Tanh,
}

#[derive(Module, Debug)]
struct Critic {
    linears: Vec<Linear>,
    activation: LeakyRelu,
}

#[test]
fn the_wgan_example() {
    let device = Device::flex();
    let activation = LeakyReluConfig::new().with_negative_slope(0.2).init();
    let block = |[from, to]: [usize; 2]| {
        (LinearConfig::new(from, to).init(&device), BatchNormConfig::new(to).with_epsilon(0.8).init(&device))
    };
    let generator = Generator {
        blocks: [[100, 128], [128, 256], [256, 512], [512, 1024]].map(block).to_vec(),
        activation: activation.clone(),
        linear: LinearConfig::new(1024, 28 * 28).init(&device),
        tanh: Tanh::new(),
    };
    agrees("wgan, generator", &generator, [0, 100], |generator: &Generator, noise: Tensor<2>| {
        let x = generator
            .blocks
            .iter()
            .fold(noise, |x, (linear, norm)| generator.activation.forward(norm.forward(linear.forward(x))));
        let [batch, _] = x.dims();
        generator.tanh.forward(generator.linear.forward(x)).reshape([batch, 1, 28, 28])
    });
    let linears = [[28 * 28, 512], [512, 256], [256, 1]].map(|[from, to]| LinearConfig::new(from, to).init(&device));
    let critic = Critic { linears: linears.to_vec(), activation };
    agrees("wgan, critic", &critic, [0, 1, 28, 28], |critic: &Critic, images: Tensor<4>| {
        let (last, first) = critic.linears.split_last().unwrap();
        let x = images.flatten::<2>(1, 3);
        last.forward(first.iter().fold(x, |x, linear| critic.activation.forward(linear.forward(x))))
    });
}
