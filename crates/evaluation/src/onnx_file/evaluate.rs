//! The evaluation of an ONNX file, whatever network it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use engines::engine::{Engine, EngineError, Signature};
use engines::engine_name::EngineName;
use engines::fingerprint::Fingerprint;
use engines::libraries::Libraries;
use engines::session::Metadata;
use engines::tensor::NamedTensor;
use engines::worker::remote::Launcher;
use onnx_model::{LoadOptions, Model, Survey, SurveyError};
use terminal::failure::sentence;
use terminal::progress::Progress;

use super::about::About;
use super::compare::difference;
use super::domains::Domains;
use super::given::{inputs, outputs};
use super::inputs::{
    InputsError, Sizes, base_sizes, batch_axis, cycled, dynamic_axes, elements, listed, random_inputs, sizes_of,
    with_true_axes,
};
use super::judge::{Judgement, judge};
use super::narrow::Ends;
use super::ranges::{self, Ranges};
use super::standard::{SHARE, Standard, expected};
use super::sweep::{MadeFor, cases, label};
use crate::contender::Contender;
use crate::line_up::{LineUp, unjudged};
use crate::measure::Measure;
use crate::measured::Head;
use crate::report::{Report, reports};
use crate::search::{Judged, Plain};
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
    let Request { model, measure, launcher, .. } = *request;
    let other = measure.against.as_deref();
    let files: Vec<(&str, &Path)> = [("model", model)].into_iter().chain(other.map(|path| ("against", path))).collect();
    // Before any runtime sees them: a hostile file leads nowhere outside of its folder.
    for (_, path) in &files {
        Survey::of(path).map_err(|error| match error {
            SurveyError::File(error) => anyhow::Error::new(error),
            error => anyhow::Error::new(error).context(path.display().to_string()),
        })?;
    }
    let fingerprint = Fingerprint::take(&files)?;
    let (ends, other_ends) = (Ends::of(model)?, other.map(Ends::of).transpose()?);
    let (model, other) = (ends.path(), other_ends.as_ref().map(Ends::path));
    let mut libraries = Libraries::find(&measure.datasets, launcher.clone())?;
    let names: Vec<EngineName> = match request.every {
        true => libraries.working().into_iter().map(EngineName::Ort).chain([EngineName::Tract]).collect(),
        false => measure.engines.clone(),
    };
    let libraries = RefCell::new(libraries);
    let starter = Starter { launcher, libraries: &libraries, model, measure };
    let plain = Plain::new(&starter)?;
    let compared = other.unwrap_or(model);
    let started = launcher.engine(&plain.spec(compared)).map_err(|error| no_reference(error, compared))?;
    let (signature, metadata) = (started.signature().clone(), started.loaded().metadata.clone());
    let mut given = given(&signature, request.inputs)?;
    let signature = with_true_axes(&signature, given.first().map(|(_, inputs)| inputs.as_slice()).unwrap_or_default());
    given.extend(task.map(T::cases).transpose()?.unwrap_or_default());
    let made_for = made_for(compared, &signature, metadata.as_ref());
    let right = right(&signature, request)?;
    let sizes = sizes(&signature, &request.sizes, given.first(), &made_for.ranges)?;
    let axis = counted(&signature, request)?;
    let at = |size: usize| {
        let mut sizes = sizes.clone();
        sizes.extend(axis.clone().map(|axis| (axis, size)));
        sizes
    };
    let usual = axis.as_ref().and_then(|axis| sizes.get(axis)).copied().unwrap_or(1);
    let (mut batches, mut undone) = measure.batches(&[usual], |size| elements(&signature, &at(size)));
    let largest = axis.as_deref().zip(batches.iter().max().copied());
    let (random, too_large) = match request.only_inputs {
        true => (Vec::new(), Vec::new()),
        false => cases(&signature, &sizes, largest, &made_for)?,
    };
    undone.extend(too_large);
    let name = measure
        .against
        .as_ref()
        .map_or_else(|| REFERENCE.to_owned(), |path| format!("{REFERENCE}, {}", path.display()));
    let mut reference = Contender::new(&name, None, Ok(started));
    let mut notes = measure.notes();
    notes.extend(ends.note());
    let mut unproven = Vec::new();
    let own = given.first().cloned();
    let own_labels: Vec<String> = given.iter().map(|(label, _)| label.clone()).collect();
    let cases = runnable(&mut reference, given.into_iter().chain(random).collect(), &mut notes, &mut undone)?;
    let mut right = required(&mut reference, &cases, right, request.tolerance)?;
    let sample = cases.first().map(|(_, inputs)| inputs.clone()).unwrap_or_default();
    undone.extend(wavering(&mut reference, &sample)?);
    let (left_out, nothing) = unhandled(&signature);
    notes.extend(left_out);
    // What is timed has been run: the user's own inputs, or those of a case, or random ones of a size that no case has.
    let tried: Vec<Case> =
        cases.iter().filter(|(label, _)| own.as_ref().is_none_or(|(own, _)| own != label)).cloned().collect();
    let made = |size: usize| {
        let sizes = at(size);
        let repeated = own.as_ref().and_then(|(_, inputs)| cycled(&signature, inputs, &sizes));
        let case = || tried.iter().find(|(name, _)| *name == label(&sizes)).map(|(_, inputs)| inputs.clone());
        match repeated.or_else(case) {
            Some(inputs) => Ok(inputs),
            None if request.only_inputs => Err(InputsError::NotRepeated { sizes: label(&sizes) }),
            None => random_inputs(&signature, &sizes, 0, &made_for.domains),
        }
    };
    let ran = |size: usize| own.is_none() && tried.iter().any(|(name, _)| *name == label(&at(size)));
    let mut timed = Vec::new();
    for size in batches {
        let inputs = match made(size) {
            Err(error @ InputsError::NotRepeated { .. }) => {
                notes.push(format!("nothing is timed: {error}"));
                continue;
            }
            made => made?,
        };
        match if ran(size) { Ok(()) } else { reference.try_run(&inputs).map(drop) } {
            Ok(()) => timed.push(size),
            // What it would have said is not known; the others are timed.
            Err(_) if reference.engine().is_none() => timed.push(size),
            // Nobody asked for a single item in particular.
            Err(_) if size == 1 && usual != 1 && !measure.batches.contains(&1) => {}
            Err(error) => undone.push(format!("the model does not run at batch {size}: {}", sentence(&error))),
        }
    }
    batches = timed;

    reference.start(&sample);
    let own_cases = cases.iter().take_while(|(label, _)| own_labels.contains(label)).count();
    let standard = Standard { launcher, plain: &plain, file: compared, tolerance: request.tolerance, own: own_cases };
    let judging = expected(&standard, &mut reference, cases, &mut notes, &mut undone, &mut unproven);
    let mut expected = match judging {
        Ok(expected) => Some(expected),
        Err(error) if reference.engine().is_none() || is_gone(&error) => {
            undone.push(unjudged(&sentence(error.as_ref())));
            None
        }
        Err(error) => return Err(error),
    };
    if right.is_some() {
        // Agreement with outputs that are known to be right proves that these are, zero or not.
        unproven.clear();
    }
    unproven.extend(nothing);
    let mut candidates: Vec<Contender> = names.iter().map(|engine| starter.start(engine, |_| Ok(()))).collect();
    candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    let mut names = names;
    if request.every {
        (names, candidates) = working(names, candidates, &mut notes);
    }
    let mut line_up = LineUp { reference, candidates };
    let Judgement { verifications, given } = judge(&standard, &mut line_up, &mut expected, &mut right, &mut notes);
    if line_up.candidates.is_empty() {
        undone.push("no engine ran the file, so that nothing was compared".to_owned());
    }
    let asked = task.map_or_else(|| Ok(Asked::default()), |task| ask(&mut line_up, task))?;
    let (figures, predictions) = (asked.figures.clone(), asked.predictions.clone());
    let made =
        |size: usize| made(size).map_err(|error| EngineError::Run { engine: name.clone(), reason: error.to_string() });
    let least = Duration::from_secs_f64(measure.seconds);
    let timing = line_up.time(&batches, least, made)?;
    let scenarios = line_up.scenarios(&measure.scenarios, measure.seconds, &timing, made)?;
    line_up.finish();
    if let Some(expected) = expected.as_ref().filter(|_| measure.bisect) {
        let (names, expected, verifications) = (&names, expected, verifications.as_slice());
        let judged = Judged { starter: &starter, names, expected, verifications, network: None };
        notes.extend(judged.bisect(&mut line_up.candidates, other));
    }
    notes.extend(trust(line_up.everyone().iter().map(|one| &one.row)));
    notes.extend(size_hint(measure.session_per_size, line_up.candidates.iter().map(|candidate| &candidate.row)));
    let mut engines = reports(&mut line_up, verifications, asked);
    engines.iter_mut().zip(given).for_each(|(engine, given)| engine.given = given);
    let items = if axis.is_some() { "items" } else { "runs" };
    let items = if task.is_some() { T::ITEMS } else { items };
    let seed = metadata.as_ref().and_then(|metadata| metadata.entries.get("weights.random_init"));
    Ok(Report {
        head: Head {
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
        reference: name,
        engines,
    }
    .judged())
}

