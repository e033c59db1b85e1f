//! `infer bundle`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::bundle::SIGNATURE;
use ::bundle::key::{PrivateKey, PublicKey};
use ::bundle::manifest::Manifest;
use ::bundle::verify::{Findings, Origin, is_bundle, verify};
use ::bundle::write::{Parts, write};
use anyhow::{Context, Result, bail};
use catalogue::{ARTIFACTS, Card, NetworkId, TaskKind, WeightSource};
use cli::bundle::{BundleArgs, BundleOptions};
use cli::eval::EvalOnnxArgs;
use cli::sandbox::SandboxArgs;
use cli::task::{FileTask, suit};
use engines::engine::Signature;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::signature::require;
use engines::worker::EngineSpec;
use engines::worker::remote::{Launcher, RemoteEngine};
use evaluation::command::named;
use evaluation::task::{Shipped, Task as _};
use networks::network::Network as _;
use networks::with_network;
use serde_json::json;
use terminal::plain::line;

use crate::picture_file::{PictureFile, words};
use crate::task::{Asked, shape, with_task};

/// Writes a bundle or checks one.
pub fn execute(arguments: &BundleArgs) -> Result<ExitCode> {
    match (&arguments.verify, arguments.network, arguments.file.kind) {
        (Some(folder), _, _) => check(folder, &arguments.folder),
        (None, Some(network), None) => bundle(network, arguments),
        (None, None, Some(FileTask::ImageClassification)) => file(arguments),
        (None, Some(network), Some(_)) => bail!("--task is for a file from anywhere, and {network} is a network"),
        (None, None, None) => bail!("name a network, a file with --onnx and --task, or a bundle with --verify"),
    }
}

/// Bundles an ONNX file from anywhere that says what a picture shows.
fn file(arguments: &BundleArgs) -> Result<ExitCode> {
    suit("the file", TaskKind::Pictures, arguments.task.given_with_answers(TaskKind::Pictures))
        .map_err(anyhow::Error::msg)?;
    let options = &arguments.folder;
    let model = options.onnx.clone().context("--task is for a file, which --onnx names")?;
    let stem = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' };
    let name: String = stem.chars().map(plain).collect();
    let again = format!("cargo xtask eval{}", named("--onnx", &model));
    // Without pictures the file is evaluated as any other.
    let pictures = arguments.task.data.is_some() || !arguments.task.images.is_empty();
    let evaluated_by = if pictures { again + &words(&arguments.file, &arguments.task) } else { again };
    let subject = Subject {
        name: &name,
        model,
        evaluation: EvalOnnxArgs::OUT.into(),
        exported_by: None,
        evaluated_by,
        checked_by: XTASK_CHECK.to_owned(),
    };
    ship(&subject, options, None, || {
        let file = PictureFile::read(&subject.model, &arguments.file, &arguments.task).context("--onnx")?;
        Ok(file.task(&arguments.task)?.shipped()?)
    })
}

/// The subcommand that checks a bundle.
const CHECK: &str = "bundle --verify";

/// The command that checks a bundle, but for the folder.
const XTASK_CHECK: &str = "cargo xtask bundle --verify";

/// What is bundled, with its files in their usual places.
pub struct Subject<'a> {
    /// Its name, in the model repository too.
    pub name: &'a str,
    /// The ONNX file.
    pub model: PathBuf,
    /// Its evaluation.
    pub evaluation: PathBuf,
    /// The command that makes the ONNX file, if there is one.
    pub exported_by: Option<String>,
    /// The command that makes the evaluation.
    pub evaluated_by: String,
    /// The command that checks a bundle, but for the folder.
    pub checked_by: String,
}

impl<'a> From<&'a Card> for Subject<'a> {
    fn from(card: &'a Card) -> Self {
        Self {
            name: card.name,
            model: card.model(),
            evaluation: card.evaluation(),
            exported_by: Some(card.command("export")),
            evaluated_by: card.command("eval"),
            checked_by: match card.weights {
                WeightSource::Own { .. } => card.command(CHECK),
                _ => XTASK_CHECK.to_owned(),
            },
        }
    }
}

fn bundle(network: NetworkId, arguments: &BundleArgs) -> Result<ExitCode> {
    let card = network.card();
    suit(card.name, network.task(), arguments.task.given_with_answers(network.task())).map_err(anyhow::Error::msg)?;
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let asked = Asked {
        learnt: false,
        data: &arguments.task,
        weights: &weights,
        limit: None,
        squad: None,
        sequence: None,
        question: Some((&arguments.question, &arguments.context)),
        folder: None,
    };
    let options = &arguments.folder;
    with_network!(network, N => {
        ship(&card.into(), options, Some((&shape::<N>(network, &asked)?, N::WHAT)), || {
            with_task!(N, network, &asked, task => Ok(task.shipped()?))
        })
    })
}

