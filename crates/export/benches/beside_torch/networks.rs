//! The networks, with the weights that PyTorch wrote.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, ExportedModel, OnnxExporter, Opset};
use burn_store::{ModuleSnapshot, SafetensorsStore};
use clap::ValueEnum;
use engines::tensor::{NamedTensor, Tensor as Values};
use evaluation::random::uniform;
use models::alexnet::AlexNet;
use models::bert::{BertConfig, BertForQuestionAnswering, Sequence, TokenBatch};
use models::encoder::{Encoder, EncoderConfig};
use models::mnist_cnn::MnistCnn;
use models::weights::Checkpoint;
use networks::network::Network as _;

use crate::text::{Gpt2, Tagger};
use crate::vision::{MobileNetV3Small, Resnet50};

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
    /// torchvision's ResNet-50.
    Resnet50,
    /// torchvision's MobileNetV3-small.
    Mobilenet,
    /// transformers' GPT-2, of two layers.
    Gpt2,
    /// Words, an LSTM of both directions, tags.
    Tagger,
    /// Encoders of 6 layers, 384 wide, with 12 heads, for their hidden states.
    Bert,
    #[value(name = "distilbert")]
    DistilBert,
    Roberta,
    Electra,
    Mpnet,
    Albert,
    #[value(name = "modernbert")]
    ModernBert,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Mnist,
        Self::Alexnet,
        Self::BertQa,
        Self::Resnet50,
        Self::Mobilenet,
        Self::Gpt2,
        Self::Tagger,
        Self::Bert,
        Self::DistilBert,
        Self::Roberta,
        Self::Electra,
        Self::Mpnet,
        Self::Albert,
        Self::ModernBert,
    ];

    /// Whether it is an encoder in a Hugging Face folder.
    fn is_encoder(self) -> bool {
        Self::ALL.iter().position(|one| *one == self) >= Self::ALL.iter().position(|one| *one == Self::Bert)
    }

    /// The opset of our file, where the user names none: the networks of the article have that of the article.
    pub fn opset(self) -> Opset {
        match self {
            Self::Mnist | Self::Alexnet | Self::BertQa => Opset::V11,
            _ => Opset::V18,
        }
    }

    /// The name of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Alexnet => "alexnet",
            Self::BertQa => "bert-qa",
            Self::Resnet50 => "resnet50",
            Self::Mobilenet => "mobilenet",
            Self::Gpt2 => "gpt2",
            Self::Tagger => "tagger",
            Self::Bert => "bert",
            Self::DistilBert => "distilbert",
            Self::Roberta => "roberta",
            Self::Electra => "electra",
            Self::Mpnet => "mpnet",
            Self::Albert => "albert",
            Self::ModernBert => "modernbert",
        }
    }

    /// Loads the weights in `folder` and exports the network.
    pub fn export(self, folder: &Path, opset: Opset) -> Result<ExportedModel> {
        let device = Device::flex();
        let image =
            |channels, size| [Axis::dynamic("batch"), Axis::fixed(channels), Axis::fixed(size), Axis::fixed(size)];
        let exporter = OnnxExporter::new().opset(opset);
        if self.is_encoder() {
            let (network, config) = encoder(&folder.join(self.name()), &device)?;
            return Ok(network.export(&config, exporter)?);
        }
        let text = |longest: usize| [Axis::dynamic("batch"), Axis::dynamic("length").range(1..=longest)];
        Ok(match self {
            Self::Resnet50 => {
                let network = loaded(Resnet50::new(&device), folder, self)?;
                let exporter = exporter.input("input", image(3, 224)).output("output");
                exporter.export(&network, |network, images: Tensor<4>| network.forward(images))?
            }
            Self::Mobilenet => {
                let network = loaded(MobileNetV3Small::new(&device), folder, self)?;
                let exporter = exporter.input("input", image(3, 224)).output("output");
                exporter.export(&network, |network, images: Tensor<4>| network.forward(images))?
            }
            Self::Gpt2 => {
                let network = loaded(Gpt2::new(&device), folder, self)?;
                let exporter = exporter.input("ids", text(Gpt2::LONGEST)).output("logits");
                exporter.export(&network, |network, ids: Tensor<2, Int>| network.forward(ids))?
            }
            Self::Tagger => {
                let network = loaded(Tagger::new(&device), folder, self)?;
                let exporter = exporter.input("ids", text(4096)).output("tags");
                exporter.export(&network, |network, ids: Tensor<2, Int>| network.forward(ids))?
            }
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
            _ => bail!("{} is an encoder", self.name()),
        })
    }

    /// One image, or one text of 128 tokens.
    ///
    /// # Errors
    /// When the folder of an encoder cannot be read.
    pub fn inputs(self, folder: &Path) -> Result<Vec<NamedTensor>> {
        if self.is_encoder() {
            let config = EncoderConfig::read(&folder.join(self.name()), None)?;
            return Ok(networks::texts::inputs(&networks::texts::random(&config, 1, TOKENS, None)?, &config)?);
        }
        let image = |channels, size| -> Result<Vec<NamedTensor>> {
            let pixels = uniform(1, channels * size * size, -2.0, 2.0);
            Ok(vec![NamedTensor::new("input", Values::new([1, channels, size, size], pixels)?)])
        };
        match self {
            Self::Mnist => image(1, 28),
            Self::Alexnet | Self::Resnet50 | Self::Mobilenet => image(3, 224),
            Self::Gpt2 | Self::Tagger => {
                let ids: Vec<i64> = uniform(1, TOKENS, 0.0, 10_000.0).into_iter().map(|id| id as i64).collect();
                Ok(vec![NamedTensor::new("ids", Values::new([1, TOKENS], ids)?)])
            }
            Self::BertQa => {
                let ids: Vec<i64> = uniform(1, TOKENS, 1000.0, 30_000.0).into_iter().map(|id| id as i64).collect();
                let kinds: Vec<i64> = (0..TOKENS).map(|token| i64::from(token > 12)).collect();
                let text = Sequence { input_ids: &ids, token_type_ids: &kinds };
                Ok(networks::questions::inputs(&TokenBatch::padded(&[text], &BertConfig::base())?)?)
            }
            _ => bail!("{} is an encoder", self.name()),
        }
    }
}

/// The encoder of a folder.
fn encoder(folder: &Path, device: &Device) -> Result<(Encoder, EncoderConfig)> {
    let config = EncoderConfig::read(folder, None)?;
    let (network, _) = Encoder::load(&config, Checkpoint::open(folder)?, device)?;
    Ok((network, config))
}

/// The network with the weights that PyTorch wrote under the names of the module here.
fn loaded<M: Module + ModuleSnapshot>(mut network: M, folder: &Path, of: Network) -> Result<M> {
    let path = folder.join(format!("{}.safetensors", of.name()));
    let result = network.load_from(&mut SafetensorsStore::from_file(&path))?;
    ensure!(
        result.is_success() && result.missing.is_empty() && result.unused.is_empty(),
        "{}: {result}",
        path.display()
    );
    Ok(network)
}
