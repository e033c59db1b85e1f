//! The evaluation of a network whose weights come from elsewhere.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use artifact::{FileError, Outputs};
use cli::eval::MeasureArgs;
use infer::engine::EngineError;
use infer::engine_name::EngineName;
use infer::field::{Field, expect};
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::measured::Head;
use infer::network::Agreement;
use infer::network::page::page;
use infer::network::report::{EngineReport, Report};
use infer::subject::Subject;
use infer::tensor::{ElementType, NamedTensor};
use infer::verify::Verification;
use infer::worker::remote::RemoteEngine;
use infer::worker::{EngineSpec, Weights};

use super::engines::{Starter, asked, size_hint};
use super::search::Judged;
use super::trigger::{Again, hand_over};
use super::{
    batches, held, launcher, outputs, quoted, refuse_against, repeating, scenarios, session_note, settings, slower,
    start_report, write_page,
};

/// A network that is evaluated, and what is special about it.
pub trait Network {
    /// Its name: `alexnet`.
    const NAME: &'static str;
    /// What it is given: `pictures`.
    const ITEMS: &'static str;
    /// The batch sizes that are timed unless others are asked for.
    const BATCHES: &'static [usize];
    /// How to get an ONNX file.
    const EXPORT: &'static str;
    /// How to get weights.
    const WEIGHTS: &'static str;

    /// The ONNX file.
    fn model(&self) -> &Path;

