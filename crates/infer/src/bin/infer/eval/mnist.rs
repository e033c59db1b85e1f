//! `infer eval mnist`.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact::FileError;
use cli::eval::EvalMnistArgs;
use infer::engine_name::EngineName;
use infer::field::{Field, expect};
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::measured::Head;
use infer::mnist::evaluate::{Outcome, cases, timed_batch, validate};
use infer::mnist::page::page;
use infer::mnist::report::{EngineReport, Report};
use infer::mnist::training::history;
use infer::mnist::{batch, check_signature, test_digits};
use infer::progress::Progress;
use infer::subject::Subject;
use infer::tensor::ElementType;
use infer::worker::EngineSpec;
use models::mnist_digits::{Digits, PIXELS, Split};

use super::engines::{Starter, asked, size_hint};
use super::search::Judged;
use super::trigger::{Again, hand_over};
use super::{
    batches, held, launcher, outputs, refuse_against, scenarios, session_note, settings, slower, start_report,
    write_page,
};

/// The batch sizes that are timed unless others are asked for.
const BATCHES: [usize; 4] = [1, 8, 64, 256];

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalMnistArgs) -> Result<ExitCode> {
    refuse_against(&arguments.measure)?;
    let digits = digits(arguments)?;
    let data = [Split::Test.images_file(), Split::Test.labels_file()].map(|name| arguments.data.join(name));
    let read = [&arguments.model, &arguments.weights].into_iter().chain(&data).map(PathBuf::as_path);
    let outputs = outputs(&arguments.measure, read);
    let mut out = start_report(&outputs, &arguments.out)?;
    let earlier = arguments.measure.compare.as_deref().map(earlier).transpose()?;
    let mut report = evaluate(arguments, &digits)?;
    if let (Some(path), Some(earlier)) = (&arguments.measure.compare, &earlier) {
        let rows = |report: &Report| report.engines.iter().map(|engine| engine.row.clone()).collect::<Vec<_>>();
        let now = rows(&report);
        report.head.compare(path.clone(), &now, &earlier.head, &rows(earlier));
    }
    let rows = report.engines.iter_mut().map(|engine| &mut engine.row);
    let notes = hand_over(rows, &arguments.out, &arguments.model, &arguments.measure, Again::default(), &outputs);
    report.head.notes.extend(notes);
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", &arguments.out))?;
    out.commit()?;
    let page = write_page(&outputs, &arguments.out, &page(&report, &digits))?;
    let all = crate::report::renew(&arguments.out);
    let slower = slower(&arguments.measure, &report.head);
    match arguments.measure.json {
        true => crate::print(&json)?,
        false => {
            let files = format!("Report: {}, {}\n{all}", arguments.out.display(), page.display());
            crate::print(&(report.text() + slower.as_deref().unwrap_or_default() + &files))?;
        }
    }
    Ok(if report.head.passed && slower.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A report to compare with; read before the work, so that a wrong one is known at once.
fn earlier(path: &Path) -> Result<Report> {
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no report of `eval mnist`", path.display()))
}

fn evaluate(arguments: &EvalMnistArgs, digits: &Digits) -> Result<Report> {
    let EvalMnistArgs { model, weights, measure, .. } = arguments;
    let asked = asked(&measure.engines)?;
    let needs = |size: usize| vec![(ElementType::Float, size.saturating_mul(PIXELS))];
    let (batches, undone) = held(&batches(&measure.batches, &BATCHES), needs);
    let launcher = launcher(measure)?;
    let libraries = RefCell::new(Libraries::find(Path::new(crate::DATASETS), launcher.clone())?);
    let burn = |exact| EngineSpec::BurnMnist { weights: weights.clone(), threads: measure.threads(), exact };
    let native = launcher.engine(&burn(false)).context("no usable weights (`cargo xtask train` makes them)")?;
    std::fs::File::open(model)
        .map_err(FileError::new("open", model))
        .context("no usable model (`cargo xtask export mnist` makes it)")?;
    let fingerprint = Fingerprint::take(&[("model", model), ("weights", weights)])?;

    let starter = Starter {
        launcher: &launcher,
        libraries: &libraries,
        model,
        threads: measure.threads(),
        arguments: &measure.engines,
    };
    let mut field = Field { reference: Subject::new("burn", None, Ok(native)), candidates: Vec::new() };
    let names: Vec<EngineName> = asked.into_iter().filter(|engine| *engine != EngineName::Burn).collect();
    field.candidates = names.iter().map(|name| starter.start(name, |engine| check_signature(engine, model))).collect();
    field.start(&[batch([digits.image(0).unwrap_or_default()])?]);

    let progress = Progress::new("validating");
    let (readings, accuracy, mut outcomes) = validate(&mut field, digits, |share| progress.set(share))?;
    drop(progress);
    let mut exact = launcher.engine(&burn(true))?;
    let expected = expect(&mut field.reference, &mut exact, cases(digits)?)?;
    drop(exact);
    let verifications = field.judge(&expected);
    let least = Duration::from_secs_f64(measure.seconds);
    let timing = field.time(&batches, least, |size| Ok(vec![timed_batch(digits, size)?]))?;
    let wanted = scenarios(&measure.scenario);
    let scenarios = field.scenarios(&wanted, measure.seconds, &timing, |size| Ok(vec![timed_batch(digits, size)?]))?;
    field.finish();

    let mut notes = notes(&field.everyone(), &fingerprint);
    notes.extend(Field::thread_notes(measure.threads()).into_iter().chain(session_note(&measure.engines)));
    if measure.bisect {
        let (expected, verifications) = (&expected, verifications.as_slice());
        let judged = Judged { starter: &starter, names: &names, expected, verifications, network: Some("mnist") };
        notes.extend(judged.bisect(&mut field.candidates, measure.against.as_deref()));
    }
    notes.extend(size_hint(&measure.engines, field.candidates.iter().map(|candidate| &candidate.row)));
    for (outcome, verification) in outcomes.iter_mut().zip(verifications) {
        outcome.verification = verification;
    }
    let framework = Outcome { accuracy: Some(accuracy), ..Outcome::default() };
    let outcomes = std::iter::once(framework).chain(outcomes);
    let engines: Vec<EngineReport> = field
        .everyone()
        .iter()
        .zip(outcomes)
        .map(|(subject, outcome)| EngineReport { row: subject.row.clone(), outcome })
        .collect();
    Ok(Report {
        training: fingerprint.files.get("weights").map(|mark| history(weights, &mark.sha256)).unwrap_or_default(),
        head: Head {
            network: "mnist".to_owned(),
            passed: undone.is_empty()
                && engines.iter().all(|engine| engine.row.error.is_none() && engine.outcome.passed()),
            notes,
            undone,
            timing,
            scenarios,
            compared: None,
            settings: settings(measure),
            fingerprint,
        },
        reference: readings,
        engines,
    })
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
