//! Nodes are named after the modules that compute them, so that a profile reads like the network.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig,
    Linear, LinearConfig, PaddingConfig2d, RmsNorm, RmsNormConfig,
};
use burn::tensor::activation::{gelu, relu, softmax};
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, ModelInputs, OnnxExporter, Opset};

/// The names of all nodes.
fn names<M: Module, I: ModelInputs, const O: usize>(
    exporter: OnnxExporter,
    module: &M,
    forward: impl Fn(&M, I) -> Tensor<O>,
) -> Vec<String> {
    let model =
        exporter.opset(Opset::V20).output("y").export(module, forward).unwrap_or_else(|error| panic!("{error}"));
    model.model().graph.nodes.iter().map(|node| node.name.clone()).collect()
}

fn sequences(width: usize) -> OnnxExporter {
    OnnxExporter::new().input("x", [Axis::dynamic("batch"), Axis::dynamic("position"), Axis::fixed(width)])
}

/// What burn-nn's encoder does, layer by layer: read from its `TransformerEncoderLayer::forward`.
#[test]
fn the_encoder_of_burn_reads_layer_by_layer() {
    let attention = |layer: &str| -> Vec<String> {
        let parts = ["query/MatMul", "query/Add", "Reshape", "Transpose", "key/MatMul", "key/Add", "Reshape_1"];
        let more = ["value/MatMul", "value/Add", "Reshape_2", "Transpose_1", "Transpose_2", "MatMul", "Div", "Softmax"];
        let last = ["MatMul_1", "Transpose_3", "Reshape_3", "output/MatMul", "output/Add"];
        parts.iter().chain(&more).chain(&last).map(|part| format!("{layer}/mha/{part}")).collect()
    };
    let forward_part = |layer: &str| -> Vec<String> {
        ["linear_inner/MatMul", "linear_inner/Add", "Gelu", "linear_outer/MatMul", "linear_outer/Add"]
            .map(|part| format!("{layer}/pwff/{part}"))
            .to_vec()
    };
    let own = |layer: &str, name: &str| vec![format!("{layer}/{name}")];
    for norm_first in [true, false] {
        let config = TransformerEncoderConfig::new(8, 16, 2, 2).with_norm_first(norm_first);
        let encoder: TransformerEncoder = config.init(&Device::flex());
        let found = names(sequences(8), &encoder, |encoder: &TransformerEncoder, x: Tensor<3>| {
            encoder.forward(TransformerEncoderInput::new(x))
        });
        let expected: Vec<String> = ["/layers/0", "/layers/1"]
            .into_iter()
            .flat_map(|layer| match norm_first {
                true => [
                    own(layer, "norm_2/LayerNormalization"),
                    attention(layer),
                    own(layer, "Add"),
                    own(layer, "norm_1/LayerNormalization"),
                    forward_part(layer),
                    own(layer, "Add_1"),
                ],
                false => [
                    attention(layer),
                    own(layer, "Add"),
                    own(layer, "norm_1/LayerNormalization"),
                    forward_part(layer),
                    own(layer, "Add_1"),
                    own(layer, "norm_2/LayerNormalization"),
                ],
            })
            .flatten()
            .collect();
        assert_eq!(found, expected, "norm first: {norm_first}");
    }
}

/// Attention inside a module of its own, as BERT writes it.
#[derive(Module, Debug)]
struct Layer {
    attention: Attention,
    expand: Expand,
    contract: Linear,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Attention {
    inner: SelfAttention,
    output: Linear,
}

#[derive(Module, Debug)]
struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
}

#[derive(Module, Debug)]
struct Expand {
    dense: Linear,
}

impl Layer {
    fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).with_bias(false).init(device);
        Self {
            attention: Attention {
                inner: SelfAttention { query: linear(4, 4), key: linear(4, 4), value: linear(4, 4) },
                output: linear(4, 4),
            },
            expand: Expand { dense: linear(4, 8) },
            contract: linear(8, 4),
            norm: LayerNormConfig::new(4).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
        let inner = &self.attention.inner;
        let scores = inner.query.forward(x.clone()).matmul(inner.key.forward(x.clone()).transpose());
        let context = softmax(scores + mask, 2).matmul(inner.value.forward(x.clone()));
        let attended = self.attention.output.forward(context) + x;
        let expanded = gelu(self.expand.dense.forward(attended.clone()));
        self.norm.forward(self.contract.forward(expanded) + attended)
    }
}

#[derive(Module, Debug)]
struct Layers {
    tokens: Embedding,
    positions: Embedding,
    layer: Vec<Layer>,
}

