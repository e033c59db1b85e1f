//! Encoders in candle-transformers: hidden states of the families that it has, and the labels of XLM-RoBERTa.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device as BurnDevice, TensorData};
use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor as CandleTensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Activation, Init, VarBuilder};
use candle_transformers::models::bert::BertModel;
use candle_transformers::models::modernbert::{Config as ModernBertConfig, ModernBert};
use candle_transformers::models::xlm_roberta::{
    Config as XlmRobertaConfig, XLMRobertaForSequenceClassification, XLMRobertaModel,
};
use engines::engine::{Engine, EngineError, Placement, Signature};
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::Weights;
use models::bert::{BertConfig, HiddenAct};
use models::encoder::{Encoder, EncoderConfig, EncoderTask, Family};
use models::weights::Checkpoint;
use networks::network::Network;
use networks::texts::{signature, token_batch};

use crate::{NAME, on_the_processor, translated};

/// An encoder on candle's CPU backend, in float32.
pub struct CandleEncoder {
    network: Candle,
    config: EncoderConfig,
    signature: Signature,
}

/// What candle-transformers has.
enum Candle {
    Bert(BertModel),
    Roberta(XLMRobertaModel),
    RobertaTexts(XLMRobertaForSequenceClassification),
    ModernBert(ModernBert),
}

impl CandleEncoder {
    /// The encoder that the configuration in the folder describes, for its task, with weights from a file or folder, or random ones.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, candle-transformers has no such encoder, or one that gives other values
    /// where a text is padded, which an evaluation compares as well.
    pub fn open(folder: &Path, weights: &Weights) -> Result<Self, EngineError> {
        let config = <Encoder as Network>::config(Some(folder), None)?;
        let engine = Self::load(config, weights)?;
        match engine.network {
            Candle::Roberta(_) | Candle::RobertaTexts(_) => Ok(engine),
            Candle::Bert(_) | Candle::ModernBert(_) => Err(EngineError::Worker {
                engine: NAME.to_owned(),
                reason: format!(
                    "candle-transformers gives other hidden states of {} where a text is padded; it can be evaluated with roberta, \
                     xlm-roberta and camembert",
                    engine.config.family.model_type()
                ),
            }),
        }
    }

    /// The encoder of a configuration.
    ///
    /// # Errors
    /// When weights cannot be loaded, or candle-transformers has no such encoder.
    pub fn load(config: EncoderConfig, weights: &Weights) -> Result<Self, EngineError> {
        let failed = |reason: String| EngineError::Worker { engine: NAME.to_owned(), reason };
        let device = BurnDevice::flex();
        // Burn reads the weights, so that candle gets them under the names of today, however old the file is.
        let state = match weights {
            Weights::Random(seed) => Encoder::random(&config, *seed, &device).state_dict(),
            Weights::At(path) => {
                let checkpoint = Checkpoint::open(path).map_err(EngineError::weights)?;
                <Encoder as Network>::load(&config, &checkpoint, &device).map_err(EngineError::weights)?.0.state_dict()
            }
        };
        let tensors = VarBuilder::from_backend(Box::new(State(state)), DType::F32, Device::Cpu);
        let network = network(&config, tensors).map_err(failed)?;
        Ok(Self { network, signature: signature(&config), config })
    }
}

/// The network of candle-transformers that computes what `config` says, or what it has in its place.
fn network(config: &EncoderConfig, tensors: VarBuilder<'_>) -> Result<Candle, String> {
    let lacks = |what: String| {
        format!(
            "candle-transformers has no such encoder ({what}); it has the hidden states of bert, roberta, xlm-roberta, camembert and \
             modernbert, and text-classification for the three in the middle"
        )
    };
    let candle = |error: candle_core::Error| error.to_string();
    let (family, task) = (config.family, config.task);
    match (family, task) {
        (Family::Bert, EncoderTask::FeatureExtraction) => {
            let as_bert = translated(&as_bert(config))?;
            BertModel::load(tensors.pp("bert"), &as_bert).map(Candle::Bert).map_err(candle)
        }
        (Family::Roberta | Family::XlmRoberta | Family::Camembert, task) => {
            let as_roberta = as_roberta(config)?;
            match task {
                EncoderTask::FeatureExtraction => {
                    XLMRobertaModel::new(&as_roberta, tensors.pp("roberta")).map(Candle::Roberta)
                }
                EncoderTask::TextClassification => {
                    XLMRobertaForSequenceClassification::new(config.labels.len(), &as_roberta, tensors)
                        .map(Candle::RobertaTexts)
                }
                _ => return Err(lacks(format!("{} for {}", family.model_type(), task.name()))),
            }
            .map_err(candle)
        }
        (Family::ModernBert, EncoderTask::FeatureExtraction) => {
            let as_modern = as_modern(config).map_err(lacks)?;
            ModernBert::load(tensors, &as_modern).map(Candle::ModernBert).map_err(candle)
        }
        // It has two more that compute something else (0.11): DistilBERT takes GELU by tanh, and the logits of XLM-RoBERTa over the
        // vocabulary lack their bias.
        _ => Err(lacks(format!("{} for {}", family.model_type(), task.name()))),
    }
}

/// What [`translated`] reads.
fn as_bert(config: &EncoderConfig) -> BertConfig {
    BertConfig {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        intermediate_size: config.intermediate_size,
        hidden_act: config.hidden_act,
        max_position_embeddings: config.max_position_embeddings,
        type_vocab_size: config.type_vocab_size,
        layer_norm_eps: config.layer_norm_eps,
        initializer_range: config.initializer_range,
        pad_token_id: config.pad_token_id,
    }
}

