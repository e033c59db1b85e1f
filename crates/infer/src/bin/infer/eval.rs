//! `infer eval`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use artifact::{AtomicFile, FileError};
use cli::eval::{EvalArgs, EvalNetwork};
use infer::burn_mnist::BurnMnist;
use infer::engine::{Engine, EngineError};
use infer::fingerprint::Fingerprint;
use infer::mnist::evaluate::{time, validate};
use infer::mnist::report::{EnginePlacement, Load, Report};
use infer::mnist::{batch, check_signature, test_digits};
use infer::progress::Progress;
use infer::runtime::Runtime;
use infer::session::{Session, SessionOptions};
use infer::tensor::NamedTensor;
use infer::threads;
use models::mnist_digits::Digits;

/// Evaluates, prints and writes the report. The exit status says whether the digits agree.
pub fn execute(arguments: &EvalArgs) -> Result<ExitCode> {
    let EvalNetwork::Mnist = arguments.network;
    threads::limit(arguments.threads).context("cannot start the worker threads")?;
    let digits = digits(arguments)?;
    let runtime = Runtime::load(Path::new(crate::FETCHED_LIBRARY))?;
    // A report that cannot be written is known before the minutes that it takes.
    let mut out = AtomicFile::create(&arguments.out)?;
    let report = evaluate(arguments, &digits, &runtime)?;
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", &arguments.out))?;
    out.commit()?;
    match arguments.json {
        true => crate::print(&json)?,
        false => crate::print(&format!("{}Report: {}\n", report.text(), arguments.out.display()))?,
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn evaluate(arguments: &EvalArgs, digits: &Digits, runtime: &Runtime) -> Result<Report> {
    let EvalArgs { model, weights, .. } = arguments;
    let settings = SessionOptions { threads: arguments.threads, ..SessionOptions::default() };
    let (burn, burn_load) = timed(|| BurnMnist::load(weights));
    let mut burn = burn.context("no usable weights (`cargo xtask train` makes them)")?;
    let (ort, ort_load) = timed(|| Session::open(runtime, model, settings.clone()));
    let mut ort = ort.context("no usable model (`cargo xtask export mnist` makes it)")?;
    check_signature(&ort, model)?;
    let fingerprint = Fingerprint::take(runtime, &[("model", model), ("weights", weights)])?;
    let notes = notes(&ort, &fingerprint)?;

    let sample = [batch([digits.image(0).unwrap_or_default()])?];
    let load = vec![
        Load { engine: burn.name().to_owned(), load_ms: burn_load, first_run_ms: first_run(&mut burn, &sample)? },
        Load { engine: ort.name().to_owned(), load_ms: ort_load, first_run_ms: first_run(&mut ort, &sample)? },
    ];

    let progress = Progress::new("validating");
    let validation = validate(&mut burn, &mut ort, digits, |share| progress.set(share))?;
    drop(progress);

    let placement = vec![
        EnginePlacement { engine: burn.name().to_owned(), placement: burn.placement(&sample)? },
        EnginePlacement { engine: ort.name().to_owned(), placement: ort.placement(&sample)? },
    ];

    let mut timing = Vec::new();
    for size in batches(&arguments.batches) {
        let progress = Progress::new(&format!("timing batch {size}"));
        let least = Duration::from_secs_f64(arguments.seconds);
        timing.push(time([&mut burn, &mut ort], digits, size, least, |share| progress.set(share))?);
    }
    Ok(Report {
        network: "mnist".to_owned(),
        passed: validation.passed(),
        notes,
        load,
        validation,
        placement,
        timing,
        settings,
        fingerprint,
    })
}

fn digits(arguments: &EvalArgs) -> Result<Digits> {
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
fn notes(ort: &Session, fingerprint: &Fingerprint) -> Result<Vec<String>, EngineError> {
    let metadata = ort.metadata()?;
    let exported = metadata.entries.get("weights.sha256");
    let given = fingerprint.files.get("weights").map(|mark| mark.sha256.to_string());
    let mut notes = Vec::new();
    if let (Some(exported), Some(given)) = (exported, given)
        && *exported != given
    {
        notes.push("the model says that it was exported from other weights than these".to_owned());
    }
    Ok(notes)
}

/// The milliseconds that one run takes.
fn first_run(engine: &mut dyn Engine, sample: &[NamedTensor]) -> Result<f64, EngineError> {
    let (outputs, milliseconds) = timed(|| engine.run(sample));
    outputs.map(|_| milliseconds)
}

/// The result, and the milliseconds that it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64() * 1e3)
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
