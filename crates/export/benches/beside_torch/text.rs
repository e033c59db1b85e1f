//! GPT-2 of two layers and a tagger of two directions.

use burn::module::Module;
use burn::nn::{BiLstm, BiLstmConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Bool, Device, Int, Tensor};

/// Vectors of 768 numbers in 12 heads, as in the smallest GPT-2.
const WIDTH: usize = 768;
const HEADS: usize = 12;

/// Radford et al., "Language Models are Unsupervised Multitask Learners", of two layers; GELU is the exact one in both files.
#[derive(Module, Debug)]
pub struct Gpt2 {
    words: Embedding,
    places: Embedding,
    norms: Vec<LayerNorm>,
    /// Of each layer: queries, keys and values; the projection; both of the feed-forward part.
    linears: Vec<Linear>,
}

impl Gpt2 {
    /// The longest text.
    pub const LONGEST: usize = 1024;

    pub fn new(device: &Device) -> Self {
        let linear = |[from, to]: [usize; 2]| LinearConfig::new(from, to).init(device);
        let layer = [[WIDTH, 3 * WIDTH], [WIDTH, WIDTH], [WIDTH, 4 * WIDTH], [4 * WIDTH, WIDTH]];
        Self {
            words: EmbeddingConfig::new(50_257, WIDTH).init(device),
            places: EmbeddingConfig::new(Self::LONGEST, WIDTH).init(device),
            norms: (0..5).map(|_| LayerNormConfig::new(WIDTH).init(device)).collect(),
            linears: layer.into_iter().cycle().take(8).map(linear).collect(),
        }
    }

    /// Token ids `[batch, length]` to logits `[batch, length, 50,257]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, length] = ids.dims();
        let device = ids.device();
        let places = self.places.weight.val().slice(0..length).unsqueeze::<3>();
        let mut x = self.words.forward(ids) + places;
        let later = Tensor::<2, Bool>::tril_mask([length, length], 0, &device).unsqueeze::<4>();
        for layer in 0..2 {
            let (norms, linears) = (&self.norms[2 * layer..], &self.linears[4 * layer..]);
            let parts = linears[0].forward(norms[0].forward(x.clone())).chunk(3, 2);
            let heads = |at: usize| parts[at].clone().reshape([batch, length, HEADS, WIDTH / HEADS]).swap_dims(1, 2);
            let scores = heads(0).matmul(heads(1).transpose()) / ((WIDTH / HEADS) as f64).sqrt();
            let weights = softmax(scores.mask_fill(later.clone(), f32::NEG_INFINITY), 3);
            let seen = weights.matmul(heads(2)).swap_dims(1, 2).reshape([batch, length, WIDTH]);
            x = x + linears[1].forward(seen);
            let inner = gelu(linears[2].forward(norms[1].forward(x.clone())));
            x = x + linears[3].forward(inner);
        }
        self.norms[4].forward(x).matmul(self.words.weight.val().transpose().unsqueeze::<3>())
    }
}

/// Words, a layer of both directions, and a tag for each word.
#[derive(Module, Debug)]
pub struct Tagger {
    words: Embedding,
    states: BiLstm,
    tags: Linear,
}

impl Tagger {
    pub fn new(device: &Device) -> Self {
        Self {
            words: EmbeddingConfig::new(10_000, 128).init(device),
            states: BiLstmConfig::new(128, 128, true).init(device),
            tags: LinearConfig::new(256, 20).init(device),
        }
    }

    /// Word ids `[batch, length]` to scores `[batch, length, 20]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.tags.forward(self.states.forward(self.words.forward(ids), None).0)
    }
}
