//! BERT for question answering, and encoders, in candle-transformers: an implementation by others, to judge Burn's and the files by.

mod encoder;

use std::path::Path;

use burn::tensor::Device as BurnDevice;
use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor as CandleTensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, Linear, Module, VarBuilder, linear};
use candle_transformers::models::bert::{BertModel, Config, HiddenAct, PositionEmbeddingType};
use models::bert::{self, BertConfig, BertForQuestionAnswering};
use models::weights::Checkpoint;

use engines::engine::{Engine, EngineError, Placement, PlacementPart, Signature};
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::Weights;
use networks::questions::{OUTPUTS, signature, token_batch};

pub use self::encoder::CandleEncoder;

/// The engine's name.
pub const NAME: &str = "candle";

/// BERT for question answering on candle's CPU backend, in float32.
pub struct CandleBert {
    encoder: BertModel,
    qa_outputs: Linear,
    config: BertConfig,
    signature: Signature,
}

impl CandleBert {
    /// The network that the configuration in the folder describes, with weights from a file or folder, or random ones.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, or candle-transformers lacks the network's activation.
    pub fn open(folder: &Path, weights: &Weights) -> Result<Self, EngineError> {
        let path = folder.join("config.json");
        let config = BertConfig::read(&path).map_err(|error| EngineError::Worker {
            engine: NAME.to_owned(),
            reason: terminal::failure::sentence(&error),
        })?;
        Self::load(config, weights)
    }

    /// The network of a configuration.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn load(config: BertConfig, weights: &Weights) -> Result<Self, EngineError> {
        // Only the names and shapes of the parameters are asked of Burn.
        let device = BurnDevice::flex();
        let checkpoint = match weights {
            Weights::Random(seed) => BertForQuestionAnswering::random_weights(&config, *seed, &device),
            Weights::At(path) => {
                let checkpoint = Checkpoint::open(path).map_err(EngineError::weights)?;
                BertForQuestionAnswering::fitting(&config, checkpoint, &device).map_err(EngineError::weights)?.0
            }
        };
        let path = checkpoint.path().to_owned();
        let failed = |reason: String| EngineError::Load { engine: NAME.to_owned(), path: path.clone(), reason };
        let candle_config = translated(&config).map_err(failed)?;
        let tensors = VarBuilder::from_backend(Box::new(Tensors(checkpoint)), DType::F32, Device::Cpu);
        let loaded = BertModel::load(tensors.pp("bert"), &candle_config).and_then(|encoder| {
            let qa_outputs = linear(config.hidden_size, 2, tensors.pp("qa_outputs"))?;
            Ok((encoder, qa_outputs))
        });
        let (encoder, qa_outputs) = loaded.map_err(|error| failed(error.to_string()))?;
        Ok(Self { encoder, qa_outputs, config, signature: signature() })
    }

    /// Start and end logits, row by row.
    fn logits(&self, [ids, mask, types]: [&[i64]; 3], shape: [usize; 2]) -> CandleResult<[Vec<f32>; 2]> {
        let [rows, columns] = shape;
        let tensor = |ids: &[i64]| CandleTensor::from_slice(ids, (rows, columns), &Device::Cpu);
        let hidden = self.encoder.forward(&tensor(ids)?, &tensor(types)?, Some(&tensor(mask)?))?;
        let logits = self.qa_outputs.forward(&hidden)?;
        let column = |index: usize| logits.narrow(2, index, 1)?.flatten_all()?.to_vec1();
        Ok([column(0)?, column(1)?])
    }
}

/// The configuration in candle's words.
fn translated(config: &BertConfig) -> Result<Config, String> {
    let hidden_act = match config.hidden_act {
        bert::HiddenAct::Gelu => HiddenAct::Gelu,
        bert::HiddenAct::GeluTanh => HiddenAct::GeluApproximate,
        bert::HiddenAct::Relu => HiddenAct::Relu,
        other => return Err(format!("candle-transformers has no BERT with the activation {other:?}")),
    };
    Ok(Config {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        intermediate_size: config.intermediate_size,
        hidden_act,
        hidden_dropout_prob: 0.0,
        max_position_embeddings: config.max_position_embeddings,
        type_vocab_size: config.type_vocab_size,
        initializer_range: config.initializer_range,
        layer_norm_eps: config.layer_norm_eps,
        pad_token_id: usize::try_from(config.pad_token_id).unwrap_or_default(),
        position_embedding_type: PositionEmbeddingType::Absolute,
        use_cache: false,
        classifier_dropout: None,
        model_type: None,
    })
}

/// Tensors of a checkpoint, each read when candle asks for it.
struct Tensors(Checkpoint);

impl SimpleBackend for Tensors {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> CandleResult<CandleTensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        match tensor.shape() == &shape {
            true => Ok(tensor),
            false => candle_core::bail!("{name} has the shape {:?} instead of {shape:?}", tensor.shape()),
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> CandleResult<CandleTensor> {
        let Some(stored) = self.0.tensors().get(name) else { candle_core::bail!("there is no tensor {name}") };
        let data = stored.to_f32(name).map_err(candle_core::Error::wrap)?;
        let values = data.as_slice::<f32>().map_err(|error| candle_core::Error::Msg(format!("{name}: {error:?}")))?;
        CandleTensor::from_slice(values, stored.shape.as_slice(), device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.tensors().contains_key(name)
    }
}

impl Engine for CandleBert {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let failed = |reason: String| EngineError::Run { engine: NAME.to_owned(), reason };
        let batch = token_batch(NAME, inputs, &self.config)?;
        let shape = [batch.batch(), batch.sequence()];
        let ids = [batch.input_ids(), batch.attention_mask(), batch.token_type_ids()];
        let logits = self.logits(ids, shape).map_err(|error| failed(error.to_string()))?;
        let named = |(name, values): (&str, Vec<f32>)| {
            let tensor = Tensor::new(shape, values).map_err(|error| failed(error.to_string()))?;
            Ok(NamedTensor::new(name, tensor))
        };
        OUTPUTS.into_iter().zip(logits).map(named).collect()
    }

    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(on_the_processor())
    }
}

/// All of a network on candle's CPU backend.
fn on_the_processor() -> Placement {
    let part = PlacementPart {
        provider: format!("{:?}", Device::Cpu),
        nodes: 0,
        node_share: 1.0,
        time_share: 1.0,
        node_names: Vec::new(),
    };
    Placement { parts: vec![part], integers: None }
}
