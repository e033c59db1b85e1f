//! The data that a network is asked about, whatever is asked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use catalogue::{DATASETS, NetworkId, TaskKind};
use clap::{Args, ValueEnum};

use crate::path::reading;
use crate::train::positive;

/// What a network is asked about. Which of these options hold depends on what the network is for.
#[derive(Debug, Clone, Default, Args)]
pub struct TaskArgs {
    /// Digits: the folder with the test images, in MNIST's format [default: datasets/mnist]. Pictures, in eval: a folder of pictures
    /// whose classes are known, FOLDER/CLASS/PICTURE. Texts, in eval: JSON lines or CSV (`text`, `text_pair`, `label`, `score`; `tokens`
    /// and `tags`; `answer`).
    #[arg(long, value_name = "PATH", value_parser = reading())]
    pub data: Option<PathBuf>,
    /// Pictures: a picture (PNG, JPEG, GIF, BMP, TIFF, WebP) or a folder of pictures; may be given several times. In predict also a
    /// digit, light on dark or dark on light.
    #[arg(long = "image", value_name = "PATH", value_parser = reading())]
    pub images: Vec<PathBuf>,
    /// Pictures: the names of the classes, as JSON or with a name in each line; without the file they go by their numbers
    /// [default: datasets/imagenet-labels/labels.json for 1,000 classes]
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub labels: Option<PathBuf>,
    /// Questions: how long an answer may be, in tokens [default: 30]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_answer_tokens: Option<usize>,
}

impl TaskArgs {
    /// Where the test digits lie.
    pub fn data(&self) -> PathBuf {
        let trained = NetworkId::ALL.into_iter().find(|id| id.task() == TaskKind::Digits);
        let dataset = trained.map_or("digits", |id| id.card().name);
        self.data.clone().unwrap_or_else(|| Path::new(DATASETS).join(dataset))
    }

    /// Where the names of the classes lie.
    pub fn labels(&self) -> PathBuf {
        self.labels.clone().unwrap_or_else(|| Path::new(DATASETS).join("imagenet-labels/labels.json"))
    }

    /// The options that are given, with what they are for, where items are read that may have known answers: --data is for pictures
    /// and texts, too.
    pub fn given_with_answers(&self, task: TaskKind) -> Vec<(&'static str, TaskKind)> {
        let mut given = self.given();
        given.retain(|(option, _)| *option != "--data" || !matches!(task, TaskKind::Pictures | TaskKind::Texts));
        given
    }

    /// The options that are given, with what they are for.
    pub fn given(&self) -> Vec<(&'static str, TaskKind)> {
        let all = [
            (self.data.is_some(), "--data", TaskKind::Digits),
            (self.labels.is_some(), "--labels", TaskKind::Pictures),
            (self.max_answer_tokens.is_some(), "--max-answer-tokens", TaskKind::Questions),
        ];
        all.into_iter().filter(|(given, _, _)| *given).map(|(_, option, kind)| (option, kind)).collect()
    }
}

/// What an ONNX file from anywhere is for, and how its inputs are made.
#[derive(Debug, Clone, Default, Args)]
pub struct FileTaskArgs {
    /// What the file of --onnx is for. The options below are for it.
    #[arg(long = "task", value_enum, value_name = "TASK", requires = "onnx")]
    pub kind: Option<FileTask>,
    /// The height and width of the pictures that the network takes [default: what the file says, else 224]
    #[arg(long, value_name = "N", value_parser = positive, requires = "kind")]
    pub size: Option<usize>,
    /// How a picture is brought to that size: the length of its shorter side before the middle is cut out, as in torchvision, or
    /// central:P for the central SIZE / (SIZE + P) of it, as in TensorFlow's EfficientNets [default: SIZE x 256 / 224]
    #[arg(long, value_name = "N|central:P", requires = "kind")]
    pub resize: Option<Resize>,
    /// The mean of red, green and blue, after a byte was divided by --scale [default: 0.485,0.456,0.406]
    #[arg(long, value_name = "R,G,B", requires = "kind")]
    pub mean: Option<Colours>,
    /// Their standard deviation [default: 0.229,0.224,0.225]
    #[arg(long = "std", value_name = "R,G,B", requires = "kind")]
    pub deviation: Option<Colours>,
    /// What a byte is divided by first: 1 for means of bytes from 0 to 255 [default: 255]
    #[arg(long, value_name = "NUMBER", value_parser = above_zero, requires = "kind")]
    pub scale: Option<f32>,
}

/// What an ONNX file from anywhere is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileTask {
    /// A picture in, a value for each class out.
    ImageClassification,
}

/// How a picture is brought to the size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The shorter side to this length, then the middle.
    Shorter(usize),
    /// The central square, which leaves out so many pixels of the network's size.
    Central(usize),
}

/// A number for red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colours(pub [f32; 3]);

impl FromStr for Resize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("central:") {
            Some(padding) => pixels(padding).map(Self::Central).map_err(|error| format!("after `central:`: {error}")),
            None => pixels(text).map(Self::Shorter),
        }
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shorter(length) => write!(f, "{length}"),
            Self::Central(padding) => write!(f, "central:{padding}"),
        }
    }
}

impl FromStr for Colours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Result<Vec<f32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        let finite = numbers.ok().filter(|numbers| numbers.iter().all(|number: &f32| number.is_finite()));
        let colours = finite.and_then(|numbers| numbers.try_into().ok());
        colours.map(Self).ok_or_else(|| "it has the form R,G,B, as in 0.485,0.456,0.406".to_owned())
    }
}

impl fmt::Display for Colours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "{red},{green},{blue}")
    }
}

/// Pixels of a side, as many as a picture may have.
fn pixels(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(pixels) if pixels <= 1 << 16 => Ok(pixels),
        Ok(_) => Err(format!("it must be at most {}", 1 << 16)),
        Err(error) => Err(error.to_string()),
    }
}

/// A number above zero.
fn above_zero(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        Ok(_) => Err("it must be above 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Refuses options that are for another kind of network.
///
/// # Errors
/// A sentence that names the option.
pub fn suit(
    network: &str,
    task: TaskKind,
    given: impl IntoIterator<Item = (&'static str, TaskKind)>,
) -> Result<(), String> {
    match given.into_iter().find(|(_, kind)| *kind != task) {
        Some((option, kind)) => Err(format!("{option} is for {kind}, and {network} is for {task}")),
        None => Ok(()),
    }
}
