//! The stages of the networks whose weights come from elsewhere: fetch, export, evaluate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::Digest;
use artifact::pipeline::Stage;
use cli::export::ExportModel;
use serde_json::json;

use crate::programs::Program;
use crate::public::{FIRST_FETCH, own_bert};
use crate::stages::{RUNTIME, Task, fetch, fetch_runtime, library, words};
use crate::workspace;

/// The files of BERT for question answering that its manifest declares.
const BERT_QA: [&str; 5] = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];

/// What the stages of a network depend on.
pub struct Pretrained<'a> {
    /// The folder for results.
    pub artifacts: &'a Path,
    /// The least time of a measurement, in seconds.
    pub seconds: f64,
    /// The code of the exporter.
    pub export: Digest,
    /// The code of the evaluation.
    pub eval: Digest,
}

impl Pretrained<'_> {
    /// AlexNet: torchvision's weights from their public home.
    pub fn alexnet(&self) -> Vec<Task> {
        let weights = ExportModel::Alexnet.default_weights();
        let name = weights.display().to_string();
        let files = BTreeMap::from([(name, weights.to_owned())]);
        let mut tasks = vec![fetch("alexnet", files.clone())];
        tasks.extend(fetch_runtime());
        tasks.extend(self.exported("alexnet", weights, files, Some("fetch/alexnet"), "--weights"));
        tasks
    }

    /// BERT for question answering: the article's network from its public home, or the folder that the user put in its place.
    pub fn bert_qa(&self) -> Vec<Task> {
        let folder = ExportModel::BertQa.default_weights();
        let own = own_bert();
        let mut files: BTreeMap<String, PathBuf> = match own {
            true => BTreeMap::from([entry(folder.join("config.json"))]),
            false => BERT_QA.map(|name| entry(folder.join(name))).into(),
        };
        let mut tasks = Vec::new();
        if !own {
            tasks.push(fetch("bert-qa", files.clone()));
        }
        let found = std::fs::read_dir(workspace::root().join(folder)).into_iter().flatten().flatten();
        let parts = found.map(|file| folder.join(file.file_name())).filter(|path| {
            let ending = path.extension().unwrap_or_default();
            ["safetensors", "bin", "json", "txt"].iter().any(|known| ending == *known) && !path.ends_with(FIRST_FETCH)
        });
        files.extend(parts.map(entry));
        tasks.extend(fetch_runtime());
        tasks.extend(self.exported("bert-qa", folder, files, (!own).then_some("fetch/bert-qa"), "--hf-dir"));
        tasks
    }

    /// Export, and the evaluation of the file beside Burn, which finds the weights by `option`.
    fn exported(
        &self,
        network: &str,
        weights: &Path,
        inputs: BTreeMap<String, PathBuf>,
        after: Option<&str>,
        option: &str,
    ) -> [Task; 2] {
        let folder = self.artifacts.join(network);
        let file = |name: String| (format!("{network}/{name}"), folder.join(name));
        let model = file(format!("{network}.onnx"));
        let runtime = "fetch/onnxruntime".to_owned();
        let before = after.map(str::to_owned).into_iter();
        let export = Task {
            stage: Stage {
                name: format!("{network}/export"),
                parameters: [("--opset".to_owned(), json!(11))].into(),
                inputs: inputs.clone(),
                code: Some(self.export),
                outputs: [model.clone()].into(),
                after: before.chain([runtime.clone()]).collect(),
                declared: false,
            },
            program: Program::Export,
            arguments: words(&[
                network,
                "--opset=11",
                &format!("--weights={}", weights.display()),
                &format!("--out={}", model.1.display()),
            ]),
        };
        let report = file("eval.json".to_owned());
        let arguments = words(&[
            network,
            &format!("--model={}", model.1.display()),
            &format!("{option}={}", weights.display()),
            &format!("--seconds={}", self.seconds),
            &format!("--out={}", report.1.display()),
        ]);
        let mut read = inputs;
        read.extend([model, (RUNTIME.to_owned(), library())]);
        let eval = Task {
            stage: Stage {
                name: format!("{network}/eval"),
                parameters: [("--seconds".to_owned(), json!(self.seconds))].into(),
                inputs: read,
                code: Some(self.eval),
                outputs: [report, file("eval.html".to_owned())].into(),
                after: vec![runtime, format!("{network}/export")],
                declared: false,
            },
            program: Program::Eval,
            arguments,
        };
        [export, eval]
    }
}

/// A file under its path from the workspace's root.
fn entry(path: PathBuf) -> (String, PathBuf) {
    (path.display().to_string(), path)
}
