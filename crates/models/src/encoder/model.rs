//! The encoder with the head of its task.

use std::collections::{BTreeMap, HashSet};

use burn::module::Module;
use burn::nn::{LayerNorm, Linear, LinearConfig};
use burn::tensor::activation::{gelu, relu, sigmoid, tanh};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::embeddings::Embeddings;
use super::head::{Head, Summary};
use super::layer::{GatedLayer, Layer, bias, norm, real};
use super::names::{canonical, state_dict_name};
use super::rotary::{Relative, Rotation, neighbours};
use super::sentence::normalize;
use super::{DenseActivation, EncoderConfig, EncoderTask, Family, Step};
use crate::weights::{
    Checkpoint, Initialization, LoadReport, WeightsError, identity_name, load, parameter_names, randomize, state_dict,
};

/// An encoder of any family, for any task.
#[derive(Module, Debug)]
pub struct Encoder {
    body: Body,
    /// The layers behind the pooling of a text; their weights have files of their own.
    dense: Vec<Linear>,
    #[module(skip)]
    config: EncoderConfig,
}

/// All that has its weights in the main file.
#[derive(Module, Debug)]
struct Body {
    embeddings: Embeddings,
    relative: Option<Relative>,
    layers: Vec<Layer>,
    gated: Vec<GatedLayer>,
    final_norm: Option<LayerNorm>,
    span: Option<Head>,
    text: Option<Head>,
    tokens: Option<Head>,
    masks: Option<Head>,
}

/// What an encoder gives, in the order of [`EncoderTask::outputs`]: first what each token has, then what each text has, or for
/// answers both logits.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// `[batch, sequence, width]`.
    pub tokens: Option<Tensor<3>>,
    /// `[batch, width]`, or `[batch, sequence]` for the start and the end of an answer.
    pub rows: Vec<Tensor<2>>,
}

impl Encoder {
    /// The architecture on `device`. Parameters are initialised when first used, so loading weights costs nothing extra.
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        let dense = config.sentence.dense().filter(|_| config.task == EncoderTask::SentenceEmbeddings);
        let linear =
            |dense: &super::Dense| LinearConfig::new(dense.inputs, dense.outputs).with_bias(dense.bias).init(device);
        Self { body: Body::new(config, device), dense: dense.map(linear).collect(), config: config.clone() }
    }

    /// The network with weights from `checkpoint`. Names may carry that of the encoder in front or not, and layer norm may say `gamma`
    /// and `beta`. The weights behind the pooling of a text come out of their own folders.
    ///
    /// # Errors
    /// When a parameter is missing, has another shape, or cannot be read.
    pub fn load(
        config: &EncoderConfig,
        checkpoint: Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), WeightsError> {
        let Self { body, dense, config } = Self::new(config, device);
        let name = state_dict_name(config.family);
        let parameters = parameter_names(&body, name);
        let wanted: HashSet<String> = parameters.into_iter().map(|(name, _)| name).collect();
        let checkpoint = canonical(checkpoint, config.family, &wanted, &body.head_names(config.family))?;
        let (body, report) = load(body, &checkpoint, name)?;
        let dense: Result<Vec<Linear>, WeightsError> = dense
            .into_iter()
            .zip(config.sentence.dense())
            .map(|(linear, place)| {
                let checkpoint = Checkpoint::open(&place.folder)?;
                Ok(load(linear, &checkpoint, identity_name)?.0)
            })
            .collect();
        Ok((Self { body, dense: dense?, config }, report))
    }

    /// The network with weights from `seed`. Its answers mean nothing.
    pub fn random(config: &EncoderConfig, seed: u64, device: &Device) -> Self {
        let initialization = Initialization::Normal(config.initializer_range);
        let Self { body, dense, config } = Self::new(config, device);
        let body = randomize(body, seed, initialization, state_dict_name(config.family));
        let dense = dense.into_iter().zip(seed + 1..);
        let dense = dense.map(|(linear, seed)| randomize(linear, seed, initialization, identity_name)).collect();
        Self { body, dense, config }
    }

    /// The names of the parameters in the main file, as `transformers` calls them, with their shapes in its order.
    pub fn parameter_names(&self) -> Vec<(String, Vec<usize>)> {
        parameter_names(&self.body, state_dict_name(self.config.family))
    }

    /// The weights in the main file, as `transformers` calls them.
    pub fn state_dict(&self) -> BTreeMap<String, TensorData> {
        state_dict(&self.body, state_dict_name(self.config.family))
    }

    /// The outputs of the task for token ids, mask (1 for a token, 0 for padding) and, where the family takes them, segments, each
    /// `[batch, sequence]`. Padding may be on both sides; it changes nothing that the other tokens give.
    pub fn forward(&self, ids: Tensor<2, Int>, mask: Tensor<2, Int>, types: Option<Tensor<2, Int>>) -> Outputs {
        let [batch, sequence] = ids.dims();
        let hidden = self.body.hidden(&self.config, ids, mask.clone(), types);
        let table = self.body.embeddings.words.weight.val();
        let mask: Tensor<3> = mask.float().cast(hidden.dtype()).reshape([batch, sequence, 1]);
        let Body { span, text, tokens, masks, .. } = &self.body;
        match (self.config.task, span, text, tokens.as_ref().or(masks.as_ref())) {
            (EncoderTask::QuestionAnswering, Some(head), ..) => {
                let logits = head.forward(hidden, &table);
                let part = |index| logits.clone().narrow(2, index, 1).squeeze_dim(2);
                Outputs { tokens: None, rows: vec![part(0), part(1)] }
            }
            (EncoderTask::TextClassification, _, Some(head), _) => {
                let mean = self.config.modern.as_ref().is_some_and(|modern| modern.classifier_mean);
                let summary = if mean { Summary::Mean } else { Summary::First };
                Outputs { tokens: None, rows: vec![head.forward_text(summary.of(hidden, mask), &table)] }
            }
            (EncoderTask::TokenClassification | EncoderTask::FillMask, _, _, Some(head)) => {
                Outputs { tokens: Some(head.forward(hidden, &table)), rows: Vec::new() }
            }
            (EncoderTask::SentenceEmbeddings, ..) => {
                let sentence = self.sentence(hidden.clone(), mask);
                Outputs { tokens: Some(hidden), rows: vec![sentence] }
            }
            _ => Outputs { tokens: Some(hidden), rows: Vec::new() },
        }
    }

    /// One vector a text, `[batch, width]`.
    fn sentence(&self, hidden: Tensor<3>, mask: Tensor<3>) -> Tensor<2> {
        let sentence = &self.config.sentence;
        let pooled = sentence.poolings.iter().map(|pooling| pooling.apply(hidden.clone(), mask.clone()));
        let mut x = Tensor::cat(pooled.collect(), 1);
        let mut layers = self.dense.iter();
        for step in &sentence.steps {
            x = match (step, step_layer(step, &mut layers)) {
                (Step::Dense(dense), Some(layer)) => {
                    let x = layer.forward(x);
                    match dense.activation {
                        DenseActivation::Identity => x,
                        DenseActivation::Tanh => tanh(x),
                        DenseActivation::Relu => relu(x),
                        DenseActivation::Gelu => gelu(x),
                        DenseActivation::Sigmoid => sigmoid(x),
                    }
                }
                _ => normalize(x),
            };
        }
        x
    }
}

