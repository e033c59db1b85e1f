//! The heads: what is made of the hidden states for a task.

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::layer::{activate, norm, project};
use super::{EncoderConfig, EncoderTask, Family};
use crate::bert::HiddenAct;

/// A dense layer with its activation and layer norm where a family has them, then the logits.
#[derive(Module, Debug)]
pub(super) struct Head {
    dense: Option<Linear>,
    norm: Option<LayerNorm>,
    /// None where the table of embeddings gives the logits.
    output: Option<Linear>,
    /// That of the logits over the vocabulary, which stands by itself.
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    activation: HiddenAct,
}

/// The part of the hidden states that tells the labels of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Summary {
    /// The first token.
    First,
    /// The mean of the tokens that are not padding.
    Mean,
}

impl Head {
    /// The labels of a text.
    pub(super) fn of_text(config: &EncoderConfig, device: &Device) -> Self {
        let activation = match config.family {
            Family::DistilBert => HiddenAct::Relu,
            Family::Electra => HiddenAct::Gelu,
            _ => config.modern.as_ref().map_or(HiddenAct::Tanh, |modern| modern.classifier_act),
        };
        let width = config.hidden_size;
        Self { activation, ..Self::of_tokens_behind(config, Some(width), config.labels.len(), device) }
    }

    /// Logits for each token: labels, or the start and the end of an answer.
    pub(super) fn of_tokens(config: &EncoderConfig, device: &Device) -> Self {
        let outputs = if config.task == EncoderTask::QuestionAnswering { 2 } else { config.labels.len() };
        let dense = config.modern.as_ref().map(|_| config.hidden_size);
        Self::of_tokens_behind(config, dense, outputs, device)
    }

    /// Logits over the vocabulary for each token.
    pub(super) fn of_masks(config: &EncoderConfig, device: &Device) -> Self {
        let width = if config.modern.is_some() { config.hidden_size } else { config.embedding_size };
        let activation = match config.family {
            Family::Bert | Family::DistilBert | Family::Albert => config.hidden_act,
            _ => config.modern.as_ref().map_or(HiddenAct::Gelu, |modern| modern.classifier_act),
        };
        let has_bias = config.modern.as_ref().is_none_or(|modern| modern.decoder_bias);
        let untied = || LinearConfig::new(width, config.vocab_size).with_bias(false).init(device);
        Self {
            dense: Some(Self::dense(config, width, device)),
            norm: Some(norm(config, width, device)),
            output: (!config.tied).then(untied),
            bias: has_bias.then(|| Initializer::Zeros.init([config.vocab_size], device)),
            activation,
        }
    }

    fn of_tokens_behind(config: &EncoderConfig, dense: Option<usize>, outputs: usize, device: &Device) -> Self {
        let modern = config.modern.as_ref();
        let normed = dense.filter(|_| modern.is_some());
        Self {
            dense: dense.map(|width| Self::dense(config, width, device)),
            norm: normed.map(|width| norm(config, width, device)),
            output: Some(LinearConfig::new(config.hidden_size, outputs).init(device)),
            bias: None,
            activation: modern.map_or(HiddenAct::Gelu, |modern| modern.classifier_act),
        }
    }

    fn dense(config: &EncoderConfig, width: usize, device: &Device) -> Linear {
        let bias = config.modern.as_ref().is_none_or(|modern| modern.classifier_bias);
        LinearConfig::new(config.hidden_size, width).with_bias(bias).init(device)
    }

    /// `[batch, sequence, outputs]`; `table` is that of the embeddings, `[vocabulary, width]`.
    pub(super) fn forward(&self, hidden: Tensor<3>, table: &Tensor<2>) -> Tensor<3> {
        let mut x = hidden;
        if let Some(dense) = &self.dense {
            x = activate(self.activation, project(dense, x));
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
        }
        let logits = match &self.output {
            Some(output) => project(output, x),
            None => {
                let ([batch, sequence, width], [vocabulary, _]) = (x.dims(), table.dims());
                let rows = x.reshape([batch * sequence, width]).matmul(table.clone().transpose());
                rows.reshape([batch, sequence, vocabulary])
            }
        };
        match &self.bias {
            Some(bias) => logits + bias.val().unsqueeze(),
            None => logits,
        }
    }

    /// `[batch, outputs]` for one vector a text, `[batch, hidden]`.
    pub(super) fn forward_text(&self, summary: Tensor<2>, table: &Tensor<2>) -> Tensor<2> {
        self.forward(summary.unsqueeze_dim(1), table).squeeze_dim(1)
    }
}

impl Summary {
    /// One vector a text, `[batch, hidden]`; `mask` is 1 for a token and 0 for padding, `[batch, sequence, 1]`.
    pub(super) fn of(self, hidden: Tensor<3>, mask: Tensor<3>) -> Tensor<2> {
        match self {
            Self::First => first(hidden, mask),
            Self::Mean => {
                let total: Tensor<2> = (hidden * mask.clone()).sum_dim(1).squeeze_dim(1);
                total / mask.sum_dim(1).squeeze_dim::<2>(1)
            }
        }
    }
}

/// The vector of the first token that is not padding, `[batch, hidden]`. With padding on the left `transformers` takes padding for it.
pub(super) fn first(hidden: Tensor<3>, mask: Tensor<3>) -> Tensor<2> {
    let real: Tensor<2> = mask.squeeze_dim(2);
    let is_first = real.clone().cumsum(1).equal_elem(1.0).float().cast(real.dtype()) * real;
    is_first.unsqueeze_dim::<3>(1).matmul(hidden).squeeze_dim(1)
}
