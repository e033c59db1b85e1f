//! The evaluation of a file that computes with integers, beside the float model that it was made from.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use engines::engine::{Engine, EngineError, Signature};
use engines::engine_name::EngineName;
use engines::fingerprint::Fingerprint;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::tensor::NamedTensor;
use terminal::failure::sentence;
use terminal::progress::Progress;

use super::fidelity::{Comparison, Metric};
use super::{Budget, Fidelity, FidelityCase, MAX_DROP, Tried};
use crate::contender::Contender;
use crate::line_up::LineUp;
use crate::measured::RunRecord;
use crate::onnx_file::about::About;
use crate::onnx_file::evaluate::{Request, Told};
use crate::onnx_file::inputs::elements;
use crate::onnx_file::runs::Runs;
use crate::report::{Report, reports};
use crate::search::ReferenceSession;
use crate::starter::{Starter, size_hint, trust};
use crate::task::{Agreement, Asked, Case, Task, ask_all};

/// The float model under ONNX Runtime with all its optimisations: what the integers are to be faster than.
const FLOAT: &str = "ort:cpu (float model)";

/// The file itself without optimisation, where no float model is at hand.
const ITSELF: &str = "ort:cpu (graph as it is)";

/// The input that says which positions are padding.
const MASK: &str = "attention_mask";

