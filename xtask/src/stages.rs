//! The stages of the pipeline: what each reads, is told and writes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use artifact::Digest;
use artifact::pipeline::Stage;
use artifact::runtime::{self, DYLIB_VARIABLE};
use clap::ValueEnum;
use cli::train::{Device, Recipe};
use serde_json::{Value, json};

use crate::code::Code;
use crate::pretrained::Pretrained;
use crate::programs::Program;
use crate::run::Pipeline;
use crate::workspace;

/// The files of MNIST that are trained on and evaluated with.
const MNIST: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// What of [`MNIST`] the evaluation reads.
const MNIST_TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The name of the ONNX Runtime library in the lock, whatever its path.
pub(crate) const RUNTIME: &str = "the ONNX Runtime library";

/// The file in a network's folder that says what its evaluation found.
const EVALUATION: &str = "eval.json";

/// A network with a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist,
    /// torchvision's AlexNet, with its pretrained weights.
    Alexnet,
    /// BERT for question answering: BERT-large from its public home, or what you put into the folder datasets/bert-qa.
    BertQa,
    /// Every network.
    All,
}

/// A stage with the program that does it.
pub struct Task {
    /// What goes in and comes out.
    pub stage: Stage,
    /// Who does it.
    pub program: Program,
    /// What the program is told.
    pub arguments: Vec<String>,
}

/// Everything that the stages depend on and that stays as it is while they run.
pub struct Plan<'a> {
    pipeline: &'a Pipeline,
    train: Digest,
    export: Digest,
    eval: Digest,
}

impl<'a> Plan<'a> {
    /// A plan for the code as it is now.
    ///
    /// # Errors
    /// When the code cannot be read.
    pub fn new(pipeline: &'a Pipeline) -> Result<Self> {
        let code = Code::of(&[Program::Train, Program::Export, Program::Eval])?;
        Ok(Self {
            pipeline,
            train: code.digest(Program::Train)?,
            export: code.digest(Program::Export)?,
            eval: code.digest(Program::Eval)?,
        })
    }

    /// The stages in the order in which they run. The library may be another one after it was fetched.
    pub fn tasks(&self, network: Network) -> Vec<Task> {
        let mut tasks = self.of_networks(network);
        tasks.push(self.report(&tasks));
        tasks
    }

    /// One page over every evaluation that is there, of this run or of an earlier one.
    fn report(&self, tasks: &[Task]) -> Task {
        let Pipeline { artifacts, .. } = self.pipeline;
        let evaluations = tasks.iter().filter(|task| task.program == Program::Eval);
        let after = evaluations.clone().map(|task| task.stage.name.clone()).collect();
        let mut inputs: BTreeMap<String, PathBuf> = evaluations
            .flat_map(|task| &task.stage.outputs)
            .filter(|(name, _)| name.ends_with(EVALUATION))
            .map(|(name, path)| (name.clone(), path.clone()))
            .collect();
        let folders = std::fs::read_dir(workspace::root().join(artifacts)).into_iter().flatten().flatten();
        for folder in folders {
            let name = folder.file_name().to_string_lossy().into_owned();
            let path = artifacts.join(&name).join(EVALUATION);
            if !name.starts_with('.') && workspace::root().join(&path).is_file() {
                inputs.insert(format!("{name}/{EVALUATION}"), path);
            }
        }
        let folder = artifacts.join("report");
        // The evaluation of a file from anywhere and SQuAD's figures, if there are any.
        for place in ["report/onnx.json", "bert-qa/squad.json"] {
            let path = artifacts.join(place);
            if workspace::root().join(&path).is_file() {
                inputs.insert(place.to_owned(), path);
            }
        }
        Task {
            stage: Stage {
                name: "report".to_owned(),
                parameters: BTreeMap::new(),
                inputs,
                code: Some(self.eval),
                outputs: ["index.html", "report.md", "report.json"]
                    .map(|name| (format!("report/{name}"), folder.join(name)))
                    .into(),
                after,
                declared: false,
            },
            program: Program::Report,
            arguments: words(&[&format!("--artifacts={}", artifacts.display())]),
        }
    }

