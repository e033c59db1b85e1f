//! What runs a network.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::runtime::LibraryError;
use crate::tensor::{ElementType, NamedTensor, Tensor};

/// Several engines, to be compared.
pub type Engines = Vec<Box<dyn Engine>>;

/// Something that computes a network's outputs from its inputs.
pub trait Engine {
    /// The name by which it is asked for: `ort:cpu`, `burn`.
    fn name(&self) -> &str;

    /// What the network takes and gives.
    fn signature(&self) -> &Signature;

    /// Computes every output of a type that is handled here, in the order of the signature.
    ///
    /// # Errors
    /// When the inputs do not fit the network, or the engine fails.
    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError>;

    /// What the network really ran on for these inputs, as the engine's own record shows it.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn placement(&mut self, inputs: &[NamedTensor]) -> Result<Placement, EngineError>;
}

/// What a network takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The inputs in order.
    pub inputs: Vec<TensorInfo>,
    /// The outputs in order.
    pub outputs: Vec<TensorInfo>,
}

/// The declaration of an input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its element type; `None` for one that is not handled here, such as strings.
    pub element: Option<ElementType>,
    /// What it is instead, where it is no tensor or its element type is not handled: `sequence(tensor(float))`,
    /// `float8e4m3fn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// What it may hold, where it is no tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Its dimensions, outermost first.
    pub shape: Vec<Dimension>,
}

/// Tensors in one input or output. Each is given and compared under the name of its [`place`](Container::place); of an output,
/// [`length`](Container::length) tells how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// Any number of tensors.
    Sequence(ElementType),
    /// One tensor or none.
    Optional(ElementType),
    /// Any number of tensors, or nothing at all.
    OptionalSequence(ElementType),
}

impl Container {
    /// The name of a tensor in the container called `name`: `x[0]`.
    pub fn place(name: &str, index: usize) -> String {
        format!("{name}[{index}]")
    }

    /// The name of the number of tensors, an `int64` without axes: `len(x)`. Of an optional sequence that is not there it is -1.
    pub fn length(name: &str) -> String {
        format!("len({name})")
    }

    /// The type of the elements of its tensors.
    pub fn element(self) -> ElementType {
        match self {
            Self::Sequence(element) | Self::Optional(element) | Self::OptionalSequence(element) => element,
        }
    }

    /// The tensors of an output called `name`, or `None` if it is not there, with their number in front.
    pub fn named(self, name: &str, tensors: Option<Vec<Tensor>>) -> Vec<NamedTensor> {
        let absent = if matches!(self, Self::OptionalSequence(_)) { -1 } else { 0 };
        let count = tensors.as_ref().map_or(absent, |tensors| tensors.len() as i64);
        let places = tensors.into_iter().flatten().enumerate();
        let places = places.map(|(index, tensor)| NamedTensor::new(Self::place(name, index), tensor));
        let length = NamedTensor::new(Self::length(name), Tensor::scalar(count));
        std::iter::once(length).chain(places).collect()
    }
}

/// The size of a dimension, as a network declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// Always the same.
    Fixed(usize),
    /// Any size; dimensions of the same name have the same.
    Named(String),
    /// Any size.
    Unknown,
}

impl TensorInfo {
    /// A tensor of this name, element type and shape: `TensorInfo::new("logits", ElementType::Float, ["batch".into(), 10.into()])`.
    pub fn new(name: &str, element: ElementType, shape: impl Into<Vec<Dimension>>) -> Self {
        Self { name: name.to_owned(), element: Some(element), other: None, container: None, shape: shape.into() }
    }
}

impl From<usize> for Dimension {
    fn from(size: usize) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dimension {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

/// Where the operations of a network ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// The parts, the one with the most time first.
    pub parts: Vec<PlacementPart>,
    /// What ran in integers of 8 bits; `None` if nothing did, or the engine does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integers: Option<IntegerShare>,
}

/// The operations that took or gave integers of 8 bits, by the types that they were given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IntegerShare {
    /// How many computed with them or handed them on.
    pub nodes: usize,
    /// How many there are in all.
    pub of: usize,
    /// The time of those, as a share of all, from 0 to 1.
    pub time_share: f64,
    /// How many only made bytes of floats, or floats of bytes.
    pub conversions: usize,
    /// The time of the latter, as a share of all.
    pub conversion_time_share: f64,
    /// How many of `nodes` there are of each operator.
    pub operators: BTreeMap<String, usize>,
}