/// Writes a bundle, and says where it is. `network` is what the file must take and give, and what it is then, where that is known.
///
/// # Errors
/// When there is no ONNX file of this network, or its evaluation is none or did not pass, or the folder holds something else.
pub fn ship(
    subject: &Subject<'_>,
    options: &BundleOptions,
    network: Option<(&Signature, &str)>,
    shipped: impl FnOnce() -> Result<Shipped>,
) -> Result<ExitCode> {
    let given = |path: &Option<PathBuf>, usual: PathBuf| path.clone().unwrap_or(usual);
    let onnx = given(&options.onnx, subject.model.clone());
    let evaluation = given(&options.evaluation, subject.evaluation.clone());
    for (path, command) in [(&onnx, subject.exported_by.as_ref()), (&evaluation, Some(&subject.evaluated_by))] {
        let ways = command.map(|command| format!(" (`{command}` makes it)")).unwrap_or_default();
        std::fs::File::open(path)
            .map_err(artifact::FileError::new("open", path))
            .with_context(|| format!("nothing to bundle{ways}"))?;
    }
    let key = options.sign.as_deref().map(PrivateKey::read).transpose().context("--sign")?;
    let out = given(&options.out, Path::new(ARTIFACTS).join("bundle").join(subject.name));
    artifact::check_replaceable(&out, is_bundle)?;
    let Shipped { example, about, labels, files } = shipped()?;
    let mut engine = start(&onnx, options.sandbox)?;
    if let Some((signature, what)) = network {
        require(&engine, &onnx, signature, what)?;
    }
    let parts = Parts {
        name: subject.name,
        model: &onnx,
        evaluation: &evaluation,
        evaluated_by: &subject.evaluated_by,
        checked_by: &subject.checked_by,
        example,
        about: &about,
        labels: labels.map(|names| names.iter().map(|name| format!("{name}\n")).collect()),
        files,
        max_batch: options.max_batch,
        revision: options.revision.clone(),
        key,
    };
    let manifest = write(&parts, &mut engine, &out)?;
    match options.json {
        true => crate::print(serde_json::to_string_pretty(&manifest)? + "\n")?,
        false => crate::print(summary(&manifest, &out, &subject.checked_by, parts.key.as_ref()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The model under ONNX Runtime, in a process of its own.
fn start(model: &Path, sandbox: SandboxArgs) -> Result<RemoteEngine> {
    let (launcher, library) = runtime(sandbox)?;
    Ok(launcher.engine(&spec(library, model))?)
}

fn runtime(sandbox: SandboxArgs) -> Result<(Launcher, PathBuf)> {
    let launcher = crate::measure::confined(sandbox)?;
    let library = Libraries::find(&catalogue::datasets(), launcher.clone())?.for_provider(&Provider::Cpu)?;
    Ok((launcher, library))
}

fn spec(library: PathBuf, model: &Path) -> EngineSpec {
    EngineSpec::Ort { library, model: model.to_owned(), options: SessionOptions::default() }
}

fn summary(manifest: &Manifest, out: &Path, check: &str, key: Option<&PrivateKey>) -> String {
    let bytes: u64 = manifest.files.values().map(|file| file.bytes).sum();
    let random = manifest.model.metadata.get("weights.random_init");
    let random = random
        .map_or_else(String::new, |seed| line(format_args!("RANDOM WEIGHTS (seed {seed}): its answers mean nothing.")));
    let bundled = line(format_args!(
        "Bundled {}: {} files, {:.1} MiB, batches of up to {}",
        manifest.name,
        // The manifest, the checksums and the signature list themselves nowhere.
        manifest.files.len() + 2 + usize::from(key.is_some()),
        bytes as f64 / f64::from(1 << 20),
        manifest.max_batch_size.max(1),
    ));
    let example = line(format_args!("The example is {}.", manifest.example.about));
    let signed = key.map_or_else(String::new, |key| {
        line(format_args!("Signed in {SIGNATURE} by the key with the SHA-256 {}.", key.public().hint()))
    });
    let how = if key.is_some() { " --key PUBLIC.pem" } else { "" };
    random + &bundled + &example + &signed + &line(format_args!("To check it: {check} {}{how}", out.display()))
}

/// Checks a bundle whole, with a key also whose it is, and prints what was found.
///
/// # Errors
/// When the folder or the key cannot be read, or there is no runtime.
pub fn check(folder: &Path, options: &BundleOptions) -> Result<ExitCode> {
    let key = options.key.as_deref().map(PublicKey::read).transpose().context("--key")?;
    let (launcher, library) = runtime(options.sandbox)?;
    let findings = verify(folder, key.as_ref(), |model| launcher.engine(&spec(library, model)))?;
    let Findings { name, files, problems, origin, example } = &findings;
    let passed = problems.is_empty();
    if options.json {
        let example = example.map(|(difference, limit)| json!({"difference": difference, "limit": limit}));
        let value = json!({
            "passed": passed, "name": name, "files": files, "problems": problems, "origin": origin, "example": example,
        });
        crate::print(serde_json::to_string_pretty(&value)? + "\n")?;
    } else {
        let mut text: String = problems.iter().map(|problem| line(format_args!("FAILED: {problem}."))).collect();
        if let (true, Some((difference, limit))) = (passed, example) {
            text = line(format_args!(
                "{name}: {files} files are what the manifest says, the configuration agrees with the model, and the example \
                 gives its answer (difference {difference:.1e} of the largest value, limit {limit:.1e})."
            ));
            text += &match (origin, &options.key) {
                (Origin::Proven, Some(key)) => line(format_args!("{} signed exactly these files.", key.display())),
                (Origin::Unchecked, _) => line(format_args!(
                    "Whose it is was not checked: it is signed, and --key FILE with the signer's public key checks that."
                )),
                _ => line("Whose it is nobody can tell: it is not signed."),
            };
        }
        crate::print(text)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
