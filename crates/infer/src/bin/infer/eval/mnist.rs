//! `infer eval mnist`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact::{AtomicFile, FileError};
use cli::eval::EvalMnistArgs;
use infer::engine::EngineError;
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::mnist::evaluate::{Subject, finish, start, sweep, time, validate};
use infer::mnist::report::{Report, Settings};
use infer::mnist::{check_signature, test_digits};
use infer::progress::Progress;
use infer::provider::{Provider, ProviderOptions};
use infer::session::SessionOptions;
use infer::worker::EngineSpec;
use infer::worker::remote::Launcher;
use models::mnist_digits::Digits;

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalMnistArgs) -> Result<ExitCode> {
    let digits = digits(arguments)?;
    // A report that cannot be written is known before the minutes that it takes.
    let mut out = AtomicFile::create(&arguments.out)?;
    let report = evaluate(arguments, &digits)?;
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", &arguments.out))?;
    out.commit()?;
    match arguments.json {
        true => crate::print(&json)?,
        false => crate::print(&format!("{}Report: {}\n", report.text(), arguments.out.display()))?,
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn evaluate(arguments: &EvalMnistArgs, digits: &Digits) -> Result<Report> {
    let EvalMnistArgs { model, weights, .. } = arguments;
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let mut libraries = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?;
    let burn = |exact| EngineSpec::BurnMnist { weights: weights.clone(), threads: arguments.threads, exact };
    let native = launcher.engine(&burn(false)).context("no usable weights (`cargo xtask train` makes them)")?;
    std::fs::File::open(model)
        .map_err(FileError::new("open", model))
        .context("no usable model (`cargo xtask export mnist` makes it)")?;
    let fingerprint = Fingerprint::take(&[("model", model), ("weights", weights)])?;

    let mut reference = Subject::new("burn", None, Ok(native));
    let mut candidates = Vec::new();
    for provider in providers(arguments)? {
        let started = engine(arguments, provider, &launcher, &mut libraries);
        candidates.push(Subject::new(&provider.engine_name(), Some(provider), started));
    }
    start(&mut everyone(&mut reference, &mut candidates), digits)?;

    let progress = Progress::new("validating");
    let readings = validate(&mut reference, &mut candidates, digits, |share| progress.set(share))?;
    drop(progress);
    let mut exact = launcher.engine(&burn(true))?;
    reference.attempt(|native| sweep(native, &mut exact, &mut candidates, digits));
    drop(exact);

    let mut timing = Vec::new();
    let least = Duration::from_secs_f64(arguments.seconds);
    for size in batches(&arguments.batches) {
        let progress = Progress::new(&format!("timing batch {size}"));
        let mut subjects = everyone(&mut reference, &mut candidates);
        timing.push(time(&mut subjects, digits, size, least, |share| progress.set(share))?);
    }
    finish(&mut everyone(&mut reference, &mut candidates));

    let mut subjects = everyone(&mut reference, &mut candidates);
    Ok(Report {
        network: "mnist".to_owned(),
        passed: subjects.iter().all(|subject| subject.passed()),
        notes: notes(&subjects, &fingerprint),
        reference: readings,
        engines: subjects.iter_mut().map(|subject| subject.row.clone()).collect(),
        timing,
        settings: Settings {
            threads: arguments.threads,
            optimization: SessionOptions::default().optimization,
            seconds: arguments.seconds,
        },
        fingerprint,
    })
}

/// Starts ONNX Runtime with one provider and checks that the model is one for digits.
fn engine(
    arguments: &EvalMnistArgs,
    provider: Provider,
    launcher: &Launcher,
    libraries: &mut Libraries,
) -> Result<infer::worker::remote::RemoteEngine, EngineError> {
    let options = SessionOptions {
        provider,
        provider_options: provider_options(arguments, provider),
        threads: arguments.threads,
        ..SessionOptions::default()
    };
    let library = libraries.for_provider(provider)?;
    let engine = launcher.engine(&EngineSpec::Ort { library, model: arguments.model.clone(), options })?;
    check_signature(&engine, &arguments.model)?;
    Ok(engine)
}

fn everyone<'a>(reference: &'a mut Subject, candidates: &'a mut [Subject]) -> Vec<&'a mut Subject> {
    std::iter::once(reference).chain(candidates).collect()
}

/// The providers asked for, each once.
fn providers(arguments: &EvalMnistArgs) -> Result<Vec<Provider>> {
    let mut providers = Vec::new();
    for name in &arguments.providers {
        let provider = name.parse::<Provider>().context("--providers")?;
        if !providers.contains(&provider) {
            providers.push(provider);
        }
    }
    for option in &arguments.provider_options {
        let asked = providers.iter().any(|provider| provider.name() == option.provider);
        if !asked {
            bail!("--provider-option is for {}, which --providers does not name", option.provider);
        }
    }
    Ok(providers)
}

fn provider_options(arguments: &EvalMnistArgs, provider: Provider) -> ProviderOptions {
    let given = arguments.provider_options.iter().filter(|option| option.provider == provider.name());
    given.map(|option| (option.key.clone(), option.value.clone())).collect()
}

fn digits(arguments: &EvalMnistArgs) -> Result<Digits> {
    let folder = arguments.data.display();
    let mut digits = test_digits(&arguments.data)
        .with_context(|| format!("no usable MNIST in {folder} (`cargo xtask fetch mnist` gets it)"))?;
    if let Some(limit) = arguments.limit {
        if limit > digits.len() {
            bail!("--limit {limit} asks for more than the {} test images that there are", digits.len());
        }
        digits.truncate(limit);
    }
    Ok(digits)
}

/// The batch sizes in the order given, each once, one-image latency first.
fn batches(asked: &[usize]) -> Vec<usize> {
    let mut batches = vec![1];
    for &size in asked {
        if !batches.contains(&size) {
            batches.push(size);
        }
    }
    batches
}

/// What a reader should know before they trust the figures.
fn notes(subjects: &[&mut Subject], fingerprint: &Fingerprint) -> Vec<String> {
    let given = fingerprint.files.get("weights").map(|mark| mark.sha256.to_string());
    let metadata = subjects.iter().find_map(|subject| subject.engine()?.loaded().metadata.as_ref());
    let exported = metadata.and_then(|metadata| metadata.entries.get("weights.sha256"));
    let mut notes = Vec::new();
    if let (Some(exported), Some(given)) = (exported, given)
        && *exported != given
    {
        notes.push("the model says that it was exported from other weights than these".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::batches;

    #[test]
    fn one_image_is_always_timed_and_no_size_twice() {
        assert_eq!(batches(&[64, 8, 64]), [1, 64, 8]);
        assert_eq!(batches(&[1, 8]), [1, 8]);
        assert_eq!(batches(&[]), [1]);
    }
}
