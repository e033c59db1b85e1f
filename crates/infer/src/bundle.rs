//! `infer bundle`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::bundle::manifest::Manifest;
use ::bundle::verify::{Findings, is_bundle, verify};
use ::bundle::write::{Parts, write};
use anyhow::{Context, Result, bail};
use catalogue::{ARTIFACTS, Card, NetworkId};
use cli::bundle::{BundleArgs, BundleOptions};
use cli::task::suit;
use engines::engine::Signature;
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

use crate::task::{Asked, shape, with_task};

/// Writes a bundle or checks one.
pub fn execute(arguments: &BundleArgs) -> Result<ExitCode> {
    match (&arguments.verify, arguments.network) {
        (Some(folder), _) => check(folder, arguments.folder.json),
        (None, Some(network)) => bundle(network, arguments),
        (None, None) => bail!("name a network, or a bundle with --verify"),
    }
}

fn bundle(network: NetworkId, arguments: &BundleArgs) -> Result<ExitCode> {
    let card = network.card();
    suit(card.name, network.task(), arguments.task.given()).map_err(anyhow::Error::msg)?;
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let asked = Asked {
        data: &arguments.task,
        weights: &weights,
        limit: None,
        squad: None,
        sequence: None,
        question: Some((&arguments.question, &arguments.context)),
    };
    let options = &arguments.folder;
    with_network!(network, N => {
        ship(card, options, &shape::<N>(network, &asked)?, N::WHAT, || {
            with_task!(N, network, &asked, task => Ok(task.shipped()?))
        })
    })
}

/// Writes a bundle of the network that takes and gives this, and says where it is.
///
/// # Errors
/// When there is no ONNX file of this network, or its evaluation is none or did not pass, or the folder holds something else.
pub fn ship(
    card: &Card,
    options: &BundleOptions,
    signature: &Signature,
    what: &str,
    shipped: impl FnOnce() -> Result<Shipped>,
) -> Result<ExitCode> {
    let given = |path: &Option<PathBuf>, usual: PathBuf| path.clone().unwrap_or(usual);
    let onnx = given(&options.onnx, card.model());
    let evaluation = given(&options.evaluation, card.evaluation());
    for (path, command) in [(&onnx, "export"), (&evaluation, "eval")] {
        std::fs::File::open(path)
            .map_err(artifact::FileError::new("open", path))
            .with_context(|| format!("nothing to bundle (`{}` makes it)", card.command(command)))?;
    }
    let out = given(&options.out, Path::new(ARTIFACTS).join("bundle").join(card.name));
    artifact::check_replaceable(&out, is_bundle)?;
    let Shipped { example, about, labels, files } = shipped()?;
    let mut engine = start(&onnx)?;
    require(&engine, &onnx, signature, what)?;
    let parts = Parts {
        name: card.name,
        model: &onnx,
        evaluation: &evaluation,
        evaluated_by: &card.command("eval"),
        example,
        about: &about,
        labels: labels.map(|names| names.iter().map(|name| format!("{name}\n")).collect()),
        files,
        max_batch: options.max_batch,
        revision: options.revision.clone(),
    };
    let manifest = write(&parts, &mut engine, &out)?;
    match options.json {
        true => crate::print(serde_json::to_string_pretty(&manifest)? + "\n")?,
        false => crate::print(summary(&manifest, &out))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The model under ONNX Runtime, in a process of its own.
fn start(model: &Path) -> Result<RemoteEngine> {
    let (launcher, library) = runtime()?;
    Ok(launcher.engine(&spec(library, model))?)
}

fn runtime() -> Result<(Launcher, PathBuf)> {
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let library = Libraries::find(&catalogue::datasets(), launcher.clone())?.for_provider(&Provider::Cpu)?;
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

/// Checks a bundle whole, and prints what was found.
///
/// # Errors
/// When the folder cannot be read, or there is no runtime.
pub fn check(folder: &Path, as_json: bool) -> Result<ExitCode> {
    let (launcher, library) = runtime()?;
    let findings = verify(folder, |model| launcher.engine(&spec(library, model)))?;
    let Findings { name, files, problems, example } = &findings;
    let passed = problems.is_empty();
    if as_json {
        let example = example.map(|(difference, limit)| json!({"difference": difference, "limit": limit}));
        let value = json!({"passed": passed, "name": name, "files": files, "problems": problems, "example": example});
        crate::print(serde_json::to_string_pretty(&value)? + "\n")?;
    } else {
        let mut text: String = problems.iter().map(|problem| format!("FAILED: {problem}.\n")).collect();
        if let (true, Some((difference, limit))) = (passed, example) {
            text = format!(
                "{name}: {files} files are what the manifest says, the configuration agrees with the model, and the example \
                 gives its answer (difference {difference:.1e} of the largest value, limit {limit:.1e}).\n"
            );
        }
        crate::print(text)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
