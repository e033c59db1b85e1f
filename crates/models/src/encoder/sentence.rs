//! From hidden states to one vector of a text, as a folder of `sentence-transformers` says.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::EncoderError;
use super::head::first;
use crate::text_file;

/// How the vectors of tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// In each number the largest.
    Max,
    /// The mean.
    Mean,
    /// The sum divided by the square root of their number.
    MeanSqrtLength,
}

/// A dense layer behind the pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// The folder with its weights.
    pub folder: PathBuf,
    /// Numbers in.
    pub inputs: usize,
    /// Numbers out.
    pub outputs: usize,
    /// Whether it has a bias.
    pub bias: bool,
    /// What follows it.
    pub activation: DenseActivation,
}

/// What follows a dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenseActivation {
    /// Nothing.
    Identity,
    /// tanh.
    Tanh,
    /// ReLU.
    Relu,
    /// GELU.
    Gelu,
    /// The logistic function.
    Sigmoid,
}

/// What follows the pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A dense layer.
    Dense(Dense),
    /// Division by the Euclidean norm.
    Normalize,
}

/// The modules of `modules.json` behind the encoder. The default is what `sentence-transformers` takes where there are none: the mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceModules {
    /// Ways of pooling, whose vectors stand behind each other.
    pub poolings: Vec<Pooling>,
    /// What follows, in order.
    pub steps: Vec<Step>,
    /// The longest text in tokens, if the folder limits it.
    pub max_seq_length: Option<usize>,
    /// The files that say so, and those with weights, by their paths in the folder.
    pub files: Vec<PathBuf>,
}

impl Default for SentenceModules {
    fn default() -> Self {
        Self { poolings: vec![Pooling::Mean], steps: Vec::new(), max_seq_length: None, files: Vec::new() }
    }
}

/// An entry of `modules.json`.
#[derive(Deserialize)]
struct Entry {
    path: String,
    #[serde(rename = "type")]
    class: String,
}

#[derive(Deserialize)]
struct DenseFile {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
    #[serde(default)]
    module_input_name: Option<String>,
}

fn yes() -> bool {
    true
}

impl SentenceModules {
    /// What a folder says; `None` if it has no `modules.json`.
    ///
    /// # Errors
    /// When a file cannot be read, or a module is not supported.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, EncoderError> {
        let path = folder.join("modules.json");
        if !path.is_file() {
            return Ok(None);
        }
        let entries: Vec<Entry> = json(&path)?;
        let unsupported =
            |found: &str| refused(&path, "type", found, "Transformer, then Pooling, then any of Dense and Normalize");
        let mut modules = Self { poolings: Vec::new(), ..Self::default() };
        modules.files.push("modules.json".into());
        for (index, Entry { path: part, class }) in entries.iter().enumerate() {
            let place = plain(part).ok_or_else(|| EncoderError::Malformed {
                path: path.clone(),
                reason: format!("{part:?} is no folder inside"),
            })?;
            let file = place.join("config.json");
            match class.rsplit('.').next().unwrap_or_default() {
                // The encoder, whose folder is the whole one.
                "Transformer" if index == 0 && part.is_empty() => {}
                "Pooling" if index == 1 => {
                    modules.poolings = poolings(&folder.join(&file))?;
                    modules.files.push(file);
                }
                "Dense" if index > 1 => {
                    modules.steps.push(Step::Dense(dense(&folder.join(&place), &folder.join(&file))?));
                    modules.files.push(file);
                    let weights = ["model.safetensors", "pytorch_model.bin"].map(|name| place.join(name));
                    modules.files.extend(weights.into_iter().find(|file| folder.join(file).is_file()));
                }
                "Normalize" if index > 1 => modules.steps.push(Step::Normalize),
                _ => return Err(unsupported(class)),
            }
        }
        if modules.poolings.is_empty() {
            return Err(unsupported("no Pooling"));
        }
        let limits = folder.join("sentence_bert_config.json");
        if limits.is_file() {
            let said: Map<String, Value> = json(&limits)?;
            modules.max_seq_length =
                said.get("max_seq_length").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
            modules.files.push("sentence_bert_config.json".into());
        }
        Ok(Some(modules))
    }

    /// Width of the vector of a text.
    pub(super) fn width(&self, hidden: usize) -> usize {
        let dense = self.steps.iter().rev().find_map(|step| match step {
            Step::Dense(dense) => Some(dense.outputs),
            Step::Normalize => None,
        });
        dense.unwrap_or(hidden * self.poolings.len())
    }

    /// The dense layers in order.
    pub fn dense(&self) -> impl Iterator<Item = &Dense> {
        self.steps.iter().filter_map(|step| match step {
            Step::Dense(dense) => Some(dense),
            Step::Normalize => None,
        })
    }
}