/// What is known of a file of integers.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The network's name in the report.
    pub network: &'a str,
    /// Whether nothing else is known of the network, so that the report describes the file.
    pub is_file: bool,
    /// The operators that show what it is.
    pub operators: BTreeMap<String, u64>,
    /// The float model, if there is one at hand.
    pub float: Option<PathBuf>,
    /// What a drop is one of, if the user says so; what suits the outputs otherwise.
    pub metric: Option<Metric>,
    /// The largest drop that is good enough, if the user says so.
    pub max_drop: Option<f64>,
    /// The models that were tried while the file was made.
    pub tried: Vec<Tried>,
    /// The usual batch sizes of the network; none for that of the inputs.
    pub batches: Vec<usize>,
    /// Other files that the result depends on, by their roles.
    pub files: Vec<(&'static str, PathBuf)>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Compares and times every engine on the file beside the float model.
///
/// # Errors
/// When a file cannot be read, takes or gives something else than the other, or runs on no inputs.
pub fn evaluate<T: Task>(request: &Request<'_>, subject: Subject<'_>, task: Option<&T>) -> Result<Report> {
    let Request { measure, launcher, model, .. } = *request;
    let mut files = vec![("model", model)];
    files.extend(subject.float.as_deref().map(|float| ("float", float)));
    files.extend(subject.files.iter().map(|(role, path)| (*role, path.as_path())).filter(|(_, path)| path.is_file()));
    let fingerprint = Fingerprint::take(&files)?;
    let mut libraries = Libraries::find(&measure.datasets, launcher.clone())?;
    let names: Vec<EngineName> = match request.every {
        true => libraries.working().into_iter().map(EngineName::Ort).chain([EngineName::Tract]).collect(),
        false => measure.engines.iter().filter(|name| !matches!(name, EngineName::Burn)).cloned().collect(),
    };
    if let Some(name) = names.iter().find(|name| matches!(name, EngineName::Candle)) {
        bail!("{name} runs the weights of a network, and not a file of integers");
    }
    let libraries = RefCell::new(libraries);
    let starter = Starter { launcher, libraries: &libraries, model, measure };
    let mut told = Told { notes: measure.notes(), ..Told::default() };
    told.notes.extend(subject.notes.iter().cloned());

    let (compared, name, spec) = match &subject.float {
        Some(float) => (float.as_path(), FLOAT, starter.spec(&EngineName::Ort(Provider::Cpu), float)?),
        None => (model, ITSELF, ReferenceSession::new(&starter)?.spec(model)),
    };
    let started = launcher.engine(&spec).context("there is nothing to compare engines with")?;
    let metadata = started.loaded().metadata.clone();
    let runs = Runs::of(request, task, started.signature(), compared, metadata.as_ref())?;
    let mut reference = Contender::new(name, None, Ok(started));
    let signature = runs.signature.clone();
    let check = |engine: &engines::worker::remote::RemoteEngine| alike(engine, model, &signature);
    let candidates: Vec<Contender> = names.iter().map(|engine| starter.start(engine, check)).collect();
    let usual = if subject.batches.is_empty() { vec![runs.usual()] } else { subject.batches.clone() };
    let (batches, too_large) = measure.batches(&usual, |size| elements(&runs.signature, &runs.at(size)));
    told.undone.extend(too_large);
    let cases = runnable(&mut reference, runs.cases(batches.iter().max().copied(), &mut told)?, &mut told)?;
    let made_up: Vec<String> = runs.made_up(&cases).into_iter().map(|(label, _)| label).collect();
    let sample = cases.first().map(|(_, inputs)| inputs.clone()).unwrap_or_default();
    let mut line_up = LineUp { reference, candidates };
    line_up.start(&sample);
    line_up.candidates = working(request.every, line_up.candidates, &mut told.notes);
    if line_up.candidates.iter().all(|candidate| candidate.engine().is_none()) {
        told.undone.push("no engine ran the file, so that nothing was compared".to_owned());
    }

    let has_constant_ranges = subject.operators.keys().any(|name| {
        let operator = name.rsplit('.').next().unwrap_or(name);
        operator == "QuantizeLinear" || operator.starts_with("QLinear") || operator == "QGemm"
    });
    let decides = |label: &String| !(has_constant_ranges && made_up.contains(label));
    let (mut noise, outputs) = compare(&mut line_up, &cases, &decides)?;
    let asked = match task {
        Some(task) => {
            let progress = Progress::new(T::ITEMS);
            ask_all(&mut line_up, task, |share| progress.set(share))?
        }
        None => Asked::default(),
    };
    let has_scores = asked.metrics.iter().any(|metrics| !metrics.is_empty());
    let has_items = asked.agreements.iter().any(Option::is_some);
    let metric = subject.metric.unwrap_or_else(|| match (has_scores, has_items) {
        (true, _) => Metric::Accuracy,
        (false, true) => Metric::Agreement,
        (false, false) => Metric::suiting(&outputs),
    });
    if metric == Metric::Accuracy && !has_scores {
        bail!("--metric accuracy: nothing says what is right; it takes a task with known answers");
    }
    for (index, (fidelity, total)) in noise.iter_mut().enumerate() {
        let agreement = asked.agreements.get(index).and_then(Option::as_ref);
        fidelity.drop = match metric {
            Metric::Accuracy => lost(&asked, index),
            Metric::Agreement if has_items => agreement.map(disagreement),
            _ => (total.items > 0).then(|| total.drop(metric)),
        };
    }
    let float = subject.float.clone();
    if float.is_none() {
        told.notes
            .push("the times are beside the file itself without optimisation, and not beside a float model".to_owned());
        told.unproven.push(
            "the file computes with integers of 8 bits, of which the limits of float32 say nothing; name the float model that it was \
             made from with --float, and it is judged by how much it loses (--max-drop)"
                .to_owned(),
        );
    } else if noise.iter().all(|(fidelity, _)| fidelity.drop.is_none()) {
        told.unproven.push(
            "made-up inputs say nothing of a file whose ranges come from samples; name inputs of yours with --inputs, or the file's task"
                .to_owned(),
        );
    }
    if !made_up.is_empty() && has_constant_ranges {
        told.notes
            .push("made-up inputs do not decide: they may lie outside of the ranges that the samples gave".to_owned());
    }

    let made = |size: usize| match task {
        Some(task) => task.timed(size),
        None => runs
            .timed(&runs.made_up(&cases), size)
            .map_err(|error| EngineError::Run { engine: name.to_owned(), reason: error.to_string() }),
    };
    let batches = runnable_batches(&mut line_up.reference, batches, &made, &mut told);
    let timing = line_up.time(&batches, Duration::from_secs_f64(measure.seconds), made)?;
    let scenarios = line_up.scenarios(&measure.scenarios, measure.seconds, &timing, made)?;
    line_up.finish();
    told.notes.extend(task.map(T::notes).unwrap_or_default());
    told.notes.extend(trust(line_up.everyone().iter().map(|one| &one.row)));
    told.notes.extend(size_hint(measure.session_per_size, line_up.candidates.iter().map(|candidate| &candidate.row)));
    let items = match (task, &runs.axis) {
        (Some(_), _) => T::ITEMS,
        (None, Some(_)) => "items",
        (None, None) => "runs",
    };
    let (figures, predictions) = (asked.figures.clone(), asked.predictions.clone());
    let verifications = line_up.candidates.iter().map(|_| None).collect();
    let mut engines = reports(&mut line_up, verifications, asked);
    for (engine, (fidelity, _)) in engines.iter_mut().skip(1).zip(noise) {
        engine.fidelity = Some(fidelity).filter(|fidelity| !fidelity.cases.is_empty() || fidelity.drop.is_some());
    }
    let Runs { signature, sizes, axis, .. } = runs;
    let about = About { signature, metadata: metadata.clone(), sizes, batch_axis: axis };
    let seed = metadata.as_ref().and_then(|metadata| metadata.entries.get("weights.random_init"));
    Ok(Report {
        head: RunRecord {
            network: subject.network.to_owned(),
            passed: false,
            notes: told.notes,
            undone: told.undone,
            unproven: told.unproven,
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
        file: subject.is_file.then_some(about),
        items: items.to_owned(),
        reference: name.to_owned(),
        quantised: Some(Budget {
            operators: subject.operators,
            float,
            metric,
            max_drop: subject.max_drop.unwrap_or(MAX_DROP),
            tried: subject.tried,
        }),
        engines,
    }
    .judged())
}

/// What both files take and give must be the same, but for the names of axes.
fn alike(engine: &dyn Engine, model: &Path, wanted: &Signature) -> Result<(), EngineError> {
    let names = |signature: &Signature| -> Vec<Vec<String>> {
        [&signature.inputs, &signature.outputs]
            .map(|tensors| tensors.iter().map(|tensor| format!("{} {}", tensor.name, tensor.kind())).collect())
            .into()
    };
    let (found, wanted) = (names(engine.signature()), names(wanted));
    match found == wanted {
        true => Ok(()),
        false => Err(EngineError::Load {
            engine: engine.name().to_owned(),
            path: model.to_owned(),
            reason: format!(
                "it takes and gives {}, and the float model {}",
                found.concat().join(", "),
                wanted.concat().join(", ")
            ),
        }),
    }
}

/// The cases that the reference runs. What it refuses is noted.
///
/// # Errors
/// When it refuses all.
fn runnable(reference: &mut Contender, cases: Vec<Case>, told: &mut Told) -> Result<Vec<Case>> {
    let (mut kept, mut reason) = (Vec::new(), None);
    for (label, inputs) in cases {
        match reference.try_run(&inputs) {
            Ok(_) => kept.push((label, inputs)),
            Err(error) => {
                told.notes.push(format!("the model does not run at {label}: {}", sentence(&error)));
                reason.get_or_insert(error);
            }
        }
    }
    match reason {
        Some(error) if kept.is_empty() => {
            Err(anyhow::Error::new(error).context("the model runs on none of the inputs that were tried"))
        }
        _ => Ok(kept),
    }
}

/// The batches that the reference runs.
fn runnable_batches(
    reference: &mut Contender,
    batches: Vec<usize>,
    made: &impl Fn(usize) -> Result<Vec<NamedTensor>, EngineError>,
    told: &mut Told,
) -> Vec<usize> {
    let mut runs = |size: &usize| match made(*size).and_then(|inputs| reference.try_run(&inputs)) {
        Ok(_) => true,
        Err(error) => {
            told.notes.push(format!("batch {size} is not timed: {}", sentence(&error)));
            false
        }
    };
    batches.into_iter().filter(|size| runs(size)).collect()
}

/// Those that run the file, if every engine of the machine had a try. What cannot load it is told; a crash is kept as one.
fn working(every: bool, candidates: Vec<Contender>, notes: &mut Vec<String>) -> Vec<Contender> {
    let (kept, out): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| !every || candidate.row.error.is_none() || candidate.row.lost);
    notes.extend(out.iter().map(|candidate| {
        format!("{} is left out: {}", candidate.row.engine, candidate.row.error.as_deref().unwrap_or_default())
    }));
    kept
}

/// What a candidate makes of the cases, and all cases that decide taken together.
type Noise = Vec<(Fidelity, Comparison)>;

/// Compares every candidate with the reference in every case. Also what the reference gives in the first.
fn compare(
    line_up: &mut LineUp,
    cases: &[Case],
    decides: &dyn Fn(&String) -> bool,
) -> Result<(Noise, Vec<NamedTensor>), EngineError> {
    let mut noise: Noise = line_up
        .candidates
        .iter()
        .map(|_| (Fidelity { cases: Vec::new(), drop: None }, Comparison::default()))
        .collect();
    let progress = Progress::new("comparing");
    let mut first = Vec::new();
    for (index, (label, inputs)) in cases.iter().enumerate() {
        let wanted = line_up.reference.required()?.run(inputs)?;
        let mask = inputs.iter().find(|input| input.name == MASK).map(|input| &input.tensor);
        for (candidate, (fidelity, total)) in line_up.candidates.iter_mut().zip(&mut noise) {
            let Some(found) = candidate.attempt(|engine| engine.run(inputs)) else { continue };
            let mut comparison = Comparison::default();
            comparison.add(&wanted, &found, mask);
            let decides = decides(label);
            if decides {
                total.add(&wanted, &found, mask);
            }
            fidelity.cases.push(FidelityCase { label: label.clone(), decides, comparison });
        }
        if first.is_empty() {
            first = wanted;
        }
        progress.set((index + 1) as f64 / cases.len() as f64);
    }
    Ok((noise, first))
}

/// The most that a candidate loses of a measure of the task; `None` if it was not asked.
fn lost(asked: &Asked, candidate: usize) -> Option<f64> {
    let (float, found) = (asked.metrics.first()?, asked.metrics.get(candidate + 1)?);
    let drops = float.iter().filter_map(|wanted| {
        let found = found.iter().find(|found| found.name == wanted.name)?;
        Some((wanted.value - found.value) / wanted.of.map_or(100.0, |of| of.max(1) as f64))
    });
    drops.reduce(f64::max).map(|drop| drop.max(0.0))
}

/// The share of the items for which a candidate says something else.
fn disagreement(agreement: &Agreement) -> f64 {
    agreement.differing.len() as f64 / agreement.items.max(1) as f64
}
