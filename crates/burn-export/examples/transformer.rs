//! A transformer with token ids, a padding mask and a causal mask; weights in a file of their own.
//!
//! ```sh
//! cargo run --release -p burn-export --features verify --example transformer -- model.onnx
//! ```

use std::error::Error;

use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Int, Tensor};
use burn_export::{Axis, External, OnnxExporter, Opset, SaveOptions, Sizes};

/// The longest text.
const POSITIONS: usize = 128;

/// Tokens in, the scores of the next token at every position out.
#[derive(Module, Debug)]
struct LanguageModel {
    tokens: Embedding,
    positions: Embedding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl LanguageModel {
    fn new(vocabulary: usize, width: usize, device: &Device) -> Self {
        Self {
            tokens: EmbeddingConfig::new(vocabulary, width).init(device),
            positions: EmbeddingConfig::new(POSITIONS, width).init(device),
            encoder: TransformerEncoderConfig::new(width, 4 * width, 4, 2).with_norm_first(true).init(device),
            head: LinearConfig::new(width, vocabulary).with_bias(false).init(device),
        }
    }

    /// Ids and mask `[batch, position]`, 1 for a token and 0 for padding, to scores `[batch, position, vocabulary]`.
    fn forward(&self, ids: Tensor<2, Int>, mask: Tensor<2, Int>) -> Tensor<3> {
        let [batch, length] = ids.dims();
        let device = ids.device();
        let places: Tensor<2, Int> = Tensor::arange(0..length as i64, &device).unsqueeze();
        let hidden = self.tokens.forward(ids) + self.positions.forward(places);
        let input = TransformerEncoderInput::new(hidden)
            .mask_pad(mask.equal_elem(0))
            .mask_attn(generate_autoregressive_mask(batch, length, &device));
        self.head.forward(self.encoder.forward(input))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("transformer.onnx"), Into::into);
    let network = LanguageModel::new(1000, 64, &Device::flex());
    let forward = |network: &LanguageModel, (ids, mask): (Tensor<2, Int>, Tensor<2, Int>)| network.forward(ids, mask);
    let text = || [Axis::dynamic("batch"), Axis::dynamic("position").range(1..=POSITIONS)];
    let model = OnnxExporter::new()
        .opset(Opset::V17)
        // int32 ids, where int64 is the default.
        .typed_input("input_ids", DType::I32, text())
        .typed_input("attention_mask", DType::I32, text())
        .output("scores")
        .export(&network, forward)?;
    println!("{}", model.report());
    let sizes = Sizes::chosen().within("input_ids", 0..1000).within("attention_mask", 1..2);
    println!("{}", model.verify(&network, forward, sizes)?);
    let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
    for file in model.save_with(path, &options)? {
        println!("{}: {} bytes, SHA-256 {}", file.path.display(), file.bytes, file.sha256);
    }
    Ok(())
}