/// The operations that one provider ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacementPart {
    /// The provider: `CPUExecutionProvider`, or a framework's own device.
    pub provider: String,
    /// How many operations ran there, after the engine's own fusions.
    pub nodes: usize,
    /// Their share of all operations, from 0 to 1.
    pub node_share: f64,
    /// Their share of the time, from 0 to 1.
    pub time_share: f64,
    /// Their names and operators.
    pub node_names: Vec<String>,
}

/// Why an engine could not load or run a network.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The runtime library cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// No library on this machine has the provider.
    #[error("{engine}: no ONNX Runtime library here has {provider}; to get one: {how}")]
    NoLibrary {
        /// The engine.
        engine: String,
        /// The provider, by the runtime's name.
        provider: String,
        /// How to get a library with it.
        how: &'static str,
    },
    /// The weights cannot be loaded.
    #[error(transparent)]
    Weights(Box<dyn std::error::Error + Send + Sync>),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] artifact::FileError),
    /// The file is no model that the engine can load.
    #[error("{engine} cannot load {}: {reason}", path.display())]
    Load {
        /// The engine.
        engine: String,
        /// The model.
        path: PathBuf,
        /// The engine's reason.
        reason: String,
    },
    /// The inputs do not fit the network.
    #[error("{engine} refuses the input `{name}`: {reason}")]
    Input {
        /// The engine.
        engine: String,
        /// The input.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine failed while it ran the network.
    #[error("{engine} failed: {reason}")]
    Run {
        /// The engine.
        engine: String,
        /// The engine's reason.
        reason: String,
    },
    /// The engine's process crashed, or hung and was ended.
    #[error("{}", named(engine, reason))]
    Gone {
        /// The engine.
        engine: String,
        /// How it ended.
        reason: String,
        /// Whether it gave no answer in time.
        hung: bool,
    },
    /// The engine's process said no.
    #[error("{}", named(engine, reason))]
    Worker {
        /// The engine.
        engine: String,
        /// What it said.
        reason: String,
    },
    /// Inputs that are too large for this machine.
    #[error("{what} does not fit in memory: its inputs alone take {needed:.3} GiB, and there are {memory:.1} GiB")]
    Room {
        /// What was to be run: `batch 8`.
        what: String,
        /// What it takes, in GiB.
        needed: f64,
        /// The memory of this machine, in GiB.
        memory: f64,
    },
    /// An output that cannot be handled here.
    #[error("the output `{name}` of {engine} is {found}")]
    Output {
        /// The engine.
        engine: String,
        /// The output.
        name: String,
        /// What it is.
        found: String,
    },
}

impl EngineError {
    /// For `map_err`: weights that cannot be loaded.
    pub fn weights(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Weights(Box::new(error))
    }
}

/// What an engine said under its name, which stands there once if its own words begin with it.
pub fn named(engine: &str, reason: &str) -> String {
    match reason.strip_prefix(engine) {
        Some(rest) if rest.starts_with(' ') || rest.starts_with(": ") => reason.to_owned(),
        _ => format!("{engine}: {reason}"),
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.container.is_some() {
            return write!(f, "{}: {}", self.name, self.kind());
        }
        let shape: Vec<String> = self.shape.iter().map(Dimension::to_string).collect();
        write!(f, "{}: {} [{}]", self.name, self.kind(), shape.join(", "))
    }
}

impl TensorInfo {
    /// Whether values of it can be given and compared.
    pub fn is_handled(&self) -> bool {
        self.element.is_some() || self.container.is_some()
    }

    /// Its element type by its name, whether it is handled or not.
    pub fn kind(&self) -> String {
        match (&self.element, &self.other) {
            (Some(element), _) => element.to_string(),
            (None, other) => other.clone().unwrap_or_else(|| "unsupported".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_engine_is_named_once() {
        assert_eq!(named("ort:cpu", "ort:cpu cannot load a.onnx"), "ort:cpu cannot load a.onnx");
        assert_eq!(named("burn", "burn: no file"), "burn: no file");
        assert_eq!(named("burn", "burn:f64 failed"), "burn: burn:f64 failed");
        assert_eq!(named("burn", "no file"), "burn: no file");
    }
}