    fn of_networks(&self, network: Network) -> Vec<Task> {
        match network {
            Network::Mnist => self.mnist(),
            Network::Alexnet => self.pretrained().alexnet(),
            Network::BertQa => self.pretrained().bert_qa(),
            Network::All => {
                let mut tasks = self.mnist();
                for task in self.pretrained().alexnet().into_iter().chain(self.pretrained().bert_qa()) {
                    // All networks share the library.
                    if tasks.iter().all(|known| known.stage.name != task.stage.name) {
                        tasks.push(task);
                    }
                }
                tasks
            }
        }
    }

    fn pretrained(&self) -> Pretrained<'_> {
        let Pipeline { artifacts, seconds, .. } = self.pipeline;
        Pretrained { artifacts, seconds: *seconds, export: self.export, eval: self.eval }
    }

    fn mnist(&self) -> Vec<Task> {
        let Pipeline { artifacts, seconds, recipe, .. } = self.pipeline;
        let folder = artifacts.join("mnist");
        let file = |name: &str| (format!("mnist/{name}"), folder.join(name));
        let path = |name: &str| folder.join(name).display().to_string();
        let data = |names: &[&str]| -> BTreeMap<String, PathBuf> {
            names
                .iter()
                .map(|name| (format!("datasets/mnist/{name}"), PathBuf::from("datasets/mnist").join(name)))
                .collect()
        };

        let mut tasks = vec![fetch("mnist", data(&MNIST))];
        tasks.extend(fetch_runtime());
        let outputs = ["model.safetensors", "metrics.jsonl", "config.json"].map(file).into();
        let mut arguments = words(&["--in-pipeline", &format!("--out={}", folder.display())]);
        arguments.extend(options(recipe));
        tasks.push(Task {
            stage: Stage {
                name: "mnist/train".to_owned(),
                parameters: parameters(recipe),
                inputs: data(&MNIST),
                code: Some(self.train),
                outputs,
                after: vec!["fetch/mnist".to_owned()],
                declared: false,
            },
            program: Program::Train,
            arguments,
        });
        let trained = BTreeMap::from(["model.safetensors", "metrics.jsonl", "config.json"].map(file));
        tasks.push(Task {
            stage: Stage {
                name: "mnist/export".to_owned(),
                parameters: [("--opset".to_owned(), json!(11))].into(),
                inputs: trained,
                code: Some(self.export),
                outputs: [file("mnist.onnx")].into(),
                after: vec!["fetch/onnxruntime".to_owned(), "mnist/train".to_owned()],
                declared: false,
            },
            program: Program::Export,
            arguments: words(&[
                "mnist",
                "--opset=11",
                &format!("--weights={}", path("model.safetensors")),
                &format!("--out={}", path("mnist.onnx")),
            ]),
        });
        let mut inputs = data(&MNIST_TEST);
        inputs.extend([file("model.safetensors"), file("mnist.onnx")]);
        inputs.insert(RUNTIME.to_owned(), library());
        tasks.push(Task {
            stage: Stage {
                name: "mnist/eval".to_owned(),
                parameters: [("--seconds".to_owned(), json!(seconds))].into(),
                inputs,
                code: Some(self.eval),
                outputs: [file("eval.json"), file("eval.html")].into(),
                after: vec!["fetch/mnist".to_owned(), "fetch/onnxruntime".to_owned(), "mnist/export".to_owned()],
                declared: false,
            },
            program: Program::Eval,
            arguments: words(&[
                "mnist",
                &format!("--model={}", path("mnist.onnx")),
                &format!("--weights={}", path("model.safetensors")),
                &format!("--out={}", path("eval.json")),
                &format!("--seconds={seconds}"),
            ]),
        });
        tasks
    }
}

