//! BERT for question answering in Burn.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device};
use models::bert::{BertConfig, BertForQuestionAnswering, TokenBatch};
use models::weights::Checkpoint;

use super::{ToF64, engine_name, output, whole_on};
use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::question_answering::{INPUTS, OUTPUTS, signature};
use crate::tensor::{Elements, NamedTensor};
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
        let config = BertConfig::read(&folder.join("config.json")).map_err(|error| EngineError::Load {
            engine: engine_name(DType::F32).to_owned(),
            path: folder.to_owned(),
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

    /// The token ids of the inputs, checked against the configuration.
    fn batch(&self, inputs: &[NamedTensor]) -> Result<TokenBatch, EngineError> {
        let engine = engine_name(self.precision);
        let refused = |name: &str, reason: String| EngineError::Input {
            engine: engine.to_owned(),
            name: name.to_owned(),
            reason,
        };
        let mut sequence = 0;
        let mut lists = Vec::new();
        for name in INPUTS {
            let input = inputs.iter().find(|input| input.name == name);
            let input = input.ok_or_else(|| refused(name, "it is missing".to_owned()))?;
            let (&[_, length], Elements::I64(ids)) = (input.tensor.shape(), input.tensor.elements()) else {
                let (kind, shape) = (input.tensor.elements().element_type(), input.tensor.shape());
                return Err(refused(name, format!("it is {kind} {shape:?} instead of int64 [batch, sequence]")));
            };
            sequence = length;
            lists.push(ids.clone());
        }
        let [ids, mask, types] = <[Vec<i64>; 3]>::try_from(lists).unwrap_or_default();
        TokenBatch::new(ids, mask, types, sequence, &self.config).map_err(|error| refused(INPUTS[0], error.to_string()))
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
        let [ids, mask, types] = self.batch(inputs)?.to_tensors(&self.device);
        let (start, end) = self.network.forward(ids, mask, types);
        let [start_name, end_name] = OUTPUTS;
        Ok(vec![output(engine, start_name, start)?, output(engine, end_name, end)?])
    }

    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(whole_on(&self.device))
    }
}
