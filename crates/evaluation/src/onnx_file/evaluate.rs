//! The evaluation of an ONNX file, whatever network it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use engines::engine::{Engine, EngineError, Signature};
use engines::engine_name::EngineName;
use engines::fingerprint::Fingerprint;
use engines::libraries::Libraries;
use engines::tensor::NamedTensor;
use engines::worker::remote::Launcher;
use onnx_model::{Survey, SurveyError};
use terminal::failure::sentence;
use terminal::progress::Progress;

use super::about::About;
use super::compare::difference;
use super::inputs::{InputsError, elements};
use super::judge::{Judgement, judge};
use super::narrow::Ends;
use super::runs::Runs;
use super::standard::{Standard, expected};
use crate::contender::Contender;
use crate::line_up::{LineUp, unjudged};
use crate::measure::Measure;
use crate::measured::RunRecord;
use crate::report::{Report, reports};
use crate::search::{Bisection, ReferenceSession};
use crate::starter::{Starter, size_hint, trust};
use crate::task::{Asked, Case, Task, ask_all};
use crate::verify::Expected;

/// What stands for the network's name.
pub const NAME: &str = "onnx";

/// ONNX Runtime on the CPU with the graph as it is: what the file means.
const REFERENCE: &str = "ort:cpu (graph as it is)";

/// What is asked of a file.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The file.
    pub model: &'a Path,
    /// The sizes of dynamic axes, where they are given.
    pub sizes: BTreeMap<String, usize>,
    /// The axis that counts items, where it is given.
    pub batch_axis: Option<String>,
    /// The user's own inputs.
    pub inputs: &'a [PathBuf],
    /// Whether these are all, and none are made up.
    pub only_inputs: bool,
    /// The outputs that the user knows to be right for them.
    pub expected: &'a [PathBuf],
    /// The limit that the user sets, as a share of the largest value.
    pub tolerance: Option<f64>,
    /// How it is measured.
    pub measure: &'a Measure,
    /// Whether every engine of this machine has a try, instead of those of `measure`.
    pub every: bool,
    /// What starts workers.
    pub launcher: &'a Launcher,
    /// The command that repeats it.
    pub command: String,
}

/// Compares and times every engine on the file, and asks all about the items of a task, if the file has one.
///
/// # Errors
/// When the file cannot be read, or runs on no inputs.
pub fn evaluate<T: Task>(request: &Request<'_>, task: Option<&T>) -> Result<Report> {
    let Request { measure, launcher, .. } = *request;
    let Files { fingerprint, model, other } = Files::of(request)?;
    let other = other.as_ref().map(Ends::path);
    let mut libraries = Libraries::find(&measure.datasets, launcher.clone())?;
    let names: Vec<EngineName> = match request.every {
        true => libraries.working().into_iter().map(EngineName::Ort).chain([EngineName::Tract]).collect(),
        false => measure.engines.clone(),
    };
    let libraries = RefCell::new(libraries);
    let starter = Starter { launcher, libraries: &libraries, model: model.path(), measure };
    let plain = ReferenceSession::new(&starter)?;
    let compared = other.unwrap_or(model.path());
    let started = launcher.engine(&plain.spec(compared)).map_err(|error| no_reference(error, compared))?;
    let metadata = started.loaded().metadata.clone();
    let runs = Runs::of(request, task, started.signature(), compared, metadata.as_ref())?;
    let mut reference = Contender::new(&name(measure), None, Ok(started));
    let mut told = Told { notes: measure.notes(), ..Told::default() };
    told.notes.extend(model.note());

    let (batches, too_large) = measure.batches(&[runs.usual()], |size| elements(&runs.signature, &runs.at(size)));
    told.undone.extend(too_large);
    let cases = runnable(&mut reference, runs.cases(batches.iter().max().copied(), &mut told)?, &mut told)?;
    let mut right = runs.right(&mut reference, request.tolerance)?;
    let sample = cases.first().map(|(_, inputs)| inputs.clone()).unwrap_or_default();
    told.undone.extend(wavering(&mut reference, &sample)?);
    let tried = runs.made_up(&cases);
    let batches = timed(&mut reference, &runs, &tried, batches, measure, &mut told)?;

    reference.start(&sample);
    let standard = Standard {
        launcher,
        plain: &plain,
        file: compared,
        tolerance: request.tolerance,
        own: cases.len() - tried.len(),
    };
    let mut expected = known(&standard, &mut reference, cases, &mut told)?;
    if right.is_some() {
        // Agreement with outputs that are known to be right proves that these are, zero or not.
        told.unproven.clear();
    }
    told.unproven.extend(unhandled(&runs.signature, &mut told.notes));
    let mut candidates: Vec<Contender> = names.iter().map(|engine| starter.start(engine, |_| Ok(()))).collect();
    candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    let (names, candidates) = match request.every {
        true => working(names, candidates, &mut told.notes),
        false => (names, candidates),
    };
    let mut line_up = LineUp { reference, candidates };
    let Judgement { verifications, given } = judge(&standard, &mut line_up, &mut expected, &mut right, &mut told.notes);
    if line_up.candidates.is_empty() {
        told.undone.push("no engine ran the file, so that nothing was compared".to_owned());
    }
    let asked = task.map_or_else(|| Ok(Asked::default()), |task| ask(&mut line_up, task))?;
    let (figures, predictions) = (asked.figures.clone(), asked.predictions.clone());
    let made = |size: usize| runs.timed(&tried, size).map_err(|error| unmade(measure, &error));
    let timing = line_up.time(&batches, Duration::from_secs_f64(measure.seconds), made)?;
    let scenarios = line_up.scenarios(&measure.scenarios, measure.seconds, &timing, made)?;
    line_up.finish();
    if let Some(expected) = expected.as_ref().filter(|_| measure.bisect) {
        let (names, verifications) = (&names, verifications.as_slice());
        let judged = Bisection { starter: &starter, names, expected, verifications, network: None };
        told.notes.extend(judged.bisect(&mut line_up.candidates, other));
    }
    told.notes.extend(trust(line_up.everyone().iter().map(|one| &one.row)));
    let rows = line_up.candidates.iter().map(|candidate| &candidate.row);
    told.notes.extend(size_hint(measure.session_per_size, rows));
    let mut engines = reports(&mut line_up, verifications, asked);
    engines.iter_mut().zip(given).for_each(|(engine, given)| engine.given = given);
    let items = match (task, &runs.axis) {
        (Some(_), _) => T::ITEMS,
        (None, Some(_)) => "items",
        (None, None) => "runs",
    };
    let seed = metadata.as_ref().and_then(|metadata| metadata.entries.get("weights.random_init"));
    let Told { notes, undone, unproven } = told;
    let Runs { signature, sizes, axis, .. } = runs;
    Ok(Report {
        head: RunRecord {
            network: NAME.to_owned(),
            passed: false,
            notes,
            undone,
            unproven,
            timing,
            scenarios,
            compared: None,
            settings: measure.settings(),
            fingerprint,
        },
        random_init: seed.and_then(|seed| seed.parse().ok()),
        command: request.command.clone(),
        figures,
        predictions,
        history: Vec::new(),
        file: Some(About { signature, metadata, sizes, batch_axis: axis }),
        items: items.to_owned(),
        reference: name(measure),
        quantised: None,
        engines,
    }
    .judged())
}

