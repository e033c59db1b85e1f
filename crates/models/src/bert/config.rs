//! A Hugging Face `config.json`, and what of it is supported.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::text_file;

/// A word of the question, one of the context, and the three special tokens around them.
const SHORTEST: usize = 5;

/// The ends of the classes of `transformers` that have a head for another task. Pretraining is none: what it gives is the
/// usual start of training for any task.
const OTHER_TASKS: [&str; 4] =
    ["ForSequenceClassification", "ForTokenClassification", "ForMultipleChoice", "ForNextSentencePrediction"];

/// The sizes and choices that make a BERT.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads of a layer; they share the hidden size evenly.
    pub num_attention_heads: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// The activation of the feed-forward part.
    pub hidden_act: HiddenAct,
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Kinds of segment; a question and its context are 0 and 1.
    pub type_vocab_size: usize,
    /// The number that layer norm adds to the variance.
    pub layer_norm_eps: f64,
    /// The standard deviation of fresh weights.
    pub initializer_range: f64,
    /// The id that pads a batch.
    pub pad_token_id: i64,
}

/// An activation function, under the names of `transformers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenAct {
    /// `gelu`: x·Φ(x) by the error function.
    Gelu,
    /// `gelu_new`, `gelu_fast`, `gelu_pytorch_tanh`: Gelu approximated through tanh.
    GeluTanh,
    /// `quick_gelu`: x·σ(1.702·x).
    QuickGelu,
    /// `relu`.
    Relu,
    /// `silu` or `swish`: x·σ(x).
    Silu,
    /// `tanh`.
    Tanh,
}

/// Why a `config.json` gives no network here.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The content is not a configuration.
    #[error("{} is not a model configuration: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration is of another architecture.
    #[error("the model type is {found:?}, and only \"bert\" is supported")]
    NotBert {
        /// Its `model_type`, or its `architectures` if it has none; empty if it has neither.
        found: String,
    },
    /// The configuration is of a BERT for another task.
    #[error("it is of {found}, which does not answer questions; BertForQuestionAnswering does")]
    OtherTask {
        /// Its `architectures`.
        found: String,
    },
    /// A setting has a value that is not implemented.
    #[error("{setting} = {found} is not supported; supported: {supported}")]
    Unsupported {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would be.
        supported: &'static str,
    },
    /// The numbers contradict each other.
    #[error("{reason}")]
    Inconsistent {
        /// Which, and how.
        reason: String,
    },
    /// What a named file says cannot be had.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ConfigError>,
    },
}

/// The file as it is. Defaults are those of `transformers`' `BertConfig`.
#[derive(Deserialize)]
struct RawConfig {
    #[serde(default)]
    model_type: Option<String>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default = "default_vocab")]
    vocab_size: usize,
    #[serde(default = "default_hidden")]
    hidden_size: usize,
    #[serde(default = "default_layers")]
    num_hidden_layers: usize,
    #[serde(default = "default_heads")]
    num_attention_heads: usize,
    #[serde(default = "default_intermediate")]
    intermediate_size: usize,
    #[serde(default = "default_act")]
    hidden_act: String,
    #[serde(default = "default_positions")]
    max_position_embeddings: usize,
    #[serde(default = "default_types")]
    type_vocab_size: usize,
    #[serde(default = "default_eps")]
    layer_norm_eps: f64,
    #[serde(default = "default_range")]
    initializer_range: f64,
    #[serde(default)]
    pad_token_id: Option<i64>,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
    #[serde(default)]
    pruned_heads: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    quantization_config: Option<serde_json::Value>,
}

fn default_vocab() -> usize {
    30_522
}

fn default_hidden() -> usize {
    768
}

fn default_layers() -> usize {
    12
}

fn default_heads() -> usize {
    12
}

fn default_intermediate() -> usize {
    3072
}

fn default_act() -> String {
    "gelu".to_owned()
}

fn default_positions() -> usize {
    512
}

fn default_types() -> usize {
    2
}

fn default_eps() -> f64 {
    1e-12
}

fn default_range() -> f64 {
    0.02
}

impl Default for BertConfig {
    fn default() -> Self {
        Self::large()
    }
}

