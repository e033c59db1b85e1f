//! From token ids to the vectors that enter the first layer.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};

use super::family::Positions;
use super::layer::{norm, project};
use super::rotary::places;
use super::{EncoderConfig, Family};

/// The tables of words, positions and segments, layer norm, and a projection where the tables are narrower than the layers.
#[derive(Module, Debug)]
pub(super) struct Embeddings {
    pub(super) words: Embedding,
    positions: Option<Embedding>,
    types: Option<Embedding>,
    norm: LayerNorm,
    projection: Option<Linear>,
    /// The id that positions take for padding, where they count the other tokens alone.
    padding: Option<i64>,
}

impl Embeddings {
    pub(super) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let width = config.embedding_size;
        let table = |count: usize| EmbeddingConfig::new(count, width).init(device);
        let scheme = config.family.positions();
        // ALBERT has the projection even where it changes no width.
        let projected = width != config.hidden_size || config.family == Family::Albert;
        Self {
            words: table(config.vocab_size),
            positions: (scheme != Positions::Rotary).then(|| table(config.max_position_embeddings)),
            types: (config.type_vocab_size > 0).then(|| table(config.type_vocab_size)),
            norm: norm(config, width, device),
            projection: projected.then(|| LinearConfig::new(width, config.hidden_size).init(device)),
            padding: (scheme == Positions::Real).then(|| config.padding_index()),
        }
    }

    /// `[batch, sequence, hidden]` for ids, the mask (1 for a token, 0 for padding) and, where the family takes them, segments, each
    /// `[batch, sequence]`.
    pub(super) fn forward(
        &self,
        ids: Tensor<2, Int>,
        mask: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
    ) -> Tensor<3> {
        let mut embedded = self.words.forward(ids.clone());
        // The order of `transformers`' additions, so that roundings agree.
        if let Some(table) = &self.types {
            embedded = embedded
                + match types {
                    Some(types) => table.forward(types),
                    // Without segments every token is of the first kind.
                    None => table.weight.val().narrow(0, 0, 1).unsqueeze(),
                };
        }
        if let Some(table) = &self.positions {
            embedded = embedded
                + table.forward(match self.padding {
                    None => {
                        let [rows, _] = table.weight.dims();
                        from_first_token(mask, rows)
                    }
                    Some(padding) => {
                        let real = ids.not_equal_elem(padding).int();
                        real.clone().cumsum(1) * real + padding
                    }
                });
        }
        let embedded = self.norm.forward(embedded);
        match &self.projection {
            Some(projection) => project(projection, embedded),
            None => embedded,
        }
    }
}

/// The places of tokens, counted from the first one that is not padding, `[batch, sequence]`: `transformers` counts padding on the
/// left as well, so that it changes what a text gives.
fn from_first_token(mask: Tensor<2, Int>, longest: usize) -> Tensor<2, Int> {
    let [_, sequence] = mask.dims();
    let places = places(longest, sequence, &mask.device());
    let before = mask.cumsum(1).equal_elem(0).int().sum_dim(1);
    (places.unsqueeze::<2>() - before).clamp_min(0)
}
