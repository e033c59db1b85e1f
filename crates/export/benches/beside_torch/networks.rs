//! The networks, with the weights that PyTorch wrote.

use std::path::Path;

use anyhow::Result;
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, ExportedModel, OnnxExporter, Opset};
use clap::ValueEnum;
use engines::tensor::{NamedTensor, Tensor as Values};
use evaluation::random::uniform;
use models::alexnet::AlexNet;
use models::bert::{BertConfig, BertForQuestionAnswering, Sequence, TokenBatch};
use models::mnist_cnn::MnistCnn;
use models::weights::Checkpoint;

/// Tokens of the question and its context, as in ordinary use.
const TOKENS: usize = 128;

/// A network that both sides export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// The network of PyTorch's MNIST example.
    Mnist,
    /// torchvision's AlexNet.
    Alexnet,
    /// A BERT for question answering of 6 layers, 384 wide, with 12 heads.
    BertQa,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mnist, Self::Alexnet, Self::BertQa];

    /// The name of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Alexnet => "alexnet",
            Self::BertQa => "bert-qa",
        }
    }

    /// Loads the weights in `folder` and exports the network.
    pub fn export(self, folder: &Path, opset: Opset) -> Result<ExportedModel> {
        let device = Device::flex();
        let image =
            |channels, size| [Axis::dynamic("batch"), Axis::fixed(channels), Axis::fixed(size), Axis::fixed(size)];
        let exporter = OnnxExporter::new().opset(opset);
        Ok(match self {
            Self::Mnist => {
                let (network, _) = MnistCnn::load(&Checkpoint::open(folder.join("mnist.safetensors"))?, &device)?;
                let exporter = exporter.input("input", image(1, 28)).output("output");
                exporter.export(&network, |network, images: Tensor<4>| network.forward(images))?
            }
            Self::Alexnet => {
                let (network, _) = AlexNet::load(&Checkpoint::open(folder.join("alexnet.safetensors"))?, &device)?;
                let exporter = exporter.input("input", image(3, 224)).output("output");
                exporter.export(&network, |network, images: Tensor<4>| network.forward(images))?
            }
            Self::BertQa => {
                let folder = folder.join("bert-qa");
                let config = BertConfig::read(&folder.join("config.json"))?;
                let (network, _) = BertForQuestionAnswering::load(&config, Checkpoint::open(&folder)?, &device)?;
                let axes =
                    || [Axis::dynamic("batch"), Axis::dynamic("sequence").range(1..=config.max_position_embeddings)];
                let inputs = networks::questions::INPUTS.into_iter();
                let exporter = inputs.fold(exporter, |exporter, input| exporter.input(input, axes()));
                let outputs = networks::questions::OUTPUTS.into_iter();
                let exporter = outputs.fold(exporter, OnnxExporter::output);
                type Ids = Tensor<2, Int>;
                exporter.export(
                    &network,
                    |network: &BertForQuestionAnswering, (ids, mask, kinds): (Ids, Ids, Ids)| {
                        network.forward(ids, mask, kinds)
                    },
                )?
            }
        })
    }

    /// One image, or one text of 128 tokens.
    pub fn inputs(self) -> Result<Vec<NamedTensor>> {
        let image = |channels, size| -> Result<Vec<NamedTensor>> {
            let pixels = uniform(1, channels * size * size, -2.0, 2.0);
            Ok(vec![NamedTensor::new("input", Values::new([1, channels, size, size], pixels)?)])
        };
        match self {
            Self::Mnist => image(1, 28),
            Self::Alexnet => image(3, 224),
            Self::BertQa => {
                let ids: Vec<i64> = uniform(1, TOKENS, 1000.0, 30_000.0).into_iter().map(|id| id as i64).collect();
                let kinds: Vec<i64> = (0..TOKENS).map(|token| i64::from(token > 12)).collect();
                let text = Sequence { input_ids: &ids, token_type_ids: &kinds };
                Ok(networks::questions::inputs(&TokenBatch::padded(&[text], &BertConfig::base())?)?)
            }
        }
    }
}
