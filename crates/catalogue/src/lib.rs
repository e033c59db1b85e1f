//! The networks of this workspace, each as a card: what it is called, what it is for, where its weights and its files lie.
//!
//! This is the only list of them. Commands, stages, exports, evaluations, bundles and reports loop over [`NetworkId`] or ask
//! for a [`Card`]; the networks themselves lie in the crate `networks`, where the compiler asks for an arm each.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// A network of this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkId {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist,
    /// torchvision's AlexNet.
    Alexnet,
    /// EfficientNet-Lite0.
    EfficientnetLite0,
    /// BERT for question answering.
    BertQa,
    /// An encoder out of the user's own Hugging Face folder.
    Encoder,
    /// The sentence encoder MiniLM.
    Minilm,
}

/// What is known of a network without its code, be it of this workspace or the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// Its name on the command line, in folders and in reports: `bert-qa`.
    pub name: &'static str,
    /// Its name for readers: `BERT for question answering`.
    pub title: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Where its weights come from.
    pub weights: WeightSource,
    /// The batch sizes that are timed unless others are asked for.
    pub batches: &'static [usize],
}

/// What a network is for, and with that the data that its evaluation reads and the options that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// Which digit an image shows.
    Digits,
    /// What a picture shows.
    Pictures,
    /// Where a text answers a question.
    Questions,
    /// What is to be told of a text, by the head of an encoder.
    Texts,
}

/// Where the weights of a network come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightSource {
    /// `cargo xtask train` makes them.
    Trained,
    /// A file of the data set of this name, from its public home.
    File {
        /// The data set.
        dataset: &'static str,
        /// The file.
        file: &'static str,
    },
    /// A Hugging Face folder: the data set of this name, or what the user put in its place.
    Folder {
        /// The data set.
        dataset: &'static str,
        /// How such a folder is made here where it cannot be had.
        fine_tuning: Option<FineTuning>,
    },
    /// A Hugging Face folder that the user names each time.
    Given,
    /// The user's own, for a network that is not of this workspace.
    Own {
        /// The file, from where the program is started.
        file: &'static str,
        /// What to do where it is missing, in a clause: `` `cargo run --bin learn` makes them``.
        ways: &'static str,
    },
}

/// What `cargo xtask train` makes a network of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FineTuning {
    /// The data set that holds the encoder.
    pub encoder: &'static str,
    /// The data set to learn from.
    pub lessons: &'static str,
}

/// Where results lie unless the user says otherwise.
pub const ARTIFACTS: &str = "artifacts";

/// Where the ONNX file lies in a folder that has all that belongs to it, as the programs that read such folders look for it.
pub const IN_FOLDER: &str = "onnx/model.onnx";

/// Where fetched files lie.
pub const DATASETS: &str = "datasets";

/// Where fetched libraries lie: in [`DATASETS`] if there are any, else in that of the checkout that this program was built from,
/// which serves projects beside it.
pub fn datasets() -> PathBuf {
    let here = PathBuf::from(DATASETS);
    match here.join("onnxruntime").is_dir() {
        true => here,
        false => Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(DATASETS),
    }
}