fn as_roberta(config: &EncoderConfig) -> Result<XlmRobertaConfig, String> {
    let hidden_act = match config.hidden_act {
        HiddenAct::Gelu => Activation::Gelu,
        HiddenAct::GeluTanh => Activation::NewGelu,
        HiddenAct::Relu => Activation::Relu,
        HiddenAct::Silu => Activation::Silu,
        other => return Err(format!("candle-transformers has no such encoder with the activation {other:?}")),
    };
    Ok(XlmRobertaConfig {
        hidden_size: config.hidden_size,
        layer_norm_eps: config.layer_norm_eps,
        attention_probs_dropout_prob: 0.0,
        hidden_dropout_prob: 0.0,
        num_attention_heads: config.num_attention_heads,
        position_embedding_type: "absolute".to_owned(),
        intermediate_size: config.intermediate_size,
        hidden_act,
        num_hidden_layers: config.num_hidden_layers,
        vocab_size: config.vocab_size,
        max_position_embeddings: config.max_position_embeddings,
        type_vocab_size: config.type_vocab_size.max(1),
        pad_token_id: u32::try_from(config.pad_token_id).map_err(|_| "the padding has a negative id".to_owned())?,
    })
}

fn as_modern(config: &EncoderConfig) -> Result<ModernBertConfig, String> {
    let settings = config.modern.as_ref().ok_or("a modernbert without its settings")?;
    let every = (1..=settings.local.len())
        .find(|every| settings.local.iter().enumerate().all(|(index, local)| *local == (index % every != 0)))
        .ok_or("modernbert with this order of local and global layers")?;
    if settings.norm_bias || settings.attention_bias || settings.mlp_bias || config.hidden_act != HiddenAct::Gelu {
        return Err("modernbert with biases, or with another activation than GELU".to_owned());
    }
    Ok(ModernBertConfig {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        intermediate_size: config.intermediate_size,
        max_position_embeddings: config.max_position_embeddings,
        layer_norm_eps: config.layer_norm_eps,
        pad_token_id: u32::try_from(config.pad_token_id).map_err(|_| "a padding with a negative id")?,
        global_attn_every_n_layers: every,
        global_rope_theta: settings.global_theta,
        local_attention: 2 * settings.window,
        local_rope_theta: settings.local_theta,
        classifier_config: None,
    })
}

/// Parameters by their names.
struct State(BTreeMap<String, TensorData>);

impl SimpleBackend for State {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> CandleResult<CandleTensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        match tensor.shape() == &shape {
            true => Ok(tensor),
            false => candle_core::bail!("{name} has the shape {:?} instead of {shape:?}", tensor.shape()),
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> CandleResult<CandleTensor> {
        let Some(data) = self.0.get(name) else { candle_core::bail!("there is no tensor {name}") };
        let values = data.as_slice::<f32>().map_err(|error| candle_core::Error::Msg(format!("{name}: {error:?}")))?;
        CandleTensor::from_slice(values, data.shape().to_vec(), device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Moves the padding of each text behind it: candle tells the label from what stands first, which must be the text's first token.
fn padded_right(lists: &mut BTreeMap<&str, Vec<i64>>, sequence: usize) {
    let first = |mask: &[i64]| mask.iter().position(|&real| real != 0).unwrap_or_default();
    let mask = lists.get("attention_mask").map(Vec::as_slice).unwrap_or_default();
    let padding: Vec<usize> = mask.chunks_exact(sequence).map(first).collect();
    for ids in lists.values_mut() {
        for (ids, &padding) in ids.chunks_exact_mut(sequence).zip(&padding) {
            ids.rotate_left(padding);
        }
    }
}

impl Engine for CandleEncoder {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let failed = |reason: String| EngineError::Run { engine: NAME.to_owned(), reason };
        let batch = token_batch(inputs, &self.config)?;
        let shape = (batch.batch(), batch.sequence());
        let mut lists: BTreeMap<&str, Vec<i64>> =
            batch.lists(&self.config).map(|(name, ids)| (name, ids.to_vec())).collect();
        if let Candle::RobertaTexts(_) = self.network {
            padded_right(&mut lists, batch.sequence());
        }
        let run = || {
            let tensor = |name: &str| match lists.get(name) {
                Some(ids) => CandleTensor::from_slice(ids, shape, &Device::Cpu),
                None => CandleTensor::zeros(shape, DType::I64, &Device::Cpu),
            };
            let [ids, mask, types] = [tensor("input_ids")?, tensor("attention_mask")?, tensor("token_type_ids")?];
            match &self.network {
                Candle::Bert(network) => network.forward(&ids, &types, Some(&mask)),
                Candle::Roberta(network) => network.forward(&ids, &mask, &types, None, None, None),
                Candle::RobertaTexts(network) => network.forward(&ids, &mask, &types),
                Candle::ModernBert(network) => network.forward(&ids, &mask),
            }
        };
        let values =
            |output: CandleTensor| CandleResult::Ok((output.dims().to_vec(), output.flatten_all()?.to_vec1()?));
        let (shape, values): (Vec<usize>, Vec<f32>) =
            run().and_then(values).map_err(|error| failed(error.to_string()))?;
        let tensor = Tensor::new(shape, values).map_err(|error| failed(error.to_string()))?;
        let names = self.config.task.outputs().iter();
        Ok(names.take(1).map(|name| NamedTensor::new(*name, tensor.clone())).collect())
    }

    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(on_the_processor())
    }
}