/// The layer of a step, if it has one.
fn step_layer<'a>(step: &Step, layers: &mut impl Iterator<Item = &'a Linear>) -> Option<&'a Linear> {
    match step {
        Step::Dense(_) => layers.next(),
        Step::Normalize => None,
    }
}

impl Body {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let layers = config.num_hidden_groups;
        let (layers, gated) = match &config.modern {
            None => ((0..layers).map(|_| Layer::new(config, device)).collect(), Vec::new()),
            Some(modern) => {
                (Vec::new(), (0..layers).map(|index| GatedLayer::new(config, modern, index, device)).collect())
            }
        };
        let head =
            |task, make: fn(&EncoderConfig, &Device) -> Head| (config.task == task).then(|| make(config, device));
        Self {
            embeddings: Embeddings::new(config, device),
            relative: (config.family == Family::Mpnet).then(|| Relative::new(config, device)),
            layers,
            gated,
            final_norm: config.modern.as_ref().map(|_| norm(config, config.hidden_size, device)),
            span: head(EncoderTask::QuestionAnswering, Head::of_tokens),
            text: head(EncoderTask::TextClassification, Head::of_text),
            tokens: head(EncoderTask::TokenClassification, Head::of_tokens),
            masks: head(EncoderTask::FillMask, Head::of_masks),
        }
    }

    /// The names of the head's parameters.
    fn head_names(&self, family: Family) -> Vec<String> {
        let named = parameter_names(self, identity_name);
        let is_head = |path: &&(String, Vec<usize>)| {
            ["span.", "text.", "tokens.", "masks."].iter().any(|head| path.0.starts_with(head))
        };
        named.iter().filter(is_head).map(|(path, _)| state_dict_name(family)(path)).collect()
    }

    /// The last layer's hidden states, `[batch, sequence, hidden]`.
    fn hidden(
        &self,
        config: &EncoderConfig,
        ids: Tensor<2, Int>,
        mask: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
    ) -> Tensor<3> {
        let (device, [_, sequence]) = (ids.device(), ids.dims());
        let embedded = self.embeddings.forward(ids, mask.clone(), types);
        let dtype = embedded.dtype();
        let seen = real(mask, dtype);
        if let Some(modern) = &config.modern {
            let longest = config.max_position_embeddings;
            let near = neighbours(modern.window, longest, sequence, &device, dtype);
            let rotation = |theta| Rotation::new(theta, config.head_size(), longest, sequence, &device, dtype);
            let global = (bias(seen.clone()), rotation(modern.global_theta));
            let local = (bias(seen * near), rotation(modern.local_theta));
            let hidden = self.gated.iter().fold(embedded, |hidden, layer| {
                let (bias, rotation) = if layer.local { &local } else { &global };
                layer.forward(hidden, bias, rotation)
            });
            return match &self.final_norm {
                Some(norm) => norm.forward(hidden),
                None => hidden,
            };
        }
        let bias = match &self.relative {
            Some(relative) => bias(seen) + relative.forward(sequence, &device),
            None => bias(seen),
        };
        // Layers that share weights stand behind each other.
        let layer = |index: usize| self.layers.get(index * self.layers.len() / config.num_hidden_layers);
        (0..config.num_hidden_layers).filter_map(layer).fold(embedded, |hidden, layer| layer.forward(hidden, &bias))
    }
}