const NETWORKS: [(NetworkId, TaskKind, Card); 6] = [
    (
        NetworkId::Mnist,
        TaskKind::Digits,
        Card {
            name: "mnist",
            title: "MNIST CNN",
            about: "The convolutional network of PyTorch's MNIST example",
            weights: WeightSource::Trained,
            batches: &[1, 8, 64, 256],
        },
    ),
    (
        NetworkId::Alexnet,
        TaskKind::Pictures,
        Card {
            name: "alexnet",
            title: "AlexNet",
            about: "torchvision's AlexNet, with its pretrained weights",
            weights: WeightSource::File { dataset: "alexnet", file: "alexnet-owt-7be5be79.pth" },
            batches: &[1, 4, 16],
        },
    ),
    (
        NetworkId::EfficientnetLite0,
        TaskKind::Pictures,
        Card {
            name: "efficientnet-lite0",
            title: "EfficientNet-Lite0",
            about: "EfficientNet-Lite0, with pretrained weights out of a Python package",
            weights: WeightSource::File { dataset: "efficientnet-lite0", file: "efficientnet-lite0-57934424.pth" },
            batches: &[1, 4, 16],
        },
    ),
    (
        NetworkId::BertQa,
        TaskKind::Questions,
        Card {
            name: "bert-qa",
            title: "BERT for question answering",
            about: "BERT for question answering: BERT-large from its public home, or what you put into datasets/bert-qa",
            weights: WeightSource::Folder {
                dataset: "bert-qa",
                fine_tuning: Some(FineTuning { encoder: "minilm", lessons: "squad" }),
            },
            batches: &[1, 4],
        },
    ),
    (
        NetworkId::Encoder,
        TaskKind::Texts,
        Card {
            name: "encoder",
            title: "Encoder",
            about: "Any Hugging Face encoder, for any of six tasks: the folder that you name with --hf-dir",
            weights: WeightSource::Given,
            batches: &[1, 4],
        },
    ),
    (
        NetworkId::Minilm,
        TaskKind::Texts,
        Card {
            name: "minilm",
            title: "MiniLM",
            about: "all-MiniLM-L6-v2, a sentence encoder, with pretrained weights out of a Python package",
            weights: WeightSource::Folder { dataset: "minilm", fine_tuning: None },
            batches: &[1, 8, 32],
        },
    ),
];

/// The command that does something with the network of a name, be it of this workspace or the user's own.
pub fn command(name: &str, subcommand: &str) -> String {
    match NetworkId::named(name) {
        Some(network) => network.card().command(subcommand),
        None => format!("{OWN} {subcommand}"),
    }
}

/// How a program with a network of the user's own is started.
const OWN: &str = "cargo run --release --";

impl NetworkId {
    /// Every network, in the order of reports.
    pub const ALL: [Self; NETWORKS.len()] = {
        let mut all = [Self::Mnist; NETWORKS.len()];
        let mut index = 0;
        while index < NETWORKS.len() {
            all[index] = NETWORKS[index].0;
            index += 1;
        }
        all
    };

    /// What is known of it.
    pub fn card(self) -> &'static Card {
        const { assert!(is_in_order()) };
        &NETWORKS[self as usize].2
    }

    /// What it is for.
    pub fn task(self) -> TaskKind {
        NETWORKS[self as usize].1
    }

    /// Another network for the same task, whose weights have another home; `None` if there is none.
    pub fn substitute(self) -> Option<Self> {
        let fetched = |id: &Self| matches!(id.card().weights, WeightSource::File { .. });
        Self::ALL.into_iter().find(|id| *id != self && id.task() == self.task() && fetched(id))
    }

    /// Every network whose weights have a place of their own, so that nobody has to name them.
    pub fn complete() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|id| id.card().weights != WeightSource::Given)
    }

    /// The network of a name; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.card().name == name)
    }
}

/// Whether each network lies at the place of its number.
const fn is_in_order() -> bool {
    let mut index = 0;
    while index < NETWORKS.len() {
        if NETWORKS[index].0 as usize != index {
            return false;
        }
        index += 1;
    }
    true
}

impl Card {
    /// The folder of its results.
    pub fn folder(&self) -> PathBuf {
        Path::new(ARTIFACTS).join(self.name)
    }

    /// Where its ONNX file goes unless the user says otherwise.
    pub fn model(&self) -> PathBuf {
        match self.weights {
            // It goes into a folder, with all that belongs to it.
            WeightSource::Given => self.folder().join(IN_FOLDER),
            _ => self.folder().join(format!("{}.onnx", self.name)),
        }
    }

    /// Where its evaluation goes unless the user says otherwise.
    pub fn evaluation(&self) -> PathBuf {
        self.folder().join("eval.json")
    }

    /// Where the evaluation of its file of 8-bit integers goes unless the user says otherwise.
    pub fn quantised_evaluation(&self) -> PathBuf {
        self.folder().join("eval.int8.json")
    }

