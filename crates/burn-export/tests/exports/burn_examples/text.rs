//! Text: `text-classification` and `text-generation`, transformers over tokens with a mask of their padding.

use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Bool, BoolStore, DType, Device, Int, Tensor, TensorData};
use burn_export::{Axis, ModelOutputs, OnnxExporter, Opset};

use crate::support::{Runner, difference};
use crate::table::Results;

const VOCABULARY: usize = 50;
const LONGEST: usize = 64;

/// Tokens and positions, an encoder, and a linear layer.
#[derive(Module, Debug)]
struct TextNetwork {
    transformer: TransformerEncoder,
    token: Embedding,
    position: Embedding,
    output: Linear,
}

impl TextNetwork {
    fn new(norm_first: bool, outputs: usize, device: &Device) -> Self {
        let encoder = TransformerEncoderConfig::new(32, 64, 4, 2).with_norm_first(norm_first);
        Self {
            transformer: encoder.init(device),
            token: EmbeddingConfig::new(VOCABULARY, 32).init(device),
            position: EmbeddingConfig::new(LONGEST, 32).init(device),
            output: LinearConfig::new(32, outputs).init(device),
        }
    }

    /// Both embeddings, averaged.
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [batch, length] = tokens.dims();
        let positions = Tensor::<1, Int>::arange(0..length as i64, &tokens.device());
        let positions = positions.reshape([1, length]).repeat_dim(0, batch);
        (self.position.forward(positions) + self.token.forward(tokens)) / 2
    }

    /// The class of a text, from its first token.
    fn classify(&self, tokens: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, _] = tokens.dims();
        let input = TransformerEncoderInput::new(self.embed(tokens)).mask_pad(padding);
        let output = self.output.forward(self.transformer.forward(input));
        let [_, _, classes] = output.dims();
        output.slice([0..batch, 0..1]).reshape([batch, classes])
    }

    /// The next token after each, a row each.
    fn generate(&self, tokens: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, length] = tokens.dims();
        let causal = generate_autoregressive_mask(batch, length, &tokens.device());
        let input = TransformerEncoderInput::new(self.embed(tokens)).mask_pad(padding).mask_attn(causal);
        self.output.forward(self.transformer.forward(input)).reshape([batch * length, VOCABULARY])
    }
}

fn agrees<O: ModelOutputs + Results>(
    network: &TextNetwork,
    forward: impl Fn(&TextNetwork, Tensor<2, Int>, Tensor<2, Bool>) -> O,
) {
    let device = Device::flex();
    for opset in [Opset::V11, Opset::V17] {
        let axes = || [Axis::dynamic("batch"), Axis::dynamic("length").range(1..=LONGEST)];
        let exporter = OnnxExporter::new().opset(opset).input("tokens", axes()).input("padding", axes());
        let exported =
            exporter.output("output").export(network, |network, (tokens, padding)| forward(network, tokens, padding));
        let model = exported.unwrap_or_else(|error| panic!("{error}"));
        let mut runner = Runner::new(&model.to_bytes().unwrap()).unwrap();
        for [batch, length] in [[1, 1], [1, 9], [6, 1], [2, 13], [3, LONGEST]] {
            let places = (0..batch * length).map(|place| (place / length, place % length));
            let tokens =
                places.clone().map(|(row, at)| ((row * 17 + at * 31) % VOCABULARY) as i64).collect::<Vec<i64>>();
            // Texts of different lengths; none is empty.
            let padding = places.map(|(row, at)| u8::from(at > length / (row + 1))).collect();
            let tokens = TensorData::new(tokens, [batch, length]);
            let padding = TensorData::from_bytes_vec(padding, [batch, length], DType::Bool(BoolStore::U8));
            let found = runner.run(&[("tokens", &tokens), ("padding", &padding)]).unwrap();
            let inputs = (Tensor::from_data(tokens, (&device, DType::I64)), Tensor::from_data(padding, &device));
            let expected = forward(network, inputs.0, inputs.1).data();
            let text = difference(&found[0], &expected[0], 1e-5);
            assert_eq!(text, None, "batch {batch}, length {length}, opset {opset}");
        }
    }
}

#[test]
fn the_text_classification_example() {
    for norm_first in [false, true] {
        let network = TextNetwork::new(norm_first, 4, &Device::flex());
        agrees(&network, |network, tokens, padding| network.classify(tokens, padding));
    }
}

#[test]
fn the_text_generation_example() {
    let network = TextNetwork::new(true, VOCABULARY, &Device::flex());
    agrees(&network, |network, tokens, padding| network.generate(tokens, padding));
}
