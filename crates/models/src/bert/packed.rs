//! The way of training through the network: the tokens of several sequences lie one after another, and no padding is
//! computed. On the CPU it runs on the fused kernels.

use burn::tensor::{Device, Int, Tensor, TensorData};
use flex_kernels::layers::{self, Activation, Dropout, cross_entropy, packed_attention};

use super::model::{BertEmbeddings, BertForQuestionAnswering, BertLayer};
use super::{BertConfig, InputError, Sequence, TokenBatch};
use crate::weights::{Checkpoint, Initialization, WeightsError, contiguous, load, randomize};

/// Sequences one after another, checked against a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedTokens {
    input_ids: Vec<i64>,
    token_type_ids: Vec<i64>,
    position_ids: Vec<i64>,
    lengths: Vec<usize>,
}

impl PackedTokens {
    /// These sequences in their order.
    ///
    /// # Errors
    /// When there is no token, a sequence is too long, lengths differ within a sequence, or an id is out of range.
    pub fn new(sequences: &[Sequence], config: &BertConfig) -> Result<Self, InputError> {
        // One row at a time finds the same faults as a padded batch does.
        TokenBatch::padded(sequences, config)?;
        let mut packed =
            Self { input_ids: Vec::new(), token_type_ids: Vec::new(), position_ids: Vec::new(), lengths: Vec::new() };
        for sequence in sequences {
            let length = sequence.input_ids.len();
            packed.input_ids.extend(sequence.input_ids);
            packed.token_type_ids.extend(sequence.token_type_ids);
            packed.position_ids.extend(0..length as i64);
            packed.lengths.push(length);
        }
        Ok(packed)
    }

    /// The tokens in each sequence.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Token, segment and position ids as tensors `[tokens]`.
    fn to_tensors(&self, device: &Device) -> [Tensor<1, Int>; 3] {
        [&self.input_ids, &self.token_type_ids, &self.position_ids].map(|ids| {
            let data = TensorData::new(ids.clone(), [ids.len()]);
            Tensor::from_data(data, device)
        })
    }
}

/// What dropout does at each of its places in the network, counted from 0 in the order of the forward pass: the embeddings,
/// then of each layer the attention probabilities, the attention's output and the layer's output.
pub type DropoutPlaces<'a> = Option<&'a dyn Fn(usize) -> Dropout>;

impl BertForQuestionAnswering {
    /// The encoder of a checkpoint, to be fine-tuned. The head is the checkpoint's if it has one; else near-normal weights from
    /// `seed` and no bias, as BERT starts. Parameters are row-major.
    ///
    /// # Errors
    /// When a parameter is missing, has another shape, or cannot be read.
    pub fn to_fine_tune(
        config: &BertConfig,
        checkpoint: Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        if checkpoint.tensors().keys().any(|name| name.ends_with("qa_outputs.weight")) {
            return Ok(contiguous(Self::load(config, checkpoint, device)?.0));
        }
        let Self { bert, qa_outputs } = Self::new(config, device);
        let bert = load(bert, &super::model::encoder(checkpoint)?, super::model::encoder_state_dict_name)?.0;
        let name = |path: &str| format!("qa_outputs.{path}");
        let mut head = randomize(qa_outputs, seed, Initialization::Normal(config.initializer_range), name);
        head.bias = head.bias.map(|bias| bias.map(|bias| bias.zeros_like().require_grad()));
        Ok(contiguous(Self { bert, qa_outputs: head }))
    }

    /// Start and end logits of each token, `[tokens, 2]`.
    pub fn packed_logits(&self, tokens: &PackedTokens, dropout: DropoutPlaces, device: &Device) -> Tensor<2> {
        let at = |place: usize| dropout.map(|dropout| dropout(place));
        let embedded = self.bert.embeddings.packed(tokens.to_tensors(device), at(0));
        let layers = self.bert.encoder.layer.iter().enumerate();
        let hidden = layers.fold(embedded, |hidden, (index, layer)| {
            let places = [1, 2, 3].map(|place| at(3 * index + place));
            layer.packed(hidden, tokens.lengths(), places)
        });
        layers::linear(&self.qa_outputs, Activation::Identity, hidden)
    }

    /// What fine-tuning minimises, `[1]`: the negative log-likelihood of each sequence's first and last answer token among its
    /// own tokens, the mean over both and over the sequences.
    ///
    /// # Panics
    /// When there is not one answer for each sequence, or one lies outside.
    pub fn packed_loss(
        &self,
        tokens: &PackedTokens,
        answers: &[(usize, usize)],
        dropout: DropoutPlaces,
        device: &Device,
    ) -> Tensor<1> {
        let logits = self.packed_logits(tokens, dropout, device);
        assert_eq!(answers.len(), tokens.lengths().len(), "an answer for each sequence");
        let (mut first, mut losses) = (0, Vec::with_capacity(answers.len()));
        for (&length, &(start, end)) in tokens.lengths().iter().zip(answers) {
            assert!(start < length && end < length, "an answer from {start} to {end} in {length} tokens");
            let labels = Tensor::from_data(TensorData::new(vec![start as i64, end as i64], [2]), device);
            let own = logits.clone().narrow(0, first, length).transpose();
            losses.push(cross_entropy(own, labels));
            first += length;
        }
        Tensor::cat(losses, 0).mean()
    }
}

impl BertEmbeddings {
    fn packed(&self, [ids, type_ids, position_ids]: [Tensor<1, Int>; 3], dropout: Option<Dropout>) -> Tensor<2> {
        let tables = [&self.word_embeddings, &self.token_type_embeddings, &self.position_embeddings];
        layers::embeddings(tables, [ids, type_ids, position_ids], &self.layer_norm, self.epsilon, dropout)
    }
}

impl BertLayer {
    fn packed(
        &self,
        hidden: Tensor<2>,
        lengths: &[usize],
        [probabilities, attended, output]: [Option<Dropout>; 3],
    ) -> Tensor<2> {
        let attention = &self.attention.self_attention;
        let heads = [&attention.query, &attention.key, &attention.value]
            .map(|projection| layers::linear(projection, Activation::Identity, hidden.clone()));
        let context = packed_attention(heads, lengths, attention.heads, probabilities);
        let attended = self.attention.output.forward(context, hidden, attended);
        let expanded = self.intermediate.forward(attended.clone());
        self.output.forward(expanded, attended, output)
    }
}
