//! The network.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{DType, Device, Int, Tensor};
use flex_kernels::layers::{self, Activation, Dropout};

use super::{BertConfig, HiddenAct};
use crate::weights::names::behind;
use crate::weights::{Checkpoint, Initialization, LoadReport, WeightsError, fit, load, random_checkpoint, randomize};

/// BERT with a start and an end logit for each token.
#[derive(Module, Debug)]
pub struct BertForQuestionAnswering {
    pub(super) bert: BertModel,
    pub(super) qa_outputs: Linear,
}

/// The encoder, without the pooler that only sentence classification uses.
#[derive(Module, Debug)]
pub struct BertModel {
    pub(super) embeddings: BertEmbeddings,
    pub(super) encoder: BertEncoder,
}

#[derive(Module, Debug)]
pub(super) struct BertEmbeddings {
    pub(super) word_embeddings: Embedding,
    pub(super) position_embeddings: Embedding,
    pub(super) token_type_embeddings: Embedding,
    pub(super) layer_norm: LayerNorm,
    #[module(skip)]
    pub(super) epsilon: f64,
}

#[derive(Module, Debug)]
pub(super) struct BertEncoder {
    pub(super) layer: Vec<BertLayer>,
}

#[derive(Module, Debug)]
pub(super) struct BertLayer {
    pub(super) attention: BertAttention,
    pub(super) intermediate: BertIntermediate,
    pub(super) output: BertOutput,
}

#[derive(Module, Debug)]
pub(super) struct BertAttention {
    pub(super) self_attention: BertSelfAttention,
    pub(super) output: BertOutput,
}

#[derive(Module, Debug)]
pub(super) struct BertSelfAttention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) heads: usize,
}

#[derive(Module, Debug)]
pub(super) struct BertIntermediate {
    pub(super) dense: Linear,
    #[module(skip)]
    pub(super) activation: HiddenAct,
}

/// A projection, the residual connection, and layer norm.
#[derive(Module, Debug)]
pub(super) struct BertOutput {
    pub(super) dense: Linear,
    pub(super) layer_norm: LayerNorm,
    #[module(skip)]
    pub(super) epsilon: f64,
}

/// The `state_dict` name of a parameter of [`BertForQuestionAnswering`], from its path in the Burn module.
///
/// `self` is a keyword of Rust, and `LayerNorm.weight` is called `gamma` in Burn; all else is the same.
pub fn state_dict_name(path: &str) -> String {
    path.replace(".self_attention.", ".self.")
        .replace("layer_norm.gamma", "LayerNorm.weight")
        .replace("layer_norm.beta", "LayerNorm.bias")
}

pub(super) fn encoder_state_dict_name(path: &str) -> String {
    format!("bert.{}", state_dict_name(path))
}

/// The names that checkpoints of different age and origin use, as [`state_dict_name`] spells them, behind the prefix that they
/// have. The pooler is `None`: it takes no part in answering questions.
fn canonical_name(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let is_root = |part: &&str| ["embeddings", "encoder", "pooler", "qa_outputs", "cls", "classifier"].contains(part);
    let Some(root) = parts.iter().position(is_root) else {
        return Some(name.to_owned());
    };
    let (prefix, rest) = parts.split_at(root);
    let prefix = prefix.strip_suffix(&["bert"]).unwrap_or(prefix);
    let rest = rest.join(".");
    let rest = match rest.rsplit_once(".LayerNorm.") {
        Some((layer, "gamma")) => format!("{layer}.LayerNorm.weight"),
        Some((layer, "beta")) => format!("{layer}.LayerNorm.bias"),
        _ => rest,
    };
    let rest = match parts[root] {
        "pooler" => return None,
        "embeddings" | "encoder" => format!("bert.{rest}"),
        _ => rest,
    };
    Some(prefix.iter().map(|part| format!("{part}.")).collect::<String>() + &rest)
}

/// Heads for other tasks than answering questions.
const OTHER_HEADS: [&str; 2] = ["cls.", "classifier."];

fn is_of(name: &str, heads: &[&str]) -> bool {
    heads.iter().any(|head| name.starts_with(head) || name.contains(&format!(".{head}")))
}

/// `checkpoint` under canonical names. Heads for other tasks are left aside where there is the one for questions; else they say
/// what the file is for.
fn canonical(checkpoint: Checkpoint) -> Result<Checkpoint, WeightsError> {
    let answers = checkpoint.tensors().keys().any(|name| is_of(name, &["qa_outputs."]));
    checkpoint.renamed(|name| canonical_name(name).filter(|name| !(answers && is_of(name, &OTHER_HEADS))))
}