/// Asks everyone about the items of a task.
fn ask<T: Task>(line_up: &mut LineUp, task: &T) -> Result<Asked> {
    let progress = Progress::new(T::ITEMS);
    Ok(ask_all(line_up, task, |share| progress.set(share))?)
}

/// The inputs that a file is made for; nothing where its graph cannot be read here.
fn made_for(file: &Path, signature: &Signature, metadata: Option<&Metadata>) -> MadeFor {
    let options = LoadOptions { external_data: false, ..LoadOptions::default() };
    let model = Model::load_with(file, &options).ok();
    let ranges = ranges::of(signature, metadata, model.as_ref());
    MadeFor { ranges, domains: model.map(|model| Domains::of(&model)).unwrap_or_default() }
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

/// The inputs that the user gives.
fn given(signature: &Signature, paths: &[PathBuf]) -> Result<Vec<Case>> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), inputs(path, signature).context("--inputs")?));
    paths.iter().map(read).collect()
}

/// The outputs that the user knows to be right, with the labels of their inputs.
fn right(signature: &Signature, request: &Request<'_>) -> Result<Vec<Case>> {
    let (inputs, expected) = (request.inputs, request.expected);
    if !expected.is_empty() && expected.len() != inputs.len() {
        bail!(
            "--expected is given {} times and --inputs {} times; one belongs to the other",
            expected.len(),
            inputs.len()
        );
    }
    let read = |(inputs, path): (&PathBuf, &PathBuf)| {
        Ok((inputs.display().to_string(), outputs(path, signature).context("--expected")?))
    };
    inputs.iter().zip(expected).map(read).collect()
}

