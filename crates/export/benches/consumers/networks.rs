//! The files, their inputs, and what Burn makes of these.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use burn_export::{OnnxExporter, Opset};
use engines::engine::Engine;
use engines::tensor::{NamedTensor, Tensor};
use evaluation::random::uniform;
use models::bert::BertConfig;
use models::mnist_cnn::CLASSES;
use models::weights::Checkpoint;
use networks::engine::BurnEngine;
use networks::network::Network as Declared;
use networks::questions::INPUTS;
use networks::{BertForQuestionAnswering, EfficientNetLite0, MnistCnn};

use crate::exchange;

/// The opsets: the oldest, and those at which shapes are read in other ways.
pub(crate) const OPSETS: [i64; 3] = [11, 13, 17];

/// A network with its cases.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    /// What it is, for the document.
    pub(crate) about: String,
    pub(crate) cases: Vec<Case>,
    /// The file that names the inputs of all cases.
    pub(crate) manifest: PathBuf,
}

/// Inputs, and what Burn makes of them in float32.
pub(crate) struct Case {
    pub(crate) label: String,
    pub(crate) inputs: Vec<NamedTensor>,
    pub(crate) expected: Vec<NamedTensor>,
}

/// A file.
pub(crate) struct Exported {
    pub(crate) opset: i64,
    pub(crate) path: PathBuf,
}

/// Writes every network at every opset into `folder`, with its cases.
pub(crate) fn export(root: &Path, folder: &Path) -> Result<Vec<(Network, Vec<Exported>)>> {
    let device = Device::flex();
    let images = |channels: usize, size: usize| -> Result<Vec<(String, Vec<NamedTensor>)>> {
        let case = |batch: usize| {
            let pixels = uniform(batch as u64, batch * channels * size * size, -1.0, 1.0);
            let images = Tensor::new([batch, channels, size, size], pixels)?;
            Ok((format!("batch {batch}"), vec![NamedTensor::new("input", images)]))
        };
        [1, 3].map(case).into_iter().collect()
    };
    let trained = root.join("artifacts/mnist/model.safetensors");
    let (digits, about) = match trained.is_file() {
        true => (MnistCnn::load(&Checkpoint::open(&trained)?, &device)?.0, "trained here"),
        false => (MnistCnn::random(1, &device), "random weights"),
    };
    let published = root.join("datasets/efficientnet-lite0/efficientnet-lite0-57934424.pth");
    let (pictures, _) = EfficientNetLite0::load(&Checkpoint::open(&published)?, &device)?;
    let shape = BertConfig {
        vocab_size: 1000,
        hidden_size: 128,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 512,
        max_position_embeddings: 64,
        ..BertConfig::base()
    };
    let questions = <BertForQuestionAnswering as Declared>::random(&shape, 1, &device);
    Ok(vec![
        of(("mnist", format!("the MNIST CNN, {about}")), digits, CLASSES, images(1, 28)?, folder)?,
        of(
            ("efficientnet-lite0", "EfficientNet-Lite0 with its published weights".to_owned()),
            pictures,
            (),
            images(3, 224)?,
            folder,
        )?,
        of(
            ("bert", "a BERT for question answering of two layers, 128 wide, random weights".to_owned()),
            questions,
            shape,
            vec![texts(1, 16)?, texts(3, 9)?],
            folder,
        )?,
    ])
}

/// Texts of random tokens, every second of which ends with padding.
fn texts(batch: usize, length: usize) -> Result<(String, Vec<NamedTensor>)> {
    let count = batch * length;
    let ids: Vec<i64> = uniform(count as u64, count, 0.0, 1000.0).into_iter().map(|id| id as i64).collect();
    let padded = |place: usize| (place / length) % 2 == 1 && place % length >= length / 2;
    let mask: Vec<i64> = (0..count).map(|place| i64::from(!padded(place))).collect();
    let kinds: Vec<i64> = (0..count).map(|place| i64::from(place % length > 4)).collect();
    let named =
        |(name, elements): (&str, Vec<i64>)| Ok(NamedTensor::new(name, Tensor::new([batch, length], elements)?));
    let inputs = INPUTS.into_iter().zip([ids, mask, kinds]).map(named).collect::<Result<_>>()?;
    Ok((format!("batch {batch}, {length} tokens"), inputs))
}

fn of<N: Declared>(
    (name, about): (&'static str, String),
    network: N,
    config: N::Config,
    cases: Vec<(String, Vec<NamedTensor>)>,
    folder: &Path,
) -> Result<(Network, Vec<Exported>)> {
    let mut files = Vec::new();
    for opset in OPSETS {
        let path = folder.join(format!("{name}-{opset}.onnx"));
        let exporter = OnnxExporter::new().opset(Opset::try_from(opset)?).graph_name(N::GRAPH);
        network.export(&config, exporter)?.save(&path)?;
        files.push(Exported { opset, path });
    }
    let mut engine = BurnEngine::new(network, config, Device::flex());
    let mut computed = |(label, inputs): (String, Vec<NamedTensor>)| {
        let expected = engine.run(&inputs)?;
        Ok(Case { label, inputs, expected })
    };
    let cases = cases.into_iter().map(&mut computed).collect::<Result<Vec<Case>>>()?;
    let manifest = exchange::write_inputs(&folder.join(name), &cases)?;
    Ok((Network { name, about, cases, manifest }, files))
}