/// `checkpoint` under canonical names, for the encoder alone.
pub(super) fn encoder(checkpoint: Checkpoint) -> Result<Checkpoint, WeightsError> {
    let is_head = |name: &str| is_of(name, &OTHER_HEADS) || is_of(name, &["qa_outputs."]);
    checkpoint.renamed(|name| canonical_name(name).filter(|name| !is_head(name)))
}

impl BertForQuestionAnswering {
    /// The architecture on `device`. Parameters are initialised when first used, so loading weights costs nothing extra.
    pub fn new(config: &BertConfig, device: &Device) -> Self {
        Self { bert: BertModel::new(config, device), qa_outputs: LinearConfig::new(config.hidden_size, 2).init(device) }
    }

    /// The network with weights from `checkpoint`. Names may carry the prefix `bert.` or not, and layer norm may say
    /// `gamma` and `beta`.
    ///
    /// # Errors
    /// When a parameter is missing, has another shape, or cannot be read.
    pub fn load(
        config: &BertConfig,
        checkpoint: Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), WeightsError> {
        let checkpoint = canonical(checkpoint)?;
        load(Self::new(config, device), &checkpoint, state_dict_name)
    }

    /// The network with weights from `seed`. Its answers mean nothing.
    pub fn random(config: &BertConfig, seed: u64, device: &Device) -> Self {
        let initialization = Initialization::Normal(config.initializer_range);
        let network = Self::new(config, device);
        randomize(network, seed, initialization, state_dict_name)
    }

    /// The weights of [`random`](Self::random), each tensor computed when it is read.
    pub fn random_weights(config: &BertConfig, seed: u64, device: &Device) -> Checkpoint {
        let initialization = Initialization::Normal(config.initializer_range);
        random_checkpoint(&Self::new(config, device), seed, initialization, state_dict_name)
    }

    /// `checkpoint` under the names of [`state_dict_name`], once it is known to hold every tensor of the network, for
    /// another implementation to load.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub fn fitting(
        config: &BertConfig,
        checkpoint: Checkpoint,
        device: &Device,
    ) -> Result<(Checkpoint, LoadReport), WeightsError> {
        let checkpoint = canonical(checkpoint)?;
        let report = fit(&Self::new(config, device), &checkpoint, state_dict_name)?;
        Ok((checkpoint.renamed(|name| behind(&report.prefix, name))?, report))
    }

    /// Start and end logits, each `[batch, sequence]`, for token ids, mask (1 for a token, 0 for padding) and segment
    /// ids, each `[batch, sequence]`.
    pub fn forward(
        &self,
        input_ids: Tensor<2, Int>,
        attention_mask: Tensor<2, Int>,
        token_type_ids: Tensor<2, Int>,
    ) -> (Tensor<2>, Tensor<2>) {
        let hidden = self.bert.forward(input_ids, attention_mask, token_type_ids);
        let logits = layers::linear(&self.qa_outputs, Activation::Identity, hidden);
        let start = logits.clone().narrow(2, 0, 1).squeeze_dim(2);
        let end = logits.narrow(2, 1, 1).squeeze_dim(2);
        (start, end)
    }
}

impl BertModel {
    /// The architecture on `device`.
    pub fn new(config: &BertConfig, device: &Device) -> Self {
        let embedding = |count, width| EmbeddingConfig::new(count, width).init(device);
        let hidden = config.hidden_size;
        Self {
            embeddings: BertEmbeddings {
                word_embeddings: embedding(config.vocab_size, hidden),
                position_embeddings: embedding(config.max_position_embeddings, hidden),
                token_type_embeddings: embedding(config.type_vocab_size, hidden),
                layer_norm: layer_norm(config, device),
                epsilon: config.layer_norm_eps,
            },
            encoder: BertEncoder {
                layer: (0..config.num_hidden_layers).map(|_| BertLayer::new(config, device)).collect(),
            },
        }
    }

    /// The encoder with weights from `checkpoint`, with or without the prefix `bert.`.
    ///
    /// # Errors
    /// When a parameter is missing, has another shape, or cannot be read.
    pub fn load(
        config: &BertConfig,
        checkpoint: Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), WeightsError> {
        let checkpoint = encoder(checkpoint)?;
        load(Self::new(config, device), &checkpoint, encoder_state_dict_name)
    }

