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
use infer::mnist::evaluate::{Candidate, Outcome, sweep, timed_batch, validate};
use infer::mnist::page::page;
use infer::mnist::report::{EngineReport, Report, Settings};
use infer::mnist::training::history;
use infer::mnist::{batch, check_signature, test_digits};
use infer::progress::Progress;
use infer::provider::Provider;
use infer::session::SessionOptions;
use infer::subject::{Subject, time};
use infer::worker::EngineSpec;
use infer::worker::remote::Launcher;
use models::mnist_digits::Digits;

use super::providers::{asked, options_for};
use super::write_page;

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalMnistArgs) -> Result<ExitCode> {
    let digits = digits(arguments)?;
    // A report that cannot be written is known before the minutes that it takes.
    let mut out = AtomicFile::create(&arguments.out)?;
    let earlier = arguments.compare.as_deref().map(earlier).transpose()?;
    let mut report = evaluate(arguments, &digits)?;
    if let (Some(path), Some(earlier)) = (&arguments.compare, &earlier) {
        report.compare(path.clone(), earlier);
    }
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", &arguments.out))?;
    out.commit()?;
    let page = write_page(&arguments.out, &page(&report, &digits))?;
    match arguments.json {
        true => crate::print(&json)?,
        false => {
            let files = format!("Report: {}, {}\n", arguments.out.display(), page.display());
            crate::print(&(report.text() + &files))?;
        }
    }
    let failed = !report.passed || (arguments.fail_if_slower && report.is_slower());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A report to compare with; read before the work, so that a wrong one is known at once.
fn earlier(path: &Path) -> Result<Report> {
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no report of `eval mnist`", path.display()))
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
    for provider in asked(&arguments.providers)? {
        let started = engine(arguments, provider, &launcher, &mut libraries);
        candidates.push(Candidate::new(Subject::new(&provider.engine_name(), Some(provider), started)));
    }
    let sample = [batch([digits.image(0).unwrap_or_default()])?];
    everyone(&mut reference, &mut candidates).into_iter().for_each(|subject| subject.start(&sample));

    let progress = Progress::new("validating");
    let (readings, accuracy) = validate(&mut reference, &mut candidates, digits, |share| progress.set(share))?;
    drop(progress);
    let mut exact = launcher.engine(&burn(true))?;
    sweep(reference.required()?, &mut exact, &mut candidates, digits)?;
    drop(exact);

    let mut timing = Vec::new();
    let least = Duration::from_secs_f64(arguments.seconds);
    for size in batches(&arguments.batches) {
        let progress = Progress::new(&format!("timing batch {size}"));
        let inputs = [timed_batch(digits, size)?];
        let mut subjects = everyone(&mut reference, &mut candidates);
        timing.push(time(&mut subjects, &inputs, size, least, |share| progress.set(share)));
    }
    let mut subjects = everyone(&mut reference, &mut candidates);
    subjects.iter_mut().for_each(|subject| subject.finish());
    let notes = notes(&subjects, &fingerprint);

    let outcome = Outcome { accuracy: Some(accuracy), ..Outcome::default() };
    let framework = EngineReport { row: reference.row.clone(), outcome };
    let others = candidates
        .iter()
        .map(|candidate| EngineReport { row: candidate.subject.row.clone(), outcome: candidate.outcome.clone() });
    let engines: Vec<EngineReport> = std::iter::once(framework).chain(others).collect();
    Ok(Report {
        network: "mnist".to_owned(),
        passed: engines.iter().all(|engine| engine.row.error.is_none() && engine.outcome.passed()),
        notes,
        training: fingerprint.files.get("weights").map(|mark| history(weights, &mark.sha256)).unwrap_or_default(),
        reference: readings,
        engines,
        timing,
        compared: None,
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
        provider_options: options_for(&arguments.providers, provider),
        threads: arguments.threads,
        ..SessionOptions::default()
    };
    let library = libraries.for_provider(provider)?;
    let engine = launcher.engine(&EngineSpec::Ort { library, model: arguments.model.clone(), options })?;
    check_signature(&engine, &arguments.model)?;
    Ok(engine)
}

fn everyone<'a>(reference: &'a mut Subject, candidates: &'a mut [Candidate]) -> Vec<&'a mut Subject> {
    std::iter::once(reference).chain(candidates.iter_mut().map(|candidate| &mut candidate.subject)).collect()
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
