//! The stages of the pipeline: what each reads, is told and writes.

mod training;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use artifact::Digest;
use artifact::manifest::Manifest;
use artifact::pipeline::Stage;
use artifact::runtime::{self, DYLIB_VARIABLE};
use catalogue::{Card, DATASETS, NetworkId, TaskKind, WeightSource};
use cli::eval::EvalTarget;
use serde_json::json;

use crate::code::Code;
use crate::programs::Program;
use crate::run::Pipeline;
use crate::workspace;

/// The name of the ONNX Runtime library in the lock, whatever its path.
const RUNTIME: &str = "the ONNX Runtime library";

/// The file in a network's folder that says what its evaluation found.
const EVALUATION: &str = "eval.json";

/// The file in a network's folder that says what the evaluation of its file of 8-bit integers found.
const OF_INTEGERS: &str = "eval.int8.json";

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
    /// Whether networks that can be fine-tuned here are, in place of fetching them.
    fine_tunes: bool,
    train: Digest,
    export: Digest,
    eval: Digest,
    report: Digest,
}

impl<'a> Plan<'a> {
    /// A plan for the code as it is now. `fine_tunes` says whether networks that can be fine-tuned here are, in place of fetching them.
    ///
    /// # Errors
    /// When the code cannot be read, or the network has no weights but those that a user names.
    pub fn new(pipeline: &'a Pipeline, fine_tunes: bool) -> Result<Self> {
        if let EvalTarget::One(network) = pipeline.network
            && network.card().weights == WeightSource::Given
        {
            let card = network.card();
            bail!("{} has no weights of its own: `{} --hf-dir FOLDER` takes yours", card.name, card.command("export"));
        }
        let code = Code::of(&[Program::Train, Program::Export, Program::Eval, Program::Report])?;
        Ok(Self {
            pipeline,
            fine_tunes,
            train: code.digest(Program::Train)?,
            export: code.digest(Program::Export)?,
            eval: code.digest(Program::Eval)?,
            report: code.digest(Program::Report)?,
        })
    }

    /// The stages in the order in which they run. The library may be another one after it was fetched.
    pub fn tasks(&self, target: EvalTarget) -> Vec<Task> {
        let networks = match target {
            EvalTarget::One(network) => vec![network],
            EvalTarget::All => NetworkId::complete().collect(),
        };
        let mut tasks: Vec<Task> = Vec::new();
        for task in networks.into_iter().flat_map(|network| self.of_network(network)) {
            // All networks share the library.
            if tasks.iter().all(|known| known.stage.name != task.stage.name) {
                tasks.push(task);
            }
        }
        tasks.push(self.report(&tasks));
        tasks
    }

