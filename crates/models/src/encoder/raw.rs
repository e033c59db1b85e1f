//! `config.json` as it is, under the names of every family, and what of it is supported.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{AxisNames, EncoderConfig, EncoderError, EncoderTask, Family, ModernSettings, Problem, SentenceModules};
use crate::bert::HiddenAct;

/// What a `config.json` may say. What is absent has the default of its family.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawConfig {
    pub(super) model_type: Option<String>,
    pub(super) architectures: Option<Vec<String>>,
    pub(super) vocab_size: Option<usize>,
    pub(super) hidden_size: Option<usize>,
    pub(super) embedding_size: Option<usize>,
    pub(super) num_hidden_layers: Option<usize>,
    pub(super) num_attention_heads: Option<usize>,
    pub(super) intermediate_size: Option<usize>,
    pub(super) hidden_act: Option<String>,
    pub(super) max_position_embeddings: Option<usize>,
    pub(super) type_vocab_size: Option<usize>,
    pub(super) layer_norm_eps: Option<f64>,
    pub(super) initializer_range: Option<f64>,
    pub(super) pad_token_id: Option<i64>,
    pub(super) tie_word_embeddings: Option<bool>,
    pub(super) id2label: Option<BTreeMap<String, String>>,
    pub(super) num_labels: Option<usize>,
    pub(super) problem_type: Option<String>,
    // DistilBERT's names of sizes.
    pub(super) dim: Option<usize>,
    pub(super) n_layers: Option<usize>,
    pub(super) n_heads: Option<usize>,
    pub(super) hidden_dim: Option<usize>,
    pub(super) activation: Option<String>,
    // What is refused where it is not as usual.
    pub(super) position_embedding_type: Option<String>,
    pub(super) is_decoder: Option<bool>,
    pub(super) add_cross_attention: Option<bool>,
    pub(super) pruned_heads: Option<Map<String, Value>>,
    pub(super) quantization_config: Option<Value>,
    pub(super) relative_attention_num_buckets: Option<usize>,
    pub(super) num_hidden_groups: Option<usize>,
    pub(super) inner_group_num: Option<usize>,
    // ModernBERT's.
    pub(super) norm_eps: Option<f64>,
    pub(super) hidden_activation: Option<String>,
    pub(super) norm_bias: Option<bool>,
    pub(super) attention_bias: Option<bool>,
    pub(super) mlp_bias: Option<bool>,
    pub(super) classifier_bias: Option<bool>,
    pub(super) decoder_bias: Option<bool>,
    pub(super) classifier_activation: Option<String>,
    pub(super) classifier_pooling: Option<String>,
    pub(super) layer_types: Option<Vec<String>>,
    pub(super) global_attn_every_n_layers: Option<usize>,
    pub(super) local_attention: Option<usize>,
    pub(super) rope_parameters: Option<BTreeMap<String, Rope>>,
    pub(super) rope_scaling: Option<Value>,
    pub(super) global_rope_theta: Option<f64>,
    pub(super) local_rope_theta: Option<f64>,
}

/// How positions rotate.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Rope {
    pub(super) rope_type: Option<String>,
    pub(super) rope_theta: Option<f64>,
}

/// The defaults of a family in `transformers`.
pub(super) struct Defaults {
    pub(super) vocab: usize,
    pub(super) embedding: Option<usize>,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) intermediate: usize,
    pub(super) act: &'static str,
    pub(super) positions: usize,
    pub(super) types: usize,
    pub(super) eps: f64,
    pub(super) pad: i64,
}

impl Family {
    pub(super) fn defaults(self) -> Defaults {
        let bert = Defaults {
            vocab: 30_522,
            embedding: None,
            hidden: 768,
            layers: 12,
            heads: 12,
            intermediate: 3072,
            act: "gelu",
            positions: 512,
            types: 2,
            eps: 1e-12,
            pad: 0,
        };
        match self {
            Self::Bert => bert,
            Self::DistilBert => Defaults { layers: 6, types: 0, ..bert },
            Self::Roberta => Defaults { vocab: 50_265, pad: 1, ..bert },
            Self::XlmRoberta | Self::Camembert => Defaults { pad: 1, ..bert },
            Self::Electra => Defaults { embedding: Some(128), hidden: 256, heads: 4, intermediate: 1024, ..bert },
            Self::Mpnet => Defaults { vocab: 30_527, types: 0, pad: 1, ..bert },
            Self::Albert => Defaults {
                vocab: 30_000,
                embedding: Some(128),
                hidden: 4096,
                heads: 64,
                intermediate: 16_384,
                act: "gelu_new",
                ..bert
            },
            Self::ModernBert => Defaults {
                vocab: 50_368,
                layers: 22,
                intermediate: 1152,
                positions: 8192,
                types: 0,
                eps: 1e-5,
                pad: 50_283,
                ..bert
            },
        }
    }
}

