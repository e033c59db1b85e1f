//! `infer bundle`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::bundle::{BundleArgs, BundleModel};
use infer::alexnet;
use infer::bundle::manifest::Manifest;
use infer::bundle::verify::{Findings, is_bundle, verify};
use infer::bundle::write::{Parts, write};
use infer::libraries::Libraries;
use infer::mnist::{self, test_digits};
use infer::provider::Provider;
use infer::question_answering;
use infer::session::SessionOptions;
use infer::tensor::NamedTensor;
use infer::worker::EngineSpec;
use infer::worker::remote::{Launcher, RemoteEngine};
use models::bert::TokenBatch;
use models::imagenet::{Labels, preprocess_file};
use models::question_answering::WindowOptions;
use serde_json::json;

use crate::bert::text_side;

/// What a tokenizer is made of, and the network's configuration.
const TEXT_SIDE: [&str; 5] =
    ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"];

/// Writes a bundle or checks one.
pub fn execute(arguments: &BundleArgs) -> Result<ExitCode> {
    match (&arguments.verify, arguments.model) {
        (Some(folder), _) => check(folder, arguments.json),
        (None, Some(model)) => bundle(model, arguments),
        (None, None) => bail!("name a network, or a bundle with --verify"),
    }
}

fn bundle(model: BundleModel, arguments: &BundleArgs) -> Result<ExitCode> {
    let name = model.name();
    let given = |path: &Option<PathBuf>, file: String| path.clone().unwrap_or_else(|| model.artifacts().join(file));
    let onnx = given(&arguments.onnx, format!("{name}.onnx"));
    let evaluation = given(&arguments.evaluation, "eval.json".to_owned());
    for (path, command) in [(&onnx, "export"), (&evaluation, "eval")] {
        std::fs::File::open(path)
            .map_err(artifact::FileError::new("open", path))
            .with_context(|| format!("nothing to bundle (`cargo xtask {command} {name}` makes it)"))?;
    }
    let out = arguments.out.clone().unwrap_or_else(|| Path::new("artifacts/bundle").join(name));
    artifact::check_replaceable(&out, is_bundle)?;
    let Beside { example, about, labels, files } = beside(model, arguments)?;
    let mut engine = start(&onnx)?;
    match model {
        BundleModel::Mnist => mnist::check_signature(&engine, &onnx)?,
        BundleModel::Alexnet => alexnet::check_signature(&engine, &onnx)?,
        BundleModel::BertQa => question_answering::check_signature(&engine, &onnx)?,
    }
    let parts = Parts {
        name,
        model: &onnx,
        evaluation: &evaluation,
        example,
        about: &about,
        labels,
        files,
        max_batch: arguments.max_batch,
        revision: arguments.revision.clone(),
    };
    let manifest = write(&parts, &mut engine, &out)?;
    match arguments.json {
        true => crate::print(&(serde_json::to_string_pretty(&manifest)? + "\n"))?,
        false => crate::print(&summary(&manifest, &out))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What goes with a model.
struct Beside {
    /// The input of the example.
    example: Vec<NamedTensor>,
    /// What the example is made of.
    about: String,
    /// The names of the classes.
    labels: Option<String>,
    /// Further files by their places.
    files: BTreeMap<String, PathBuf>,
}

/// The example, the names of the classes, and the files that go with the model.
fn beside(model: BundleModel, arguments: &BundleArgs) -> Result<Beside> {
    let lines = |names: Vec<String>| Some(names.iter().map(|name| format!("{name}\n")).collect());
    match model {
        BundleModel::Mnist => {
            let digits = test_digits(&arguments.data)
                .context("no usable MNIST for the example (`cargo xtask fetch mnist` gets it)")?;
            let first = digits.image(0).context("MNIST holds no test image")?;
            let digits = (0..models::mnist_cnn::CLASSES).map(|digit| digit.to_string()).collect();
            Ok(Beside {
                example: vec![mnist::batch([first])?],
                about: "the test image 0 of MNIST".to_owned(),
                labels: lines(digits),
                files: BTreeMap::new(),
            })
        }
        BundleModel::Alexnet => {
            let (pixels, about) = match &arguments.image {
                Some(image) => (preprocess_file(image)?, format!("the picture {}", file_name(image))),
                None => (alexnet::made_up_picture(), MADE_UP.to_owned()),
            };
            let labels = Labels::read(&arguments.labels)
                .context("no usable names of the classes (`cargo xtask fetch imagenet-labels` gets them)")?;
            let names: Option<Vec<String>> = (0..models::alexnet::CLASSES).map(|class| labels.name(class)).collect();
            let names = names.context("a class has no name")?;
            Ok(Beside { example: vec![alexnet::batch(pixels)?], about, labels: lines(names), files: BTreeMap::new() })
        }
        BundleModel::BertQa => {
            let (tokenizer, config) = text_side(&arguments.hf_dir)?;
            let length = WindowOptions::default().length.min(config.max_position_embeddings);
            let options = WindowOptions { length, ..WindowOptions::default() };
            let windows = tokenizer.windows(&arguments.question, &arguments.context, &options)?;
            let window = windows.first().context("the question has no tokens")?;
            let batch = TokenBatch::padded(&[window.sequence()], &config)?;
            let files = TEXT_SIDE.iter().map(|name| (format!("tokenizer/{name}"), arguments.hf_dir.join(name)));
            Ok(Beside {
                example: question_answering::inputs(&batch)?,
                about: format!("the question \"{}\" about \"{}\"", arguments.question, arguments.context),
                labels: None,
                files: files.filter(|(_, path)| path.is_file()).collect(),
            })
        }
    }
}

/// What the example of AlexNet is made of where no picture is given.
const MADE_UP: &str = "a made-up picture, a disc before a slope of colours, since no --image was given";

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The model under ONNX Runtime, in a process of its own.
fn start(model: &Path) -> Result<RemoteEngine> {
    let (launcher, library) = runtime()?;
    Ok(launcher.engine(&spec(library, model))?)
}

fn runtime() -> Result<(Launcher, PathBuf)> {
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let library = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?.for_provider(&Provider::Cpu)?;
    Ok((launcher, library))
}

fn spec(library: PathBuf, model: &Path) -> EngineSpec {
    EngineSpec::Ort { library, model: model.to_owned(), options: SessionOptions::default() }
}

fn summary(manifest: &Manifest, out: &Path) -> String {
    let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
    let random = manifest.model.metadata.get("weights.random_init");
    let random =
        random.map_or_else(String::new, |seed| format!("RANDOM WEIGHTS (seed {seed}): its answers mean nothing.\n"));
    format!(
        "{random}Bundled {}: {} files, {:.1} MiB, batches of up to {}\nThe example is {}.\nTo check it: cargo xtask bundle \
         --verify {}\n",
        manifest.name,
        manifest.files.len() + 2,
        bytes as f64 / f64::from(1 << 20),
        manifest.max_batch_size.max(1),
        manifest.example.about,
        out.display()
    )
}

fn check(folder: &Path, as_json: bool) -> Result<ExitCode> {
    let (launcher, library) = runtime()?;
    let findings = verify(folder, |model| launcher.engine(&spec(library, model)))?;
    let Findings { name, files, problems, example } = &findings;
    let passed = problems.is_empty();
    if as_json {
        let example = example.map(|(difference, limit)| json!({"difference": difference, "limit": limit}));
        let value = json!({"passed": passed, "name": name, "files": files, "problems": problems, "example": example});
        crate::print(&(serde_json::to_string_pretty(&value)? + "\n"))?;
    } else {
        let mut text: String = problems.iter().map(|problem| format!("FAILED: {problem}.\n")).collect();
        if let (true, Some((difference, limit))) = (passed, example) {
            text = format!(
                "{name}: {files} files are what the manifest says, the configuration agrees with the model, and the example \
                 gives its answer (difference {difference:.1e} of the largest value, limit {limit:.1e}).\n"
            );
        }
        crate::print(&text)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