    /// The last layer's hidden states, `[batch, sequence, hidden]`; inputs as for [`BertForQuestionAnswering::forward`].
    pub fn forward(
        &self,
        input_ids: Tensor<2, Int>,
        attention_mask: Tensor<2, Int>,
        token_type_ids: Tensor<2, Int>,
    ) -> Tensor<3> {
        let embedded = self.embeddings.forward(input_ids, token_type_ids);
        let bias = attention_bias(attention_mask, embedded.dtype());
        self.encoder.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden, &bias))
    }

    /// What each stage gives: the embeddings, then every layer's hidden states, each `[batch, sequence, hidden]`.
    pub fn hidden_states(
        &self,
        input_ids: Tensor<2, Int>,
        attention_mask: Tensor<2, Int>,
        token_type_ids: Tensor<2, Int>,
    ) -> Vec<Tensor<3>> {
        let embedded = self.embeddings.forward(input_ids, token_type_ids);
        let bias = attention_bias(attention_mask, embedded.dtype());
        let mut states = vec![embedded];
        for layer in &self.encoder.layer {
            if let Some(hidden) = states.last() {
                states.push(layer.forward(hidden.clone(), &bias));
            }
        }
        states
    }
}

/// What is added to the attention scores, `[batch, 1, 1, sequence]`: 0 for a token, the lowest float for padding.
fn attention_bias(attention_mask: Tensor<2, Int>, dtype: DType) -> Tensor<4> {
    let [batch, sequence] = attention_mask.dims();
    let mask: Tensor<4> = attention_mask.float().cast(dtype).reshape([batch, 1, 1, sequence]);
    (mask - 1.0) * f32::MAX
}

fn layer_norm(config: &BertConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.hidden_size).with_epsilon(config.layer_norm_eps).init(device)
}

impl BertEmbeddings {
    fn forward(&self, input_ids: Tensor<2, Int>, token_type_ids: Tensor<2, Int>) -> Tensor<3> {
        let [_, sequence] = input_ids.dims();
        let positions = self.position_embeddings.weight.val().narrow(0, 0, sequence);
        let words = self.word_embeddings.forward(input_ids);
        let types = self.token_type_embeddings.forward(token_type_ids);
        // The order of `transformers`' additions, so that roundings agree.
        layers::layer_norm(&self.layer_norm, self.epsilon, words + types + positions.unsqueeze())
    }
}

impl BertLayer {
    fn new(config: &BertConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let output = |inputs| BertOutput {
            dense: linear(inputs, hidden),
            layer_norm: layer_norm(config, device),
            epsilon: config.layer_norm_eps,
        };
        Self {
            attention: BertAttention {
                self_attention: BertSelfAttention {
                    query: linear(hidden, hidden),
                    key: linear(hidden, hidden),
                    value: linear(hidden, hidden),
                    heads: config.num_attention_heads,
                },
                output: output(hidden),
            },
            intermediate: BertIntermediate {
                dense: linear(hidden, config.intermediate_size),
                activation: config.hidden_act,
            },
            output: output(config.intermediate_size),
        }
    }

    fn forward(&self, hidden: Tensor<3>, bias: &Tensor<4>) -> Tensor<3> {
        let context = self.attention.self_attention.forward(&hidden, bias);
        let attended = self.attention.output.forward(context, hidden, None);
        let expanded = self.intermediate.forward(attended.clone());
        self.output.forward(expanded, attended, None)
    }
}

impl BertSelfAttention {
    fn forward(&self, hidden: &Tensor<3>, bias: &Tensor<4>) -> Tensor<3> {
        let projected = [&self.query, &self.key, &self.value]
            .map(|projection| layers::linear(projection, Activation::Identity, hidden.clone()));
        layers::attention(projected, self.heads, Some(bias.clone()))
    }
}

impl BertIntermediate {
    pub(super) fn forward<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        let activation = match self.activation {
            HiddenAct::Gelu => Activation::Gelu,
            HiddenAct::GeluTanh => Activation::GeluTanh,
            HiddenAct::Relu => Activation::Relu,
            HiddenAct::Silu => Activation::Silu,
            HiddenAct::QuickGelu | HiddenAct::Tanh => Activation::Identity,
        };
        let x = layers::linear(&self.dense, activation, hidden);
        match self.activation {
            HiddenAct::QuickGelu => x.clone() * sigmoid(x * 1.702),
            HiddenAct::Tanh => tanh(x),
            _ => x,
        }
    }
}

impl BertOutput {
    pub(super) fn forward<const D: usize>(
        &self,
        x: Tensor<D>,
        residual: Tensor<D>,
        dropout: Option<Dropout>,
    ) -> Tensor<D> {
        let x = layers::linear(&self.dense, Activation::Identity, x);
        layers::residual_norm(&self.layer_norm, self.epsilon, x, residual, dropout)
    }
}