impl RawConfig {
    pub(super) fn checked(self, family: Family, task: EncoderTask) -> Result<EncoderConfig, EncoderError> {
        self.refuse_variants(family)?;
        let usual = family.defaults();
        let hidden_size = self.hidden_size.or(self.dim).unwrap_or(usual.hidden);
        let layers = self.num_hidden_layers.or(self.n_layers).unwrap_or(usual.layers);
        let act = self.hidden_act.as_ref().or(self.activation.as_ref()).or(self.hidden_activation.as_ref());
        let eps = match family {
            Family::DistilBert => usual.eps,
            Family::ModernBert => self.norm_eps.unwrap_or(usual.eps),
            _ => self.layer_norm_eps.unwrap_or(usual.eps),
        };
        let has_types = usual.types > 0;
        let config = EncoderConfig {
            family,
            task,
            axes: AxisNames::default(),
            vocab_size: self.vocab_size.unwrap_or(usual.vocab),
            embedding_size: match usual.embedding {
                Some(usual) => self.embedding_size.unwrap_or(usual),
                None => hidden_size,
            },
            hidden_size,
            num_hidden_layers: layers,
            num_hidden_groups: match family {
                Family::Albert => self.num_hidden_groups.unwrap_or(1),
                _ => layers,
            },
            num_attention_heads: self.num_attention_heads.or(self.n_heads).unwrap_or(usual.heads),
            intermediate_size: self.intermediate_size.or(self.hidden_dim).unwrap_or(usual.intermediate),
            hidden_act: activation("hidden_act", act.map_or(usual.act, String::as_str))?,
            max_position_embeddings: self.max_position_embeddings.unwrap_or(usual.positions),
            type_vocab_size: if has_types { self.type_vocab_size.unwrap_or(usual.types) } else { 0 },
            layer_norm_eps: eps,
            initializer_range: self.initializer_range.unwrap_or(0.02),
            pad_token_id: self.pad_token_id.unwrap_or(usual.pad),
            tied: self.tie_word_embeddings.unwrap_or(true),
            labels: self.labels(),
            problem: self.problem()?,
            modern: match family {
                Family::ModernBert => Some(self.modern(layers)?),
                _ => None,
            },
            sentence: SentenceModules::default(),
        };
        config.require_sizes(has_types)?;
        Ok(config)
    }

    pub(super) fn labels(&self) -> Vec<String> {
        let mut named: Vec<(usize, String)> =
            self.id2label.iter().flatten().filter_map(|(id, label)| Some((id.parse().ok()?, label.clone()))).collect();
        named.sort();
        match named.is_empty() {
            true => (0..self.num_labels.unwrap_or(2)).map(|label| format!("LABEL_{label}")).collect(),
            false => named.into_iter().map(|(_, label)| label).collect(),
        }
    }

    fn problem(&self) -> Result<Problem, EncoderError> {
        match self.problem_type.as_deref() {
            // As the pipeline of transformers decides.
            None if self.labels().len() == 1 => Ok(Problem::MultiLabel),
            None | Some("single_label_classification") => Ok(Problem::SingleLabel),
            Some("multi_label_classification") => Ok(Problem::MultiLabel),
            Some("regression") => Ok(Problem::Regression),
            Some(other) => Err(EncoderError::unsupported(
                "problem_type",
                other,
                "single_label_classification, multi_label_classification, regression",
            )),
        }
    }

