//! `infer bundle`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::bundle::manifest::Manifest;
use ::bundle::verify::{Findings, is_bundle, verify};
use ::bundle::write::{Parts, write};
use anyhow::{Context, Result, bail};
use catalogue::{ARTIFACTS, NetworkId};
use cli::bundle::BundleArgs;
use cli::sandbox::SandboxArgs;
use cli::task::suit;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::signature::require;
use engines::worker::EngineSpec;
use engines::worker::remote::{Launcher, RemoteEngine};
use evaluation::task::{Shipped, Task as _};
use networks::network::Network as _;
use networks::with_network;
use serde_json::json;
use terminal::plain::line;

use crate::task::{Asked, shape, with_task};

/// Writes a bundle or checks one.
pub fn execute(arguments: &BundleArgs) -> Result<ExitCode> {
    match (&arguments.verify, arguments.network) {
        (Some(folder), _) => check(folder, arguments.json, arguments.sandbox),
        (None, Some(network)) => bundle(network, arguments),
        (None, None) => bail!("name a network, or a bundle with --verify"),
    }
}

fn bundle(network: NetworkId, arguments: &BundleArgs) -> Result<ExitCode> {
    let card = network.card();
    suit(card.name, card.task, arguments.task.given()).map_err(anyhow::Error::msg)?;
    let given = |path: &Option<PathBuf>, usual: PathBuf| path.clone().unwrap_or(usual);
    let onnx = given(&arguments.onnx, card.model());
    let evaluation = given(&arguments.evaluation, card.evaluation());
    for (path, command) in [(&onnx, "export"), (&evaluation, "eval")] {
        std::fs::File::open(path)
            .map_err(artifact::FileError::new("open", path))
            .with_context(|| format!("nothing to bundle (`cargo xtask {command} {}` makes it)", card.name))?;
    }
    let out = given(&arguments.out, Path::new(ARTIFACTS).join("bundle").join(card.name));
    artifact::check_replaceable(&out, is_bundle)?;
    let weights = given(&arguments.weights, card.weights());
    let asked = Asked {
        data: &arguments.task,
        weights: &weights,
        limit: None,
        squad: None,
        sequence: None,
        question: Some((&arguments.question, &arguments.context)),
    };
    let (shipped, signature, what) = with_network!(network, N => with_task!(N, card, &asked, task => {
        (task.shipped()?, shape::<N>(card, &asked)?, N::WHAT)
    }));
    let Shipped { example, about, labels, files } = shipped;
    let mut engine = start(&onnx, arguments.sandbox)?;
    require(&engine, &onnx, &signature, what)?;
    let parts = Parts {
        name: card.name,
        model: &onnx,
        evaluation: &evaluation,
        example,
        about: &about,
        labels: labels.map(|names| names.iter().map(|name| format!("{name}\n")).collect()),
        files,
        max_batch: arguments.max_batch,
        revision: arguments.revision.clone(),
    };
    let manifest = write(&parts, &mut engine, &out)?;
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&manifest)? + "\n")?,
        false => crate::print(summary(&manifest, &out))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The model under ONNX Runtime, in a process of its own.
fn start(model: &Path, sandbox: SandboxArgs) -> Result<RemoteEngine> {
    let (launcher, library) = runtime(sandbox)?;
    Ok(launcher.engine(&spec(library, model))?)
}

fn runtime(sandbox: SandboxArgs) -> Result<(Launcher, PathBuf)> {
    let launcher = crate::launcher(sandbox)?;
    let library = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?.for_provider(&Provider::Cpu)?;
    Ok((launcher, library))
}

fn spec(library: PathBuf, model: &Path) -> EngineSpec {
    EngineSpec::Ort { library, model: model.to_owned(), options: SessionOptions::default() }
}

fn summary(manifest: &Manifest, out: &Path) -> String {
    let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
    let random = manifest.model.metadata.get("weights.random_init");
    let random = random
        .map_or_else(String::new, |seed| line(format_args!("RANDOM WEIGHTS (seed {seed}): its answers mean nothing.")));
    let bundled = line(format_args!(
        "Bundled {}: {} files, {:.1} MiB, batches of up to {}",
        manifest.name,
        manifest.files.len() + 2,
        bytes as f64 / f64::from(1 << 20),
        manifest.max_batch_size.max(1),
    ));
    let example = line(format_args!("The example is {}.", manifest.example.about));
    random + &bundled + &example + &line(format_args!("To check it: cargo xtask bundle --verify {}", out.display()))
}

fn check(folder: &Path, as_json: bool, sandbox: SandboxArgs) -> Result<ExitCode> {
    let (launcher, library) = runtime(sandbox)?;
    let findings = verify(folder, |model| launcher.engine(&spec(library, model)))?;
    let Findings { name, files, problems, example } = &findings;
    let passed = problems.is_empty();
    if as_json {
        let example = example.map(|(difference, limit)| json!({"difference": difference, "limit": limit}));
        let value = json!({"passed": passed, "name": name, "files": files, "problems": problems, "example": example});
        crate::print(serde_json::to_string_pretty(&value)? + "\n")?;
    } else {
        let mut text: String = problems.iter().map(|problem| line(format_args!("FAILED: {problem}."))).collect();
        if let (true, Some((difference, limit))) = (passed, example) {
            text = line(format_args!(
                "{name}: {files} files are what the manifest says, the configuration agrees with the model, and the example \
                 gives its answer (difference {difference:.1e} of the largest value, limit {limit:.1e})."
            ));
        }
        crate::print(text)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
