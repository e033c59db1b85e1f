//! BERT for question answering.

use std::path::Path;

use burn::tensor::{DType, Device, Int, Tensor};
use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter};
use engines::engine::{EngineError, Signature};
use engines::tensor::NamedTensor;
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::question_answering::QaTokenizer;
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::engine::output;
use crate::network::{Case, Network};
use crate::questions::random::random;
use crate::questions::task::unsuitable;
use crate::questions::{INPUTS, OUTPUTS, inputs, signature, token_batch};

/// Sequences at a time and tokens in each, with every axis at one, two and a prime while the other is small; the longest
/// sequence is added.
const SWEEP: [(usize, usize); 6] = [(1, 1), (1, 2), (1, 17), (2, 16), (7, 16), (3, 61)];

impl Network for BertForQuestionAnswering {
    type Config = BertConfig;

    const GRAPH: &'static str = "bert_qa";
    const WHAT: &'static str = "a BERT for question answering";

    fn config(folder: Option<&Path>, _weights: Option<&Path>) -> Result<BertConfig, EngineError> {
        BertConfig::read(&folder.unwrap_or(Path::new("")).join("config.json")).map_err(EngineError::weights)
    }

    /// BERT-large without a file.
    fn config_or_published(file: Option<&Path>) -> Result<BertConfig, EngineError> {
        file.map_or_else(|| Ok(BertConfig::default()), |file| BertConfig::read(file).map_err(EngineError::weights))
    }

    fn notes(folder: &Path) -> Vec<String> {
        let unusable = QaTokenizer::open(folder).err();
        unusable.map(|error| format!("the network is exported, but it cannot be asked: {error}")).into_iter().collect()
    }

    fn parameters(config: &BertConfig, _device: &Device) -> u64 {
        config.parameters()
    }

    fn load(config: &BertConfig, checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        Self::load(config, checkpoint.clone(), device)
    }

    fn random(config: &BertConfig, seed: u64, device: &Device) -> Self {
        Self::random(config, seed, device)
    }

    fn signature(_config: &BertConfig) -> Signature {
        signature()
    }

    fn run(
        &self,
        config: &BertConfig,
        inputs: &[NamedTensor],
        device: &Device,
        _precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        let [ids, mask, types] = token_batch("burn", inputs, config)?.to_tensors(device);
        let (start, end) = self.forward(ids, mask, types);
        let [start_name, end_name] = OUTPUTS;
        Ok(vec![output(start_name, start)?, output(end_name, end)?])
    }

    /// Three int64 inputs and two float outputs, all `[batch, sequence]`.
    fn export(&self, config: &BertConfig, mut exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        type Ids = Tensor<2, Int>;
        let sequence = Axis::dynamic("sequence").range(1..=config.max_position_embeddings);
        for input in INPUTS {
            exporter = exporter.input(input, [Axis::dynamic("batch"), sequence.clone()]);
        }
        for output in OUTPUTS {
            exporter = exporter.output(output);
        }
        exporter.export(self, |network, (ids, mask, types): (Ids, Ids, Ids)| network.forward(ids, mask, types))
    }

    /// Random tokens: from one to as many as the network has positions, alone and in batches with padding.
    fn cases(config: &BertConfig) -> Result<Vec<Case>, EngineError> {
        let longest = config.max_position_embeddings;
        let mut sizes: Vec<(usize, usize)> = SWEEP.map(|(batch, length)| (batch, length.min(longest))).to_vec();
        sizes.push((1, longest));
        sizes.dedup();
        let case = |(batch, length)| {
            Ok((
                format!("{batch} x {length} tokens"),
                inputs(&random(config, batch, length, true).map_err(unsuitable)?)?,
            ))
        };
        sizes.into_iter().map(case).collect()
    }
}