    /// The files that the result depends on besides the model; those that are not there are left out.
    fn files(&self) -> Vec<(&'static str, &Path)>;

    /// The other files that are read, which no result may take the place of.
    fn read(&self) -> Vec<&Path>;

    /// The network in Burn. `seed` is that of its weights, if they are random.
    fn native(&self, seed: Option<u64>, threads: usize, exact: bool) -> EngineSpec;

    /// The network in another framework; `None` if that has no such network.
    fn elsewhere(&self, _framework: &EngineName, _seed: Option<u64>, _threads: usize) -> Option<EngineSpec> {
        None
    }

    /// Refuses a model of another network.
    fn check(&self, engine: &RemoteEngine) -> Result<(), EngineError>;

    /// What the inputs of a timed batch hold.
    fn elements(&self, batch: usize) -> Vec<(ElementType, usize)>;

    /// What outputs are compared with float64 on.
    fn cases(&self) -> Result<Vec<(String, Vec<NamedTensor>)>>;

    /// The inputs of a timed batch.
    fn timed(&self, batch: usize) -> Result<Vec<NamedTensor>, EngineError>;

    /// Compares every candidate with the framework, item by item.
    fn agreements(&self, field: &mut Field) -> Result<Vec<Option<Agreement>>>;

    /// What a reader should know about the items.
    fn notes(&self) -> Vec<String>;

    /// The options that repeat it, besides those of the measurement.
    fn options(&self) -> String;
}

/// Where the weights of the framework come from.
pub fn weights(seed: Option<u64>, path: &Path) -> Weights {
    seed.map_or_else(|| Weights::At(path.to_owned()), Weights::Random)
}

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute<N: Network>(network: &N, measure: &MeasureArgs, out: &Path) -> Result<ExitCode> {
    refuse_against(measure)?;
    let files = network.files().into_iter().map(|(_, path)| path);
    let outputs = outputs(measure, [network.model()].into_iter().chain(files).chain(network.read()));
    conclude(N::NAME, measure, (out, &outputs), Again::default(), || {
        let mut report = evaluate(network, measure)?;
        report.command += &unusual("--out", out, &Path::new("artifacts").join(N::NAME).join("eval.json"));
        Ok(report)
    })
}

/// Has `evaluate` make a report, compares it with an earlier one, prints and writes it, with the inputs that engines are wrong
/// about beside it. The exit status says whether everything passed.
pub fn conclude(
    name: &str,
    measure: &MeasureArgs,
    (out, outputs): (&Path, &Outputs),
    again: Again,
    evaluate: impl FnOnce() -> Result<Report>,
) -> Result<ExitCode> {
    let mut file = start_report(outputs, out)?;
    let earlier = measure.compare.as_deref().map(|path| earlier(name, path)).transpose()?;
    let mut report = evaluate()?;
    if let (Some(path), Some(earlier)) = (&measure.compare, &earlier) {
        report.compare(path.clone(), earlier);
    }
    let model = report.head.fingerprint.files.get("model").map(|mark| mark.path.clone());
    let rows = report.engines.iter_mut().map(|engine| &mut engine.row);
    report.head.notes.extend(hand_over(rows, out, &model.unwrap_or_default(), measure, again, outputs));
    let json = serde_json::to_string(&report)? + "\n";
    file.write_all(json.as_bytes()).map_err(FileError::new("write", out))?;
    file.commit()?;
    let page = write_page(outputs, out, &page(&report))?;
    let all = crate::report::renew(out);
    let slower = slower(measure, &report.head);
    match measure.json {
        true => crate::print(&json)?,
        false => {
            let (text, slower) = (report.text(), slower.as_deref().unwrap_or_default());
            crate::print(&format!("{text}{slower}Report: {}, {}\n{all}", out.display(), page.display()))?;
        }
    }
    Ok(if report.head.passed && slower.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An option that names a file, unless the file is where it usually is.
pub fn unusual(option: &str, path: &Path, usual: &Path) -> String {
    if path == usual { String::new() } else { named(option, path) }
}

/// An option that names a file, after a space, as a shell takes it.
pub fn named(option: &str, path: &Path) -> String {
    format!(" {option} {}", quoted(&path.display().to_string()))
}

/// What was found out about every engine: the framework, and the candidates with how each was judged.
pub fn reports(
    field: &mut Field,
    judged: impl Iterator<Item = (Option<Verification>, Option<Agreement>)>,
) -> Vec<EngineReport> {
    let judged = std::iter::once((None, None)).chain(judged);
    let report = |(subject, (verification, agreement)): (&mut Subject, _)| EngineReport {
        row: subject.row.clone(),
        verification,
        agreement,
    };
    field.everyone().into_iter().zip(judged).map(report).collect()
}

/// A report to compare with; read before the work, so that a wrong one is known at once.
fn earlier(name: &str, path: &Path) -> Result<Report> {
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    let report = serde_json::from_slice::<Report>(&bytes).ok().filter(|report| report.head.network == name);
    report.with_context(|| format!("{} is no report of `eval {name}`", path.display()))
}

fn evaluate<N: Network>(network: &N, measure: &MeasureArgs) -> Result<Report> {
    let asked = asked(&measure.engines)?;
    let threads = measure.threads();
    let (batches, undone) = held(&batches(&measure.batches, N::BATCHES), |size| network.elements(size));
    let model = network.model();
    std::fs::File::open(model)
        .map_err(FileError::new("open", model))
        .with_context(|| format!("no usable model ({})", N::EXPORT))?;
    let launcher = launcher(measure)?;
    let libraries = RefCell::new(Libraries::find(Path::new(crate::DATASETS), launcher.clone())?);
    let starter = Starter { launcher: &launcher, libraries: &libraries, model, threads, arguments: &measure.engines };
    let engines = asked.into_iter().filter(|engine| *engine != EngineName::Burn);
    // Frameworks come last: only the file knows whether its weights are random.
    let (frameworks, mut names): (Vec<_>, Vec<_>) = engines.partition(|engine| *engine == EngineName::Candle);
    let mut candidates: Vec<Subject> =
        names.iter().map(|engine| starter.start(engine, |engine| network.check(engine))).collect();
    let seed = candidates.iter().find_map(random_seed);
    let burn = |exact| launcher.engine(&network.native(seed, threads, exact)).context(N::WEIGHTS);
    let mut reference = Subject::new("burn", None, Ok(burn(false)?));
    let sample = network.timed(1)?;
    reference.start(&sample);
    // The network in float64 takes twice the memory, and is gone before other frameworks take theirs.
    let expected = {
        let mut exact = burn(true)?;
        expect(&mut reference, &mut exact, network.cases()?)?
    };
    for framework in frameworks {
        candidates.push(match network.elsewhere(&framework, seed, threads) {
            Some(spec) => Subject::new(&framework.to_string(), None, launcher.engine(&spec)),
            None => starter.start(&framework, |engine| network.check(engine)),
        });
        names.push(framework);
    }
    let mut field = Field { reference, candidates };
    let mut files = vec![("model", model)];
    files.extend(network.files().into_iter().filter(|(_, path)| path.is_file()));
    let fingerprint = Fingerprint::take(&files)?;

    field.candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    let agreements = network.agreements(&mut field)?;
    let verifications = field.judge(&expected);
    let least = Duration::from_secs_f64(measure.seconds);
    let timing = field.time(&batches, least, |size| network.timed(size))?;
    let wanted = scenarios(&measure.scenario);
    let scenarios = field.scenarios(&wanted, measure.seconds, &timing, |size| network.timed(size))?;
    field.finish();
    let mut notes = network.notes();
    notes.extend(Field::thread_notes(threads).into_iter().chain(session_note(&measure.engines)));
    if measure.bisect {
        let judged = Judged {
            starter: &starter,
            names: &names,
            expected: &expected,
            verifications: &verifications,
            network: Some(N::NAME),
        };
        notes.extend(judged.bisect(&mut field.candidates, measure.against.as_deref()));
    }

    notes.extend(size_hint(&measure.engines, field.candidates.iter().map(|candidate| &candidate.row)));
    let engines = reports(&mut field, verifications.into_iter().zip(agreements));
    Ok(Report {
        head: Head {
            network: N::NAME.to_owned(),
            passed: undone.is_empty() && engines.iter().all(|engine| engine.failures(N::ITEMS).is_empty()),
            notes,
            undone,
            timing,
            scenarios,
            compared: None,
            settings: settings(measure),
            fingerprint,
        },
        file: None,
        random_init: seed,
        items: N::ITEMS.to_owned(),
        reference: field.reference.row.engine.clone(),
        engines,
        command: format!("cargo xtask eval {}{}{}", N::NAME, network.options(), repeating(measure)),
    })
}

/// The seed of a model whose weights are random, by its own record.
fn random_seed(subject: &Subject) -> Option<u64> {
    let metadata = subject.engine()?.loaded().metadata.as_ref()?;
    metadata.entries.get("weights.random_init")?.parse().ok()
}
