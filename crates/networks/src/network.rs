//! What a network is: declared once, and export, evaluation, timing, bundle and prediction follow.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device};
use burn_export::{ExportError, ExportedModel, OnnxExporter};
use engines::engine::{Engine, EngineError, Signature};
use engines::tensor::NamedTensor;
use models::imagenet::Preprocessing;
use models::weights::{Checkpoint, LoadReport, WeightsError};

/// Inputs under a label, on which outputs are compared.
pub type Case = (String, Vec<NamedTensor>);

/// What a network can be made for in one of several ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// The name of its task; by default that of its folder.
    pub task: Option<String>,
    /// Whether the axes of its file are called as the article calls them (`batch`, `sequence`) or as optimum does (`batch_size`,
    /// `sequence_length`); by default what is usual for it.
    pub as_article: Option<bool>,
}

/// A file that belongs beside an ONNX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Companion {
    /// A file as it is.
    Copy(PathBuf),
    /// A new text.
    Text(String),
}

/// A network in Burn: how it gets its weights, what it takes and gives, and how it becomes a file.
pub trait Network: Module + 'static {
    /// What decides its shape, by default that of the published network; `()` for a network of one shape.
    type Config: Clone + Default + 'static;

    /// The name of its graph in an ONNX file.
    const GRAPH: &'static str;

    /// What it is in a sentence, with its article: `an AlexNet`.
    const WHAT: &'static str;

    /// What is done to a picture, for a network that takes pictures: torchvision's way unless it has its own.
    const PREPROCESSING: Preprocessing = Preprocessing::TORCHVISION;

    /// The configuration in a Hugging Face folder, or what can be told from the file of weights. Both may be absent: a network of
    /// one shape asks for neither.
    ///
    /// # Errors
    /// When there is no folder where one is needed, or it holds another kind of network.
    fn config(_folder: Option<&Path>, _weights: Option<&Path>) -> Result<Self::Config, EngineError> {
        Ok(Self::Config::default())
    }

    /// The configuration in a file, or that of the published network, for random weights.
    ///
    /// # Errors
    /// When the file cannot be read or holds another kind of network.
    fn config_or_published(_file: Option<&Path>) -> Result<Self::Config, EngineError> {
        Ok(Self::Config::default())
    }

    /// As [`config`](Self::config), in a form that the user chose. Most networks have one.
    ///
    /// # Errors
    /// As [`config`](Self::config), and when the network has no such form.
    fn config_in(folder: Option<&Path>, weights: Option<&Path>, form: &Form) -> Result<Self::Config, EngineError> {
        one_form(Self::WHAT, form)?;
        Self::config(folder, weights)
    }

    /// As [`config_or_published`](Self::config_or_published), in a form that the user chose.
    ///
    /// # Errors
    /// As [`config_or_published`](Self::config_or_published), and when the network has no such form.
    fn config_or_published_in(file: Option<&Path>, form: &Form) -> Result<Self::Config, EngineError> {
        one_form(Self::WHAT, form)?;
        Self::config_or_published(file)
    }

    /// What belongs beside the file in a folder for other programs, by its name there; nothing for a network that has no such folder.
    ///
    /// # Errors
    /// When the folder that it came from cannot be read.
    fn companions(_config: &Self::Config, _folder: &Path) -> Result<Vec<(String, Companion)>, EngineError> {
        Ok(Vec::new())
    }

    /// What has to hold for a file beyond its numbers, tried on an engine that runs it.
    ///
    /// # Errors
    /// When it does not hold, or the engine fails.
    fn examine(_config: &Self::Config, _engine: &mut dyn Engine) -> Result<(), EngineError> {
        Ok(())
    }

    /// What the file says of itself beside where it came from.
    fn metadata(_config: &Self::Config) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What a reader of an export should know of the folder that it came from.
    fn notes(_folder: &Path) -> Vec<String> {
        Vec::new()
    }

    /// How many numbers the network learns. Before a large network is made, this says whether it fits in memory.
    fn parameters(config: &Self::Config, device: &Device) -> u64 {
        Self::random(config, 0, device).num_params() as u64
    }

    /// The network with the weights of a checkpoint, and the tensors that it has no place for.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    fn load(
        config: &Self::Config,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), WeightsError>;

    /// The network with random weights, the same for the same seed.
    fn random(config: &Self::Config, seed: u64, device: &Device) -> Self;

    /// What the network takes and gives, in Burn and as a file.
    fn signature(config: &Self::Config) -> Signature;

    /// Every output, in the order of the signature. The inputs have the names, types and shapes of the signature; the arithmetic
    /// is that of the parameters, `precision`.
    ///
    /// # Errors
    /// When the values of the inputs do not suit the network.
    fn run(
        &self,
        config: &Self::Config,
        inputs: &[NamedTensor],
        device: &Device,
        precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError>;

    /// The network as ONNX, under the names and with the axes of its signature.
    ///
    /// # Errors
    /// When the exporter refuses it.
    fn export(&self, config: &Self::Config, exporter: OnnxExporter) -> Result<ExportedModel, ExportError>;

    /// Made-up inputs of many sizes, on which a file and every engine are compared with float64.
    ///
    /// # Errors
    /// When the configuration allows none.
    fn cases(config: &Self::Config) -> Result<Vec<Case>, EngineError>;
}

/// Refuses to choose where there is nothing to choose.
fn one_form(what: &str, form: &Form) -> Result<(), EngineError> {
    let option = match form {
        Form { as_article: Some(_), .. } => "--axes",
        Form { task: Some(_), .. } => "--task",
        Form { task: None, as_article: None } => return Ok(()),
    };
    Err(EngineError::Weights(format!("{option} is for encoders of any family, and {what} has one form here").into()))
}