/// A path inside the folder; `None` if it leads outside.
fn plain(part: &str) -> Option<PathBuf> {
    let path = Path::new(part);
    path.components().all(|part| matches!(part, std::path::Component::Normal(_))).then(|| path.to_owned())
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, EncoderError> {
    let text = text_file::read(path).map_err(|source| EncoderError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| EncoderError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

/// The ways of pooling, in the order in which their vectors stand.
fn poolings(path: &Path) -> Result<Vec<Pooling>, EncoderError> {
    let said: Map<String, Value> = json(path)?;
    let known = [
        ("cls", "pooling_mode_cls_token", Pooling::Cls),
        ("max", "pooling_mode_max_tokens", Pooling::Max),
        ("mean", "pooling_mode_mean_tokens", Pooling::Mean),
        ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLength),
    ];
    // Older files have a switch for each way, newer ones the name of one or several.
    let modes: Vec<&str> = match said.get("pooling_mode") {
        Some(Value::String(mode)) => vec![mode],
        Some(Value::Array(modes)) => modes.iter().filter_map(Value::as_str).collect(),
        _ => {
            let is_on = |name: &str| said.get(name) == Some(&Value::Bool(true));
            let other = said.keys().find(|name| {
                name.starts_with("pooling_mode_") && is_on(name) && !known.iter().any(|(_, switch, _)| switch == name)
            });
            let on = known.iter().filter(|(_, switch, _)| is_on(switch)).map(|(mode, _, _)| *mode);
            on.chain(other.map(String::as_str)).collect()
        }
    };
    let pooling = |mode: &&str| {
        let known = known.iter().find(|(name, _, _)| name == mode).map(|(_, _, pooling)| *pooling);
        known.ok_or_else(|| refused(path, "pooling_mode", mode, "cls, max, mean, mean_sqrt_len_tokens"))
    };
    match modes.is_empty() {
        true => Err(refused(path, "pooling_mode", "none", "cls, max, mean, mean_sqrt_len_tokens")),
        false => modes.iter().map(pooling).collect(),
    }
}

fn refused(path: &Path, setting: &'static str, found: &str, supported: &'static str) -> EncoderError {
    let source = Box::new(EncoderError::unsupported(setting, found, supported));
    EncoderError::InFile { path: path.to_owned(), source }
}

fn dense(folder: &Path, path: &Path) -> Result<Dense, EncoderError> {
    let said: DenseFile = json(path)?;
    if said.use_residual {
        return Err(refused(path, "use_residual", "true", "false"));
    }
    if let Some(other) = said.module_input_name.filter(|name| name != "sentence_embedding") {
        return Err(refused(path, "module_input_name", &other, "sentence_embedding"));
    }
    let name = said.activation_function.as_deref().unwrap_or("Tanh");
    let activation = match name.rsplit('.').next().unwrap_or_default() {
        "Identity" => DenseActivation::Identity,
        "Tanh" => DenseActivation::Tanh,
        "ReLU" => DenseActivation::Relu,
        "GELU" => DenseActivation::Gelu,
        "Sigmoid" => DenseActivation::Sigmoid,
        _ => return Err(refused(path, "activation_function", name, "Identity, Tanh, ReLU, GELU, Sigmoid")),
    };
    Ok(Dense {
        folder: folder.to_owned(),
        inputs: said.in_features,
        outputs: said.out_features,
        bias: said.bias,
        activation,
    })
}

impl Pooling {
    /// One vector a text, `[batch, hidden]`; `mask` is 1 for a token and 0 for padding, `[batch, sequence, 1]`.
    pub(super) fn apply(self, hidden: Tensor<3>, mask: Tensor<3>) -> Tensor<2> {
        // Of a text without any token, nothing is divided by zero.
        let count = || mask.clone().sum_dim(1).clamp_min(1e-9);
        match self {
            Self::Cls => first(hidden, mask),
            Self::Max => (hidden + (mask - 1.0) * 1e9).max_dim(1).squeeze_dim(1),
            Self::Mean => ((hidden * mask.clone()).sum_dim(1) / count()).squeeze_dim(1),
            Self::MeanSqrtLength => ((hidden * mask.clone()).sum_dim(1) / count().sqrt()).squeeze_dim(1),
        }
    }
}

/// Each row divided by its Euclidean norm.
pub(super) fn normalize(rows: Tensor<2>) -> Tensor<2> {
    let length = (rows.clone() * rows.clone()).sum_dim(1).sqrt().clamp_min(1e-12);
    rows / length
}