/// What a reader is told of an evaluation.
#[derive(Default)]
pub struct Told {
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// What should not have happened.
    pub undone: Vec<String>,
    /// What keeps agreement from proving anything.
    pub unproven: Vec<String>,
}

/// The files, each looked over before any runtime sees it.
struct Files {
    fingerprint: Fingerprint,
    model: Ends,
    /// The one that is right, if that is another.
    other: Option<Ends>,
}

impl Files {
    /// # Errors
    /// When one of them cannot be read, or leads somewhere outside of its folder.
    fn of(request: &Request<'_>) -> Result<Self> {
        let looked_over = |path: &Path| {
            Survey::of(path).map_err(|error| match error {
                SurveyError::File(error) => anyhow::Error::new(error),
                error => anyhow::Error::new(error).context(path.display().to_string()),
            })
        };
        let against = request.measure.against.as_deref();
        let (survey, other) = (looked_over(request.model)?, against.map(looked_over).transpose()?);
        let files = [("model", request.model)].into_iter().chain(against.map(|path| ("against", path)));
        Ok(Self {
            fingerprint: Fingerprint::take(&files.collect::<Vec<_>>())?,
            model: Ends::of(request.model, &survey)?,
            other: against.zip(other).map(|(path, survey)| Ends::of(path, &survey)).transpose()?,
        })
    }
}

/// The reference's name.
fn name(measure: &Measure) -> String {
    let against = measure.against.as_ref().map(|path| format!(", {}", path.display()));
    REFERENCE.to_owned() + &against.unwrap_or_default()
}

/// Why there are no inputs to time engines on.
fn unmade(measure: &Measure, error: &InputsError) -> EngineError {
    EngineError::Run { engine: name(measure), reason: error.to_string() }
}

/// The batch sizes that can be timed: the reference has run them, or its process is gone and the others are timed.
///
/// # Errors
/// When no inputs can be made, or the reference fails for good.
fn timed(
    reference: &mut Contender,
    runs: &Runs,
    tried: &[Case],
    batches: Vec<usize>,
    measure: &Measure,
    told: &mut Told,
) -> Result<Vec<usize>> {
    let mut kept = Vec::new();
    for size in batches {
        let inputs = match runs.timed(tried, size) {
            Err(error @ InputsError::NotRepeated { .. }) => {
                told.notes.push(format!("batch {size} is not timed: {error}"));
                continue;
            }
            made => made?,
        };
        match if runs.has_run(tried, size) { Ok(()) } else { reference.try_run(&inputs).map(drop) } {
            Ok(()) => kept.push(size),
            Err(_) if reference.engine().is_none() => kept.push(size),
            // Nobody asked for a single item in particular.
            Err(_) if size == 1 && runs.usual() != 1 && !measure.batches.contains(&1) => {}
            Err(error) => told.undone.push(format!("the model does not run at batch {size}: {}", sentence(&error))),
        }
    }
    Ok(kept)
}