/// The stage that brings the runtime library, unless the user names one.
pub(crate) fn fetch_runtime() -> Option<Task> {
    let named = std::env::var_os(DYLIB_VARIABLE).is_some_and(|value| !value.is_empty());
    (!named).then(|| fetch("onnxruntime", [(RUNTIME.to_owned(), fetched_library())].into()))
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A stage that brings the files of a manifest.
pub(crate) fn fetch(name: &str, outputs: BTreeMap<String, PathBuf>) -> Task {
    let manifest = format!("datasets/{name}.toml");
    Task {
        stage: Stage {
            name: format!("fetch/{name}"),
            parameters: BTreeMap::new(),
            inputs: [(manifest.clone(), PathBuf::from(manifest))].into(),
            code: None,
            outputs,
            after: Vec::new(),
            declared: true,
        },
        program: Program::Fetch,
        arguments: vec![name.to_owned()],
    }
}

/// Where `fetch onnxruntime` puts the library, or would.
fn fetched_library() -> PathBuf {
    let folder = PathBuf::from("datasets/onnxruntime");
    runtime::fetched(&workspace::root().join(&folder))
        .unwrap_or_else(|| folder.join(runtime::platform()).join("library"))
}

/// The library that an evaluation loads, or would load after fetching.
pub(crate) fn library() -> PathBuf {
    let folder = workspace::root().join("datasets/onnxruntime");
    runtime::locate(&folder).map_or_else(|_| fetched_library(), |library| library.path)
}

/// What decides the trained weights, by option. The number of threads does not.
fn parameters(recipe: &Recipe) -> BTreeMap<String, Value> {
    let Recipe {
        recipe: practice,
        batch_size,
        test_batch_size,
        epochs,
        lr,
        gamma,
        seed,
        dry_run,
        device: _,
        no_cuda: _,
        threads: _,
        limit,
    } = recipe;
    let name = |value: Option<clap::builder::PossibleValue>| json!(value.map(|value| value.get_name().to_owned()));
    let device = if recipe.on_cuda() { Device::Cuda } else { Device::Flex };
    [
        ("--recipe", name(practice.to_possible_value())),
        ("--batch-size", json!(batch_size)),
        ("--test-batch-size", json!(test_batch_size)),
        ("--epochs", json!(epochs)),
        ("--lr", json!(lr)),
        ("--gamma", json!(gamma)),
        ("--seed", json!(seed)),
        ("--dry-run", if *dry_run { json!(true) } else { Value::Null }),
        ("--device", name(device.to_possible_value())),
        ("--limit", json!(limit)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_null())
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The words that tell `train` the recipe.
fn options(recipe: &Recipe) -> Vec<String> {
    let threads = recipe.threads.map(|threads| ("--threads".to_owned(), json!(threads)));
    parameters(recipe)
        .into_iter()
        .chain(threads)
        .map(|(name, value)| match value {
            Value::Bool(_) => name,
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        recipe: Recipe,
    }

    fn recipe(words: &[&str]) -> Recipe {
        Arguments::try_parse_from(["train"].iter().chain(words)).unwrap().recipe
    }

    #[test]
    fn the_program_is_told_the_same_recipe() {
        let words =
            ["--epochs=3", "--lr=0.1", "--dry-run", "--limit=640", "--threads=2", "--seed=18446744073709551615"];
        for words in [&words[..], &["--gamma=0.9"], &["--recipe=modern"], &[]] {
            let told = recipe(words);
            let options = options(&told);
            let heard = recipe(&options.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(format!("{told:?}"), format!("{heard:?}"));
        }
    }

    fn names(words: &[&str]) -> Vec<String> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            pipeline: Pipeline,
        }
        let pipeline = Line::try_parse_from(["run"].iter().chain(words)).unwrap().pipeline;
        let digest = artifact::sha256_bytes(b"code");
        let plan = Plan { pipeline: &pipeline, train: digest, export: digest, eval: digest };
        plan.tasks(pipeline.network).into_iter().map(|task| task.stage.name).collect()
    }

    #[test]
    fn each_network_has_its_stages_and_all_share_the_library() {
        let alexnet = names(&["alexnet"]);
        assert_eq!(alexnet.first().map(String::as_str), Some("fetch/alexnet"));
        assert!(alexnet.ends_with(&["alexnet/export", "alexnet/eval", "report"].map(str::to_owned)));
        assert!(names(&["bert-qa"]).ends_with(&["bert-qa/export", "bert-qa/eval", "report"].map(str::to_owned)));
        let all = names(&["all"]);
        for network in ["mnist", "alexnet", "bert-qa"] {
            assert!(names(&[network]).iter().all(|name| all.contains(name)), "{all:?}");
        }
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len(), "{all:?}");
    }

    #[test]
    fn threads_do_not_make_another_recipe_and_no_cuda_is_the_cpu() {
        let plain = parameters(&recipe(&[]));
        assert_eq!(parameters(&recipe(&["--threads=3"])), plain);
        assert_eq!(parameters(&recipe(&["--device=cuda", "--no-cuda"])), plain);
        assert_ne!(parameters(&recipe(&["--device=cuda"])), plain);
    }
}