/// What engines must give that the user knows to be right; `None` where nothing is known.
///
/// # Errors
/// When the file gives outputs of other types or shapes for these inputs, or does not run on them.
fn required(
    reference: &mut Contender,
    cases: &[Case],
    right: Vec<Case>,
    tolerance: Option<f64>,
) -> Result<Option<Expected>> {
    let mut known = Vec::new();
    for (label, outputs) in right {
        let Some((_, inputs)) = cases.iter().find(|(case, _)| *case == label) else {
            bail!("--expected: the model does not run on {label}, so its outputs cannot be compared");
        };
        let found = reference.try_run(inputs)?;
        for right in &outputs {
            let found = found.iter().find(|found| found.name == right.name);
            if let Some(reason) = found.and_then(|found| unlike(right, found)) {
                bail!("--expected: {reason} ({label})");
            }
        }
        known.push((label, inputs.clone(), outputs));
    }
    let share = tolerance.unwrap_or(SHARE);
    let known = (!known.is_empty()).then(|| Expected::given("the outputs of --expected", share, known));
    Ok(known.map(|known| if tolerance.is_some() { known.share(share) } else { known }))
}

/// How the form of an output differs from what the model gives.
fn unlike(right: &NamedTensor, found: &NamedTensor) -> Option<String> {
    let form = |of: &NamedTensor| format!("{} {:?}", of.tensor.elements().element_type(), of.tensor.shape());
    let differs = form(right) != form(found);
    differs.then(|| format!("the output `{}` is {}, and the model gives {}", right.name, form(right), form(found)))
}