    fn modern(&self, layers: usize) -> Result<ModernSettings, EncoderError> {
        let usual = ModernSettings::usual(layers);
        let local = match &self.layer_types {
            Some(types) => types
                .iter()
                .map(|kind| match kind.as_str() {
                    "sliding_attention" => Ok(true),
                    "full_attention" => Ok(false),
                    other => Err(EncoderError::unsupported("layer_types", other, "full_attention, sliding_attention")),
                })
                .collect::<Result<Vec<bool>, _>>()?,
            None => {
                let every = self.global_attn_every_n_layers.unwrap_or(3).max(1);
                (0..layers).map(|layer| layer % every != 0).collect()
            }
        };
        if local.len() != layers {
            let reason = format!("layer_types names {} layers, and num_hidden_layers = {layers}", local.len());
            return Err(EncoderError::inconsistent(reason));
        }
        let theta = |kind: &str, older: Option<f64>, usual: f64| -> Result<f64, EncoderError> {
            let rope = self.rope_parameters.as_ref().and_then(|parameters| parameters.get(kind));
            match rope {
                Some(Rope { rope_type: Some(other), .. }) if other != "default" => {
                    Err(EncoderError::unsupported("rope_type", other, "default"))
                }
                rope => Ok(rope.and_then(|rope| rope.rope_theta).or(older).unwrap_or(usual)),
            }
        };
        if self.rope_scaling.as_ref().is_some_and(|scaling| !scaling.is_null()) {
            return Err(EncoderError::unsupported("rope_scaling", "some", "none"));
        }
        Ok(ModernSettings {
            local,
            window: self.local_attention.map_or(usual.window, |whole| whole / 2),
            global_theta: theta("full_attention", self.global_rope_theta, usual.global_theta)?,
            local_theta: theta("sliding_attention", self.local_rope_theta, usual.local_theta)?,
            norm_bias: self.norm_bias.unwrap_or(false),
            attention_bias: self.attention_bias.unwrap_or(false),
            mlp_bias: self.mlp_bias.unwrap_or(false),
            classifier_bias: self.classifier_bias.unwrap_or(false),
            decoder_bias: self.decoder_bias.unwrap_or(true),
            classifier_act: activation(
                "classifier_activation",
                self.classifier_activation.as_deref().unwrap_or("gelu"),
            )?,
            classifier_mean: match self.classifier_pooling.as_deref() {
                None | Some("cls") => false,
                Some("mean") => true,
                Some(other) => return Err(EncoderError::unsupported("classifier_pooling", other, "cls, mean")),
            },
        })
    }

    fn refuse_variants(&self, family: Family) -> Result<(), EncoderError> {
        let unsupported = |setting, found: &str, supported| Err(EncoderError::unsupported(setting, found, supported));
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return unsupported("position_embedding_type", other, "absolute"),
        }
        if self.is_decoder == Some(true) {
            return unsupported("is_decoder", "true", "false");
        }
        if self.add_cross_attention == Some(true) {
            return unsupported("add_cross_attention", "true", "false");
        }
        if self.pruned_heads.as_ref().is_some_and(|heads| !heads.is_empty()) {
            return unsupported("pruned_heads", "some", "none");
        }
        if self.quantization_config.as_ref().is_some_and(|config| !config.is_null()) {
            return unsupported("quantization_config", "some", "none");
        }
        match (family, self.relative_attention_num_buckets, self.inner_group_num) {
            (Family::Mpnet, Some(buckets), _) if buckets != super::rotary::BUCKETS => {
                Err(EncoderError::unsupported("relative_attention_num_buckets", buckets, "32"))
            }
            (Family::Albert, _, Some(inner)) if inner != 1 => {
                Err(EncoderError::unsupported("inner_group_num", inner, "1"))
            }
            _ => Ok(()),
        }
    }
}

/// The activation of a name of `transformers`.
pub(super) fn activation(setting: &'static str, name: &str) -> Result<HiddenAct, EncoderError> {
    Ok(match name {
        "gelu" | "gelu_python" => HiddenAct::Gelu,
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => HiddenAct::GeluTanh,
        "quick_gelu" => HiddenAct::QuickGelu,
        "relu" => HiddenAct::Relu,
        "silu" | "swish" => HiddenAct::Silu,
        "tanh" => HiddenAct::Tanh,
        other => {
            return Err(EncoderError::unsupported(
                setting,
                other,
                "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, quick_gelu, relu, silu, tanh",
            ));
        }
    })
}
