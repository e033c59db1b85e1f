//! What a Hugging Face folder says of an encoder.

use std::path::Path;

use super::family::Positions;
use super::raw::{RawConfig, activation};
use super::{EncoderError, EncoderTask, Family, SentenceModules};
use crate::bert::HiddenAct;
use crate::text_file;

/// The sizes and choices that make an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// Which family.
    pub family: Family,
    /// What it is for.
    pub task: EncoderTask,
    /// What the axes of its file are called.
    pub axes: AxisNames,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the embeddings; that of the hidden states in most families.
    pub embedding_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Layers that a token passes.
    pub num_hidden_layers: usize,
    /// Layers with weights of their own, which the others share; as many as there are layers in most families.
    pub num_hidden_groups: usize,
    /// Attention heads of a layer; they share the hidden size evenly.
    pub num_attention_heads: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// The activation of the feed-forward part.
    pub hidden_act: HiddenAct,
    /// Rows of the position table, or the longest sequence where there is none.
    pub max_position_embeddings: usize,
    /// Kinds of segment; 0 where a family has none.
    pub type_vocab_size: usize,
    /// The number that layer norm adds to the variance.
    pub layer_norm_eps: f64,
    /// The standard deviation of fresh weights.
    pub initializer_range: f64,
    /// The id that pads a batch.
    pub pad_token_id: i64,
    /// Whether the head for masks multiplies by the table of embeddings.
    pub tied: bool,
    /// The names of the labels, by their number.
    pub labels: Vec<String>,
    /// What the labels of a text are.
    pub problem: Problem,
    /// What ModernBERT alone has.
    pub modern: Option<ModernSettings>,
    /// What follows the encoder to make one vector of a text; as `sentence-transformers` reads the folder.
    pub sentence: SentenceModules,
}

/// What the labels of a text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// One of them is right: softmax.
    SingleLabel,
    /// Each may be right: sigmoid.
    MultiLabel,
    /// They are numbers: as they are.
    Regression,
}

/// What the axes of a file are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AxisNames {
    /// `batch_size` and `sequence_length`.
    #[default]
    Optimum,
    /// `batch` and `sequence`.
    Article,
}

impl AxisNames {
    /// The name of the axis of texts, and that of tokens.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::Optimum => ["batch_size", "sequence_length"],
            Self::Article => ["batch", "sequence"],
        }
    }
}

/// What ModernBERT alone has.
#[derive(Debug, Clone, PartialEq)]
pub struct ModernSettings {
    /// For each layer, whether a token sees its neighbours alone.
    pub local: Vec<bool>,
    /// How far such neighbours may be.
    pub window: usize,
    /// The base of the rotation where a token sees all.
    pub global_theta: f64,
    /// The base of the rotation where a token sees its neighbours.
    pub local_theta: f64,
    /// Whether layer norms have a bias.
    pub norm_bias: bool,
    /// Whether the projections of attention have one.
    pub attention_bias: bool,
    /// Whether the feed-forward part has one.
    pub mlp_bias: bool,
    /// Whether the dense layer of a head has one.
    pub classifier_bias: bool,
    /// Whether the logits over the vocabulary have one.
    pub decoder_bias: bool,
    /// The activation of a head.
    pub classifier_act: HiddenAct,
    /// Whether the labels of a text are told from the mean of its tokens and not from the first.
    pub classifier_mean: bool,
}

impl Default for EncoderConfig {
    /// The shape of `bert-base-uncased`, for its hidden states.
    fn default() -> Self {
        Self::published(Family::Bert, EncoderTask::FeatureExtraction)
    }
}

impl EncoderConfig {
    /// What a family is where its `config.json` says nothing.
    pub fn published(family: Family, task: EncoderTask) -> Self {
        let raw = RawConfig { model_type: Some(family.model_type().to_owned()), ..RawConfig::default() };
        let defaults = family.defaults();
        let modern = (family == Family::ModernBert).then(|| ModernSettings::usual(defaults.layers));
        Self {
            family,
            task,
            axes: AxisNames::default(),
            vocab_size: defaults.vocab,
            embedding_size: defaults.embedding.unwrap_or(defaults.hidden),
            hidden_size: defaults.hidden,
            num_hidden_layers: defaults.layers,
            num_hidden_groups: if family == Family::Albert { 1 } else { defaults.layers },
            num_attention_heads: defaults.heads,
            intermediate_size: defaults.intermediate,
            hidden_act: activation("hidden_act", defaults.act).unwrap_or(HiddenAct::Gelu),
            max_position_embeddings: defaults.positions,
            type_vocab_size: defaults.types,
            layer_norm_eps: defaults.eps,
            initializer_range: 0.02,
            pad_token_id: defaults.pad,
            tied: true,
            labels: raw.labels(),
            problem: Problem::SingleLabel,
            modern,
            sentence: SentenceModules::default(),
        }
    }