/// The sizes of the dynamic axes: as the user says, or those of the user's own inputs, or what the model is made for.
fn sizes(signature: &Signature, asked: &Sizes, given: Option<&Case>, ranges: &Ranges) -> Result<Sizes> {
    let mut sizes = given.map(|(_, inputs)| sizes_of(signature, inputs)).unwrap_or_default();
    sizes.extend(asked.iter().map(|(axis, size)| (axis.clone(), *size)));
    Ok(base_sizes(signature, &sizes, ranges)?)
}

/// The axis that counts items.
fn counted(signature: &Signature, request: &Request<'_>) -> Result<Option<String>> {
    let axes = dynamic_axes(signature);
    let axis = match &request.batch_axis {
        Some(axis) if axes.contains(axis) => Some(axis.clone()),
        Some(axis) => return Err(InputsError::UnknownAxis { axis: axis.clone(), axes }).context("--batch-axis"),
        None => batch_axis(signature),
    };
    if axis.is_none() && !request.measure.batches.is_empty() {
        bail!("--batches needs a dynamic axis that counts items, which --batch-axis names; {}", listed(&axes));
    }
    Ok(axis)
}

/// The cases that the reference runs. What it refuses is noted, and what ends it is not passed over.
///
/// # Errors
/// When it runs none.
fn runnable(
    reference: &mut Contender,
    cases: Vec<Case>,
    notes: &mut Vec<String>,
    undone: &mut Vec<String>,
) -> Result<Vec<Case>> {
    let mut kept = Vec::new();
    let (mut refused, mut reason) = (Vec::new(), None);
    for (label, inputs) in cases {
        match reference.try_run(&inputs) {
            Ok(_) => kept.push((label, inputs)),
            Err(error @ EngineError::Gone { .. }) => {
                undone.push(format!("the model does not run at {label}: {}", sentence(&error)));
                reason.get_or_insert(error);
            }
            Err(error) => {
                refused.push(label);
                reason.get_or_insert(error);
            }
        }
    }
    match reason {
        Some(error) if kept.is_empty() => {
            Err(anyhow::Error::new(error).context("the model runs on none of the inputs that were tried"))
        }
        Some(error) if !refused.is_empty() => {
            notes.push(format!("the model does not run at {}: {}", refused.join("; "), sentence(&error)));
            Ok(kept)
        }
        _ => Ok(kept),
    }
}

/// What is said of outputs whose types are not handled, and if there are no others, why nothing is proven.
fn unhandled(signature: &Signature) -> (Option<String>, Option<String>) {
    let others: Vec<String> = signature
        .outputs
        .iter()
        .filter(|output| output.element.is_none())
        .map(|output| format!("`{}` ({})", output.name, output.kind()))
        .collect();
    let nothing = others.len() == signature.outputs.len();
    let nothing = nothing.then(|| "the model has no output of a type that can be compared".to_owned());
    let left_out = format!("left out, since outputs of their types are not compared: {}", others.join(", "));
    ((!others.is_empty()).then_some(left_out), nothing)
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