    /// One page over every evaluation that is there, of this run or of an earlier one.
    fn report(&self, tasks: &[Task]) -> Task {
        let Pipeline { artifacts, .. } = self.pipeline;
        let evaluating = tasks.iter().filter(|task| task.program == Program::Eval);
        let after = evaluating.clone().map(|task| task.stage.name.clone()).collect();
        let mut inputs: Files = evaluating.flat_map(|task| task.stage.outputs.clone()).collect();
        inputs.extend(evaluations(artifacts));
        let folder = artifacts.join("report");
        Task {
            stage: Stage {
                name: "report".to_owned(),
                parameters: BTreeMap::new(),
                inputs,
                code: Some(self.report),
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

    /// Fetch, train where the weights are trained here, export, evaluate.
    fn of_network(&self, network: NetworkId) -> Vec<Task> {
        let card = network.card();
        let Weights { path, files, mut tasks, asked } = self.weights(card);
        let folder = self.pipeline.artifacts.join(card.name);
        let file = |name: String| (format!("{}/{name}", card.name), folder.join(name));
        let (model, evaluation) = (file(format!("{}.onnx", card.name)), file(EVALUATION.to_owned()));
        // What is fetched comes first: a source that cannot be reached shows before hours of training.
        let fetched = tasks.iter().take_while(|task| task.program == Program::Fetch).count();
        tasks.splice(fetched..fetched, fetch_runtime());
        let before: Vec<String> = tasks.iter().map(|task| task.stage.name.clone()).collect();
        tasks.push(Task {
            stage: Stage {
                name: format!("{}/export", card.name),
                parameters: [("--opset".to_owned(), json!(11))].into(),
                inputs: files.clone(),
                code: Some(self.export),
                outputs: [model.clone()].into(),
                after: before.clone(),
                declared: false,
            },
            program: Program::Export,
            arguments: words(&[
                card.name,
                "--opset=11",
                &format!("--weights={}", path.display()),
                &format!("--out={}", model.1.display()),
            ]),
        });
        let data = data_files(network);
        let seconds = self.pipeline.seconds;
        let mut inputs = files;
        inputs.extend(data);
        inputs.extend([model.clone(), (RUNTIME.to_owned(), library())]);
        inputs.extend(asked.clone().map(entry));
        let mut told = words(&[
            card.name,
            &format!("--model={}", model.1.display()),
            &format!("--weights={}", path.display()),
            &format!("--out={}", evaluation.1.display()),
            &format!("--seconds={seconds}"),
        ]);
        told.extend(asked.map(|path| format!("--squad={}", path.display())));
        tasks.push(Task {
            stage: Stage {
                name: format!("{}/eval", card.name),
                parameters: [("--seconds".to_owned(), json!(seconds))].into(),
                inputs,
                code: Some(self.eval),
                outputs: [evaluation.clone()].into(),
                after: before.into_iter().chain([format!("{}/export", card.name)]).collect(),
                declared: false,
            },
            program: Program::Eval,
            arguments: told,
        });
        tasks
    }

    /// The weights, and the stages that bring or make them.
    fn weights(&self, card: &Card) -> Weights {
        let path = card.weights();
        match card.weights {
            WeightSource::Folder { fine_tuning: Some(tuning), .. } if self.fine_tunes => self.fine_tuned(card, tuning),
            WeightSource::Trained => self.trained(card),
            WeightSource::Given => Weights { path, files: Files::new(), tasks: Vec::new(), asked: None },
            WeightSource::Own { .. } => {
                Weights { files: [entry(path.clone())].into(), path, tasks: Vec::new(), asked: None }
            }
            WeightSource::File { dataset, .. } => {
                let files = Files::from([entry(path.clone())]);
                Weights { path, files: files.clone(), tasks: vec![fetch(dataset, files)], asked: None }
            }
            WeightSource::Folder { dataset, .. } => {
                let path = Path::new(DATASETS).join(dataset);
                // What the user put there is read as it is.
                let own = is_own(card);
                let mut files: Files = match own {
                    true => BTreeMap::from([entry(path.join("config.json"))]),
                    false => declared(dataset),
                };
                let tasks = if own { Vec::new() } else { vec![fetch(dataset, files.clone())] };
                let found = std::fs::read_dir(workspace::root().join(&path)).into_iter().flatten().flatten();
                let parts = found.map(|file| path.join(file.file_name())).filter(|file| {
                    let ending = file.extension().unwrap_or_default();
                    let known = ["safetensors", "bin", "json", "txt"].iter().any(|known| ending == *known);
                    known && !file.ends_with(FIRST_FETCH)
                });
                files.extend(parts.map(entry));
                Weights { path, files, tasks, asked: None }
            }
        }
    }
}

/// The evaluations in a folder of results, which the page over all networks is made of.
pub fn evaluations(artifacts: &Path) -> Files {
    let folders = std::fs::read_dir(workspace::root().join(artifacts)).into_iter().flatten().flatten();
    let evaluated = folders.map(|folder| folder.file_name().to_string_lossy().into_owned());
    let evaluated = evaluated.filter(|name| !name.starts_with('.'));
    let evaluated = evaluated.flat_map(|name| [EVALUATION, OF_INTEGERS].map(|file| format!("{name}/{file}")));
    // The evaluation of a file from anywhere lies in the report's own folder.
    let places = evaluated.chain(["report/onnx.json".to_owned()]).map(|place| (place.clone(), artifacts.join(place)));
    places.filter(|(_, path)| workspace::root().join(path).is_file()).collect()
}

/// Files by a name that is the same on every machine.
pub type Files = BTreeMap<String, PathBuf>;

/// The weights of a network.
struct Weights {
    /// The file or folder.
    path: PathBuf,
    /// The files that they are made of.
    files: Files,
    /// The stages that bring or make them.
    tasks: Vec<Task>,
    /// The questions that their evaluation asks, where training did not learn from them.
    asked: Option<PathBuf>,
}

/// The data that an evaluation reads.
fn data_files(network: NetworkId) -> Files {
    match network.task() {
        TaskKind::Digits => declared(network.card().name),
        TaskKind::Pictures | TaskKind::Questions | TaskKind::Texts => Files::new(),
    }
}

/// The files that a manifest declares, from the workspace's root; none if it cannot be read, which fetching tells.
fn declared(dataset: &str) -> Files {
    let folder = Path::new(DATASETS).join(dataset);
    let manifest = Manifest::read(workspace::root().join(DATASETS).join(format!("{dataset}.toml")));
    let files = manifest.map(|manifest| manifest.files).unwrap_or_default();
    files.iter().map(|file| entry(folder.join(&file.name))).collect()
}

/// What `fetch` leaves in the folder of files that it brought without a declared SHA-256.
const FIRST_FETCH: &str = "first-fetch.json";

/// Whether the folder of a network's weights holds what the user put there, and not what `fetch` brought or began to bring.
pub fn is_own(card: &Card) -> bool {
    let WeightSource::Folder { dataset, .. } = card.weights else { return false };
    let manifest = Manifest::read(workspace::root().join(DATASETS).join(format!("{dataset}.toml")));
    if manifest.is_ok_and(|manifest| manifest.files.iter().all(|file| file.sha256.is_some())) {
        // What is declared by hash is not the user's to choose.
        return false;
    }
    let folder = workspace::root().join(DATASETS).join(dataset);
    folder.join("config.json").is_file() && !folder.join(FIRST_FETCH).is_file()
}

/// A file under its path from the workspace's root.
fn entry(path: PathBuf) -> (String, PathBuf) {
    (path.display().to_string(), path)
}

/// The stage that brings the runtime library, unless the user names one.
fn fetch_runtime() -> Option<Task> {
    let named = std::env::var_os(DYLIB_VARIABLE).is_some_and(|value| !value.is_empty());
    (!named).then(|| fetch("onnxruntime", [(RUNTIME.to_owned(), fetched_library())].into()))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A stage that brings the files of a manifest.
fn fetch(name: &str, outputs: Files) -> Task {
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
fn library() -> PathBuf {
    let folder = workspace::root().join("datasets/onnxruntime");
    runtime::locate(&folder).map_or_else(|_| fetched_library(), |library| library.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn names(words: &[&str], fine_tunes: bool) -> Vec<String> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            pipeline: Pipeline,
        }
        let pipeline = Line::try_parse_from(["run"].iter().chain(words)).unwrap().pipeline;
        let digest = artifact::sha256_bytes(b"code");
        let plan =
            Plan { pipeline: &pipeline, fine_tunes, train: digest, export: digest, eval: digest, report: digest };
        plan.tasks(pipeline.network).into_iter().map(|task| task.stage.name).collect()
    }

    #[test]
    fn each_network_has_its_stages_and_all_share_the_library() {
        let alexnet = names(&["alexnet"], false);
        assert_eq!(alexnet.first().map(String::as_str), Some("fetch/alexnet"));
        assert!(alexnet.ends_with(&["alexnet/export", "alexnet/eval", "report"].map(str::to_owned)));
        assert!(names(&["bert-qa"], false).ends_with(&["bert-qa/export", "bert-qa/eval", "report"].map(str::to_owned)));
        let all = names(&["all"], false);
        for network in ["mnist", "alexnet", "bert-qa"] {
            assert!(names(&[network], false).iter().all(|name| all.contains(name)), "{all:?}");
        }
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len(), "{all:?}");
    }

    #[test]
    fn a_network_that_is_fine_tuned_here_is_trained_first() {
        let own = names(&["bert-qa", "--squad=squad.json"], true);
        let stages = ["bert-qa/train", "bert-qa/export", "bert-qa/eval", "report"];
        assert_eq!(own[..1], ["fetch/minilm"]);
        assert!(own.ends_with(&stages.map(str::to_owned)) && !own.contains(&"fetch/squad".to_owned()), "{own:?}");
        let public = names(&["bert-qa"], true);
        assert_eq!(public[..2], ["fetch/minilm", "fetch/squad"]);
        assert!(public.contains(&"bert-qa/train".to_owned()) && !public.contains(&"fetch/bert-qa".to_owned()));
    }
}
