//! BERT for question answering in Burn.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device};
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::weights::Checkpoint;

use super::{ToF64, engine_name, output, whole_on};
use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::question_answering::{OUTPUTS, signature, token_batch};
use crate::tensor::NamedTensor;
use crate::worker::Weights;

/// BERT for question answering on Burn's CPU backend.
pub struct BurnBert {
    network: BertForQuestionAnswering,
    config: BertConfig,
    device: Device,
    precision: DType,
    signature: Signature,
}

impl BurnBert {
    /// The network that the configuration in `folder` describes, with weights from a file or folder, or random ones.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn open(folder: &Path, weights: &Weights) -> Result<Self, EngineError> {
        let device = Device::flex();
        let config = BertConfig::read(&folder.join("config.json")).map_err(|error| EngineError::Worker {
            engine: engine_name(DType::F32).to_owned(),
            reason: cli::failure::sentence(&error),
        })?;
        let network = match weights {
            Weights::Random(seed) => BertForQuestionAnswering::random(&config, *seed, &device),
            Weights::At(path) => BertForQuestionAnswering::load(&config, Checkpoint::open(path)?, &device)?.0,
        };
        Ok(Self::new(network, config, device))
    }

    /// The network as it is; `device` is the network's.
    pub fn new(network: BertForQuestionAnswering, config: BertConfig, device: Device) -> Self {
        Self { network, config, device, precision: DType::F32, signature: signature() }
    }

    /// The same weights, with all arithmetic in float64.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { network: self.network.map(&mut ToF64), precision: DType::F64, ..self }
    }
}

impl Engine for BurnBert {
    fn name(&self) -> &str {
        engine_name(self.precision)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let engine = engine_name(self.precision);
        let [ids, mask, types] = token_batch(engine, inputs, &self.config)?.to_tensors(&self.device);
        let (start, end) = self.network.forward(ids, mask, types);
        let [start_name, end_name] = OUTPUTS;
        Ok(vec![output(engine, start_name, start)?, output(engine, end_name, end)?])
    }

    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(whole_on(&self.device))
    }
}