impl BertConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// When the file cannot be read or is no configuration, is of another task, or asks for something that is not implemented.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = text_file::read(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        let raw: RawConfig = serde_json::from_slice(&text)
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        raw.checked().map_err(|source| ConfigError::InFile { path: path.to_owned(), source: Box::new(source) })
    }

    /// How many numbers the weights are, those of the question-answering head included.
    pub fn parameters(&self) -> u64 {
        let [hidden, inner] = [self.hidden_size as u64, self.intermediate_size as u64];
        let rows = (self.vocab_size + self.max_position_embeddings + self.type_vocab_size) as u64;
        let linear = |inputs: u64, outputs: u64| inputs.saturating_mul(outputs).saturating_add(outputs);
        let norm = 2 * hidden;
        let layer = [linear(hidden, hidden).saturating_mul(4), linear(hidden, inner), linear(inner, hidden), 2 * norm];
        let layer = layer.into_iter().fold(0, u64::saturating_add);
        [rows.saturating_mul(hidden), norm, layer.saturating_mul(self.num_hidden_layers as u64), linear(hidden, 2)]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// The shape of `bert-large-uncased`, the default, whose fine-tuned version the article exports.
    pub fn large() -> Self {
        Self {
            hidden_size: 1024,
            num_hidden_layers: 24,
            num_attention_heads: 16,
            intermediate_size: 4096,
            ..Self::base()
        }
    }

    /// The shape of `bert-base-uncased`.
    pub fn base() -> Self {
        Self {
            vocab_size: default_vocab(),
            hidden_size: default_hidden(),
            num_hidden_layers: default_layers(),
            num_attention_heads: default_heads(),
            intermediate_size: default_intermediate(),
            hidden_act: HiddenAct::Gelu,
            max_position_embeddings: default_positions(),
            type_vocab_size: default_types(),
            layer_norm_eps: default_eps(),
            initializer_range: default_range(),
            pad_token_id: 0,
        }
    }

    /// Width of an attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

impl RawConfig {
    fn checked(self) -> Result<BertConfig, ConfigError> {
        self.refuse_others()?;
        self.refuse_variants()?;
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        for (setting, size) in sizes {
            // The bound only keeps products of two sizes within range; real models stay far below it.
            if !(1..=1 << 28).contains(&size) {
                return Err(ConfigError::Inconsistent { reason: format!("{setting} = {size} is not a size") });
            }
        }
        if self.max_position_embeddings < SHORTEST {
            return Err(ConfigError::Inconsistent {
                reason: format!(
                    "max_position_embeddings = {} is too short for a question and a context, which take {SHORTEST} tokens",
                    self.max_position_embeddings
                ),
            });
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(ConfigError::Inconsistent {
                reason: format!(
                    "hidden_size = {} cannot be shared by num_attention_heads = {}",
                    self.hidden_size, self.num_attention_heads
                ),
            });
        }
        let positive = self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0;
        if !positive {
            return Err(ConfigError::Inconsistent {
                reason: format!("layer_norm_eps = {} is not positive", self.layer_norm_eps),
            });
        }
        Ok(BertConfig {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            hidden_act: HiddenAct::named(&self.hidden_act)?,
            max_position_embeddings: self.max_position_embeddings,
            type_vocab_size: self.type_vocab_size,
            layer_norm_eps: self.layer_norm_eps,
            initializer_range: self.initializer_range,
            pad_token_id: self.pad_token_id.unwrap_or(0),
        })
    }

    /// Older configurations have no `model_type`, but name their classes.
    fn refuse_others(&self) -> Result<(), ConfigError> {
        let classes = self.architectures.as_deref().unwrap_or_default();
        let is_bert = match &self.model_type {
            Some(name) => name == "bert",
            None => !classes.is_empty() && classes.iter().all(|class| class.starts_with("Bert")),
        };
        if !is_bert {
            let found = self.model_type.clone().unwrap_or_else(|| classes.join(", "));
            return Err(ConfigError::NotBert { found });
        }
        let has_other_head = |class: &String| OTHER_TASKS.iter().any(|task| class.ends_with(task));
        if !classes.is_empty() && classes.iter().all(has_other_head) {
            return Err(ConfigError::OtherTask { found: classes.join(", ") });
        }
        Ok(())
    }

    fn refuse_variants(&self) -> Result<(), ConfigError> {
        let unsupported = |setting, found: &str, supported| {
            Err(ConfigError::Unsupported { setting, found: found.to_owned(), supported })
        };
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return unsupported("position_embedding_type", other, "absolute"),
        }
        if self.is_decoder {
            return unsupported("is_decoder", "true", "false");
        }
        if self.add_cross_attention {
            return unsupported("add_cross_attention", "true", "false");
        }
        if self.pruned_heads.as_ref().is_some_and(|heads| !heads.is_empty()) {
            return unsupported("pruned_heads", "some", "none");
        }
        if self.quantization_config.is_some() {
            return unsupported("quantization_config", "some", "none");
        }
        Ok(())
    }
}

impl HiddenAct {
    fn named(name: &str) -> Result<Self, ConfigError> {
        Ok(match name {
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "quick_gelu" => Self::QuickGelu,
            "relu" => Self::Relu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            other => {
                return Err(ConfigError::Unsupported {
                    setting: "hidden_act",
                    found: other.to_owned(),
                    supported: "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, quick_gelu, relu, silu, tanh",
                });
            }
        })
    }
}