#[test]
fn products_and_activations_lie_in_the_innermost_module_that_they_come_from() {
    let device = Device::flex();
    let network = Layers {
        tokens: EmbeddingConfig::new(10, 4).init(&device),
        positions: EmbeddingConfig::new(32, 4).init(&device),
        layer: vec![Layer::new(&device), Layer::new(&device)],
    };
    let sizes = || [Axis::dynamic("batch"), Axis::dynamic("position").range(1..=32)];
    let exporter = OnnxExporter::new().input("ids", sizes()).input("mask", sizes());
    let found = names(exporter, &network, |network: &Layers, (ids, mask): (Tensor<2, Int>, Tensor<2>)| {
        let [_, positions] = ids.dims();
        let bias = (mask.unsqueeze_dim(1) - 1.0) * 1e9;
        let rows = network.positions.weight.val().narrow(0, 0, positions);
        let embedded = network.tokens.forward(ids) + rows.unsqueeze();
        network.layer.iter().fold(embedded, |x, layer| layer.forward(x, bias.clone()))
    });
    let mut expected: Vec<String> = ["/Reshape", "/Sub", "/Mul"].map(str::to_string).to_vec();
    expected.extend(
        ["/positions/Shape", "/positions/Slice", "/positions/Slice_1", "/tokens/Gather", "/Add"].map(str::to_string),
    );
    for layer in ["/layer/0", "/layer/1"] {
        let own = [
            "attention/inner/query/MatMul",
            "attention/inner/key/MatMul",
            "attention/inner/Transpose",
            "attention/inner/MatMul",
            "attention/inner/Add",
            "attention/inner/Softmax",
            "attention/inner/value/MatMul",
            "attention/inner/MatMul_1",
            "attention/output/MatMul",
            "Add",
            "expand/dense/MatMul",
            "expand/Gelu",
            "contract/MatMul",
            "Add_1",
            "norm/LayerNormalization",
        ];
        expected.extend(own.map(|name| format!("{layer}/{name}")));
    }
    assert_eq!(found, expected);
}

/// Blocks with a residual connection, and what a classifier puts behind them.
#[derive(Module, Debug)]
struct Residual {
    stem: Conv2d,
    stage1: Vec<Block>,
    stage2: Vec<Block>,
    pool: AdaptiveAvgPool2d,
    head: Linear,
}

#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    conv2: Conv2d,
    norm: BatchNorm,
}

impl Block {
    fn new(device: &Device) -> Self {
        let conv = || Conv2dConfig::new([4, 4], [3, 3]).with_padding(PaddingConfig2d::Same).init(device);
        Self { conv1: conv(), conv2: conv(), norm: BatchNormConfig::new(4).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = relu(self.conv1.forward(x.clone()));
        relu(self.norm.forward(self.conv2.forward(inner)) + x)
    }
}

#[test]
fn residual_sums_lie_in_their_blocks_and_the_pooling_behind_them_does_not() {
    let device = Device::flex();
    let network = Residual {
        stem: Conv2dConfig::new([3, 4], [3, 3]).init(&device),
        stage1: vec![Block::new(&device), Block::new(&device)],
        stage2: vec![Block::new(&device)],
        pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
        head: LinearConfig::new(4, 2).init(&device),
    };
    let image = [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(8), Axis::fixed(8)];
    let exporter = OnnxExporter::new().fold_batch_norms(false).input("image", image);
    let found = names(exporter, &network, |network: &Residual, image: Tensor<4>| {
        let blocks = network.stage1.iter().chain(&network.stage2);
        let features = blocks.fold(relu(network.stem.forward(image)), |x, block| block.forward(x));
        network.head.forward(network.pool.forward(features).flatten::<2>(1, 3))
    });
    let mut expected = vec!["/stem/Conv".to_string(), "/Relu".to_string()];
    for block in ["/stage1/0", "/stage1/1", "/stage2/0"] {
        let own = ["conv1/Conv", "Relu", "conv2/Conv", "norm/BatchNormalization", "Add", "Relu_1"];
        expected.extend(own.map(|name| format!("{block}/{name}")));
    }
    expected.extend(["/GlobalAveragePool", "/Flatten", "/head/Gemm"].map(str::to_string));
    assert_eq!(found, expected);
}

/// Norms that scale what they have computed from their operand.
#[derive(Module, Debug)]
struct Normed {
    block: NormedBlock,
    group: GroupNorm,
}

#[derive(Module, Debug)]
struct NormedBlock {
    first: Linear,
    rms: RmsNorm,
    second: Linear,
}

#[test]
fn the_statistics_of_a_norm_lie_in_the_norm() {
    let device = Device::flex();
    let linear = || LinearConfig::new(4, 4).init(&device);
    let network = Normed {
        block: NormedBlock { first: linear(), rms: RmsNormConfig::new(4).init(&device), second: linear() },
        group: GroupNormConfig::new(2, 4).init(&device),
    };
    let exporter = OnnxExporter::new().input("x", [Axis::dynamic("batch"), Axis::fixed(4), Axis::fixed(4)]);
    let found = names(exporter, &network, |network: &Normed, x: Tensor<3>| {
        let x = gelu(network.block.first.forward(x));
        network.group.forward(network.block.second.forward(network.block.rms.forward(x)))
    });
    let mut parts: Vec<&str> = found.iter().map(|name| name.rsplit_once('/').map_or("", |(path, _)| path)).collect();
    parts.dedup();
    let expected = ["/block/first", "/block", "/block/rms", "/block/second", "/group"];
    assert_eq!(parts, expected, "{found:?}");
}