/// What is right; `None` if the process that says it is gone, which is told.
///
/// # Errors
/// When the reference fails otherwise.
fn known(
    standard: &Standard<'_>,
    reference: &mut Contender,
    cases: Vec<Case>,
    told: &mut Told,
) -> Result<Option<Expected>> {
    match expected(standard, reference, cases, told) {
        Ok(expected) => Ok(Some(expected)),
        Err(error) if reference.engine().is_none() || is_gone(&error) => {
            told.undone.push(unjudged(&sentence(error.as_ref())));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Asks everyone about the items of a task.
fn ask<T: Task>(line_up: &mut LineUp, task: &T) -> Result<Asked> {
    let progress = Progress::new(T::ITEMS);
    Ok(ask_all(line_up, task, |share| progress.set(share))?)
}

/// Why there is nothing to compare engines with.
fn no_reference(error: EngineError, file: &Path) -> anyhow::Error {
    // Other reasons, such as an operator that is not known or a library that cannot be used, speak for themselves.
    let hint = match error.to_string().contains("Protobuf") {
        true => format!(" (is {} an ONNX file?)", file.display()),
        false => String::new(),
    };
    anyhow::Error::new(error).context(format!("there is nothing to compare engines with{hint}"))
}

/// The cases that the reference runs. What it refuses is noted, and what ends it is not passed over.
///
/// # Errors
/// When it refuses all.
fn runnable(reference: &mut Contender, cases: Vec<Case>, told: &mut Told) -> Result<Vec<Case>> {
    let (mut kept, mut fatal) = (Vec::new(), Vec::new());
    let (mut refused, mut reason) = (Vec::new(), None);
    for (label, inputs) in cases {
        match reference.try_run(&inputs) {
            Ok(_) => kept.push((label, inputs)),
            Err(error @ EngineError::Gone { .. }) => {
                told.undone.push(format!("the model does not run at {label}: {}", sentence(&error)));
                fatal.push((label, inputs));
            }
            Err(error) => {
                refused.push(label);
                reason.get_or_insert(error);
            }
        }
    }
    match reason {
        Some(error) if kept.is_empty() && fatal.is_empty() => {
            Err(anyhow::Error::new(error).context("the model runs on none of the inputs that were tried"))
        }
        reason => {
            if let Some(error) = reason {
                told.notes.push(format!("the model does not run at {}: {}", refused.join("; "), sentence(&error)));
            }
            // Others may run what ends the reference.
            Ok(if kept.is_empty() { fatal } else { kept })
        }
    }
}

/// Why nothing is proven if no output is of a type that is handled. Those that are not are noted.
fn unhandled(signature: &Signature, notes: &mut Vec<String>) -> Option<String> {
    let others: Vec<String> = signature
        .outputs
        .iter()
        .filter(|output| !output.is_handled())
        .map(|output| format!("`{}` ({})", output.name, output.kind()))
        .collect();
    if !others.is_empty() {
        notes.push(format!("left out, since outputs of their types are not compared: {}", others.join(", ")));
    }
    let nothing = others.len() == signature.outputs.len();
    nothing.then(|| "the model has no output of a type that can be compared".to_owned())
}

/// Whether an error tells the end of a process.
fn is_gone(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(EngineError::Gone { .. }))
}

/// What is said of a reference that gives other outputs for the same inputs.
fn wavering(reference: &mut Contender, inputs: &[NamedTensor]) -> Result<Option<String>> {
    let twice = reference.survive(|engine| Ok((engine.run(inputs)?, engine.run(inputs)?)))?;
    let Some((once, again)) = twice else { return Ok(None) };
    let same = once.iter().zip(&again).all(|(once, again)| difference(once, Some(&again.tensor)).within(0.0));
    Ok((!same).then(|| {
        "the model gives other outputs each time it runs, as one that draws random numbers does: nothing can be compared \
         with it"
            .to_owned()
    }))
}

/// The engines that run the file. What cannot load it, or refuses to run it, is told and is no failure; a crash is one.
fn working(
    names: Vec<EngineName>,
    candidates: Vec<Contender>,
    notes: &mut Vec<String>,
) -> (Vec<EngineName>, Vec<Contender>) {
    let mut kept = Vec::new();
    for (engine, candidate) in names.into_iter().zip(candidates) {
        match &candidate.row.error {
            Some(error) if !candidate.row.lost => notes.push(format!("{engine} is left out: {error}")),
            _ => kept.push((engine, candidate)),
        }
    }
    kept.into_iter().unzip()
}