    /// Where its weights lie unless the user says otherwise: a file, or a Hugging Face folder, which is that of a training here where
    /// there is no other.
    pub fn weights(&self) -> PathBuf {
        match self.weights {
            WeightSource::Trained => self.folder().join("model.safetensors"),
            WeightSource::File { dataset, file } => Path::new(DATASETS).join(dataset).join(file),
            WeightSource::Folder { dataset, .. } => {
                let (public, trained) = (Path::new(DATASETS).join(dataset), self.trained());
                match trained {
                    Some(trained) if has_network(&trained) && !has_network(&public) => trained,
                    _ => public,
                }
            }
            WeightSource::Given => Path::new(DATASETS).join(self.name),
            WeightSource::Own { file, .. } => file.into(),
        }
    }

    /// The Hugging Face folder that `cargo xtask train` makes of it; `None` if it makes none.
    pub fn trained(&self) -> Option<PathBuf> {
        let WeightSource::Folder { fine_tuning: Some(_), .. } = self.weights else { return None };
        Some(self.folder().join("trained"))
    }

    /// The command that does something with it: `cargo xtask export bert-qa`, or `cargo run -- export` in the user's own project.
    pub fn command(&self, subcommand: &str) -> String {
        match self.weights {
            WeightSource::Own { .. } => format!("{OWN} {subcommand}"),
            _ => format!("cargo xtask {subcommand} {}", self.name),
        }
    }

    /// Whether it has a folder with configuration and tokenizer, which lies with the weights.
    pub fn has_folder(&self) -> bool {
        matches!(self.weights, WeightSource::Folder { .. } | WeightSource::Given)
    }

    /// What to do where its weights are missing, in a clause.
    pub fn ways_to_weights(&self) -> String {
        match self.weights {
            WeightSource::Trained => "`cargo xtask train` makes them".to_owned(),
            WeightSource::Own { ways, .. } => ways.to_owned(),
            WeightSource::File { dataset, .. } => format!(
                "`cargo xtask fetch {dataset}` gets them from their public home; otherwise name a file with --weights FILE, or \
                 take --random-init SEED where that is an option"
            ),
            WeightSource::Given => "name a Hugging Face folder with --hf-dir FOLDER".to_owned(),
            WeightSource::Folder { dataset, fine_tuning } => format!(
                "`cargo xtask fetch {dataset}` gets some from their public home{}; otherwise name a Hugging Face folder with \
                 --hf-dir FOLDER or its weights with --weights PATH, or take --random-init SEED where that is an option",
                match fine_tuning {
                    Some(_) => format!(", and `cargo xtask train {}` makes some", self.name),
                    None => String::new(),
                }
            ),
        }
    }
}

/// Whether a folder holds a network.
fn has_network(folder: &Path) -> bool {
    folder.join("config.json").is_file()
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "digits",
            Self::Pictures => "pictures",
            Self::Questions => "questions",
            Self::Texts => "texts",
        })
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.card().name)
    }
}

impl ValueEnum for NetworkId {
    fn value_variants<'a>() -> &'a [Self] {
        const { &Self::ALL }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let Card { name, about, .. } = self.card();
        Some(PossibleValue::new(*name).help(*about))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_go_by_their_names() {
        for id in NetworkId::ALL {
            assert_eq!(NetworkId::named(id.card().name), Some(id));
            assert!(id.substitute().is_none_or(|other| other != id && other.task() == id.task()));
        }
        assert_eq!(NetworkId::named("mnits"), None);
    }

    #[test]
    fn paths_come_from_the_card() {
        let bert = NetworkId::BertQa.card();
        assert_eq!(bert.model(), Path::new("artifacts/bert-qa/bert-qa.onnx"));
        assert_eq!(bert.weights(), Path::new("datasets/bert-qa"));
        assert_eq!(NetworkId::Mnist.card().weights(), Path::new("artifacts/mnist/model.safetensors"));
        assert_eq!(NetworkId::Alexnet.card().weights(), Path::new("datasets/alexnet/alexnet-owt-7be5be79.pth"));
    }
}
