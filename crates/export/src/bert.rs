//! BERT for question answering.

use std::path::Path;

use anyhow::{Error, Result, anyhow, bail};
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use cli::failure::advised;
use infer::burn_network::BurnBert;
use infer::fingerprint::Machine;
use infer::question_answering::evaluate::random;
use infer::question_answering::{INPUTS, OUTPUTS, check_signature, inputs};
use infer::session::Session;
use infer::tensor::NamedTensor;
use infer::verify::Expected;
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::question_answering::QaTokenizer;
use models::weights::{Checkpoint, WeightsError};
use onnx_model::Model;

use crate::Metadata;
use crate::network::Network;
use crate::source::Source;

/// How often the weights in float32 fit into what an export holds at its peak, with the verification in float64.
const COPIES: f64 = 3.0;

/// A network with its configuration.
pub struct Bert {
    /// The network.
    pub network: BertForQuestionAnswering,
    /// Its sizes.
    pub config: BertConfig,
}

/// How to get weights.
const WAYS: &str = "no usable BERT for question answering (`cargo xtask fetch bert-qa` gets one from its public home; otherwise \
                    name a Hugging Face folder with --hf-dir FOLDER --task question-answering, or its weights with --weights \
                    PATH, or take --random-init SEED)";

/// What a Hugging Face folder holds besides the weights.
const FILES: [&str; 4] = ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];

/// The network of a Hugging Face folder, or of a weight file beside its `config.json`.
pub fn load(path: &Path, revision: Option<&str>) -> Result<(Bert, Source)> {
    let folder = if path.is_file() { path.parent().unwrap_or(Path::new("")) } else { path };
    let config_path = folder.join("config.json");
    let config = BertConfig::read(&config_path).map_err(|error| anyhow!(advised(&error, &config_path, WAYS)))?;
    let checkpoint = Checkpoint::open(path).map_err(|error| match error {
        absent @ WeightsError::NoWeights { .. } => Error::new(absent).context(WAYS),
        other => other.into(),
    })?;
    let (network, report) = BertForQuestionAnswering::load(&config, checkpoint.clone(), &Device::flex())?;
    let mut source = Source::checkpoint(&checkpoint, &report, revision)?;
    source.files.extend(FILES.map(|name| folder.join(name)));
    if let Err(error) = QaTokenizer::open(folder) {
        source.notes.push(format!("the network is exported, but it cannot be asked: {error}"));
    }
    Ok((Bert { network, config }, source))
}

/// A network of the shape in `config`, or of BERT-large's, with weights from a seed.
pub fn seeded(config: Option<&Path>, seed: u64, revision: Option<&str>) -> Result<(Bert, Source)> {
    let config = config.map_or_else(|| Ok(BertConfig::large()), BertConfig::read)?;
    require_room(&config)?;
    let network = BertForQuestionAnswering::random(&config, seed, &Device::flex());
    Ok((Bert { network, config }, Source::random(seed, revision)))
}

/// Refuses a shape whose export would not fit in the memory of this machine.
fn require_room(config: &BertConfig) -> Result<()> {
    const GIBIBYTE: f64 = (1 << 30) as f64;
    let parameters = config.parameters();
    let (needed, memory) = (COPIES * 4.0 * parameters as f64, Machine::this().memory);
    match memory {
        Some(memory) if needed > memory as f64 => bail!(
            "a network of this shape has {} million parameters; to export it takes {:.0} GiB, and there are {:.0} GiB",
            parameters / 1_000_000,
            needed / GIBIBYTE,
            memory as f64 / GIBIBYTE
        ),
        _ => Ok(()),
    }
}

impl Network for Bert {
    const NAME: &'static str = "bert-qa";

    /// Three int64 inputs and two float outputs, all `[batch, sequence]`.
    fn export(&self, opset: Opset, metadata: &Metadata) -> Result<Model> {
        let sequence = Axis::dynamic("sequence").range(1..=self.config.max_position_embeddings);
        let mut exporter = OnnxExporter::new().opset(opset).graph_name("bert_qa");
        for input in INPUTS {
            exporter = exporter.input(input, [Axis::dynamic("batch"), sequence.clone()]);
        }
        for output in OUTPUTS {
            exporter = exporter.output(output);
        }
        for (key, value) in metadata {
            exporter = exporter.metadata(key, value);
        }
        type Ids = Tensor<2, Int>;
        let forward =
            |network: &BertForQuestionAnswering, (ids, mask, types): (Ids, Ids, Ids)| network.forward(ids, mask, types);
        Ok(exporter.export(&self.network, forward)?.into_model())
    }

    /// On random tokens: from one to as many as the network has positions, alone and in batches with padding.
    fn expected(self, progress: &mut dyn FnMut(f64)) -> Result<Expected> {
        let cases = cases(&self.config)?;
        let mut native = BurnBert::new(self.network.clone(), self.config.clone(), Device::flex());
        let mut exact = BurnBert::new(self.network, self.config, Device::flex()).exact();
        Ok(Expected::of(&mut native, &mut exact, cases, progress)?)
    }

    fn check_signature(session: &Session, path: &Path) -> Result<()> {
        Ok(check_signature(session, path)?)
    }
}

fn cases(config: &BertConfig) -> Result<Vec<(String, Vec<NamedTensor>)>> {
    let longest = config.max_position_embeddings;
    let sizes = [(1, 1), (2, 17.min(longest)), (3, 61.min(longest)), (1, longest)];
    sizes
        .into_iter()
        .map(|(batch, length)| {
            let tokens = inputs(&random(config, batch, length, true)?)?;
            Ok((format!("batch {batch}, {length} tokens"), tokens))
        })
        .collect()
}