    /// What a folder says, for `task` or, without one, for that of its `modules.json` or its `architectures`.
    ///
    /// # Errors
    /// When a file cannot be read, is of another kind of network, or asks for something that is not implemented.
    pub fn read(folder: &Path, task: Option<EncoderTask>) -> Result<Self, EncoderError> {
        Self::read_file(&folder.join("config.json"), task)
    }

    /// As [`read`](Self::read), with a `config.json` by another name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_file(path: &Path, task: Option<EncoderTask>) -> Result<Self, EncoderError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let text = text_file::read(path).map_err(|source| EncoderError::Io { path: path.to_owned(), source })?;
        let raw: RawConfig = serde_json::from_slice(&text)
            .map_err(|error| EncoderError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        let in_file = |source| EncoderError::InFile { path: path.to_owned(), source: Box::new(source) };
        let family =
            Family::of(raw.model_type.as_deref(), raw.architectures.as_deref().unwrap_or_default()).map_err(in_file)?;
        let sentence = SentenceModules::read(folder)?;
        let task = match (task, &sentence) {
            (Some(task), _) => task,
            (None, Some(_)) => EncoderTask::SentenceEmbeddings,
            (None, None) => EncoderTask::of(raw.architectures.as_deref().unwrap_or_default()).map_err(in_file)?,
        };
        let config = raw.checked(family, task).map_err(in_file)?;
        Ok(Self { sentence: sentence.unwrap_or_default(), ..config })
    }

    /// The longest sequence in tokens.
    pub fn longest(&self) -> usize {
        match self.family.positions() {
            Positions::Real => {
                let taken = usize::try_from(self.padding_index()).unwrap_or(0) + 1;
                self.max_position_embeddings.saturating_sub(taken)
            }
            Positions::Place | Positions::Rotary => self.max_position_embeddings,
        }
    }

    /// The id that positions take for padding.
    pub(super) fn padding_index(&self) -> i64 {
        // MPNet's is fixed, whatever its configuration says.
        if self.family == Family::Mpnet { 1 } else { self.pad_token_id }
    }

    /// Width of an attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The names of the inputs in order.
    pub fn inputs(&self) -> &'static [&'static str] {
        match self.family.has_types() {
            true => &["input_ids", "attention_mask", "token_type_ids"],
            false => &["input_ids", "attention_mask"],
        }
    }

    /// Width of the vector of a text.
    pub fn sentence_width(&self) -> usize {
        self.sentence.width(self.hidden_size)
    }
}

impl ModernSettings {
    pub(super) fn usual(layers: usize) -> Self {
        Self {
            local: (0..layers).map(|layer| layer % 3 != 0).collect(),
            window: 64,
            global_theta: 160_000.0,
            local_theta: 10_000.0,
            norm_bias: false,
            attention_bias: false,
            mlp_bias: false,
            classifier_bias: false,
            decoder_bias: true,
            classifier_act: HiddenAct::Gelu,
            classifier_mean: false,
        }
    }
}

impl EncoderConfig {
    pub(super) fn require_sizes(&self, has_types: bool) -> Result<(), EncoderError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("embedding_size", self.embedding_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_hidden_groups", self.num_hidden_groups),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", if has_types { self.type_vocab_size } else { 1 }),
            ("num_labels", self.labels.len()),
        ];
        for (setting, size) in sizes {
            // The bound only keeps products of two sizes within range; real models stay far below it.
            if !(1..=1 << 28).contains(&size) {
                return Err(EncoderError::inconsistent(format!("{setting} = {size} is not a size")));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(EncoderError::inconsistent(format!(
                "hidden_size = {} cannot be shared by num_attention_heads = {}",
                self.hidden_size, self.num_attention_heads
            )));
        }
        if self.num_hidden_groups > self.num_hidden_layers {
            return Err(EncoderError::inconsistent(format!(
                "num_hidden_groups = {} is more than num_hidden_layers = {}",
                self.num_hidden_groups, self.num_hidden_layers
            )));
        }
        if self.modern.is_some() && !self.head_size().is_multiple_of(2) {
            let reason = format!("a head of {} numbers cannot be rotated: they go in pairs", self.head_size());
            return Err(EncoderError::inconsistent(reason));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0) {
            return Err(EncoderError::inconsistent(format!(
                "layer_norm_eps = {} is not positive",
                self.layer_norm_eps
            )));
        }
        if !(0..self.vocab_size as i64).contains(&self.pad_token_id) {
            return Err(EncoderError::inconsistent(format!(
                "pad_token_id = {} is outside the vocabulary of {} tokens",
                self.pad_token_id, self.vocab_size
            )));
        }
        if self.longest() == 0 {
            return Err(EncoderError::inconsistent(format!(
                "max_position_embeddings = {} leaves no room for a token",
                self.max_position_embeddings
            )));
        }
        if self.task == EncoderTask::QuestionAnswering && self.labels.len() != 2 {
            return Err(EncoderError::inconsistent(format!(
                "question answering takes two logits a token, and the configuration has {} labels",
                self.labels.len()
            )));
        }
        Ok(())
    }
}
