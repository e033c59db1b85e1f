//! `infer eval --onnx FILE`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cli::eval::{AxisSize, EvalOnnxArgs};
use cli::failure::sentence;
use infer::any_model::about::About;
use infer::any_model::compare::difference;
use infer::any_model::given::inputs;
use infer::any_model::inputs::{
    InputsError, Sizes, base_sizes, batch_axis, cycled, dynamic_axes, elements, listed, random_inputs, sizes_of,
};
use infer::any_model::sweep::{Case, cases, label};
use infer::engine::{Engine, EngineError, Signature};
use infer::engine_name::EngineName;
use infer::field::Field;
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::measured::Head;
use infer::network::report::Report;
use infer::subject::Subject;
use infer::tensor::NamedTensor;

use super::engines::{Starter, asked, is_any, size_hint};
use super::network::{conclude, named, reports, unusual};
use super::search::{Judged, Plain};
use super::standard::{Standard, expected};
use super::trigger::Again;
use super::{batches, held, launcher, outputs, repeating, scenarios, session_note, settings};

/// What stands for the network's name.
const NAME: &str = "onnx";

/// ONNX Runtime on the CPU with the graph as it is: what the file means.
const REFERENCE: &str = "ort:cpu (graph as it is)";

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(model: &Path, arguments: &EvalOnnxArgs) -> Result<ExitCode> {
    let again = Again { inputs: &arguments.inputs, tolerance: arguments.tolerance };
    let inputs = arguments.inputs.iter().flat_map(|path| held_by(path));
    let read: Vec<PathBuf> = inputs.chain([model.to_owned()]).collect();
    let outputs = outputs(&arguments.measure, read.iter().map(PathBuf::as_path));
    conclude(NAME, &arguments.measure, (&arguments.out, &outputs), again, || {
        let mut report = evaluate(model, arguments)?;
        report.command += &unusual("--out", &arguments.out, Path::new(EvalOnnxArgs::OUT));
        Ok(report)
    })
}

/// The file, or the files of the folder.
fn held_by(path: &Path) -> Vec<PathBuf> {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned()],
    }
}

fn evaluate(model: &Path, arguments: &EvalOnnxArgs) -> Result<Report> {
    let measure = &arguments.measure;
    let other = measure.against.as_deref();
    let files: Vec<(&str, &Path)> = [("model", model)].into_iter().chain(other.map(|path| ("against", path))).collect();
    let fingerprint = Fingerprint::take(&files)?;
    let asked = asked(&measure.engines)?;
    let launcher = launcher(measure)?;
    let mut libraries = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?;
    // Unless the user chooses, every engine of this machine has a try.
    let every = is_any(&measure.engines);
    let names = match every {
        true => libraries.working().into_iter().map(EngineName::Ort).chain([EngineName::Tract]).collect(),
        false => asked,
    };
    let libraries = RefCell::new(libraries);
    let threads = measure.threads();
    let starter = Starter { launcher: &launcher, libraries: &libraries, model, threads, arguments: &measure.engines };
    let plain = Plain::new(&starter)?;
    let compared = other.unwrap_or(model);
    let started = launcher.engine(&plain.spec(compared)).map_err(|error| no_reference(error, compared))?;
    let (signature, metadata) = (started.signature().clone(), started.loaded().metadata.clone());
    let given = given(&signature, arguments)?;
    let sizes = sizes(&signature, &arguments.shapes, given.first())?;
    let axis = counted(&signature, arguments)?;
    let at = |size: usize| {
        let mut sizes = sizes.clone();
        sizes.extend(axis.clone().map(|axis| (axis, size)));
        sizes
    };
    let usual = axis.as_ref().and_then(|axis| sizes.get(axis)).copied().unwrap_or(1);
    let (mut batches, mut undone) = held(&batches(&measure.batches, &[usual]), |size| elements(&signature, &at(size)));
    let largest = axis.as_deref().zip(batches.iter().max().copied());
    let (random, too_large) = cases(&signature, &sizes, largest)?;
    undone.extend(too_large);
    let name = other.map_or_else(|| REFERENCE.to_owned(), |path| format!("{REFERENCE}, {}", path.display()));
    let mut reference = Subject::new(&name, None, Ok(started));
    let mut notes = Vec::from_iter(session_note(&measure.engines));
    let own = given.first().cloned();
    let cases = runnable(&mut reference, given.into_iter().chain(random).collect(), &mut notes, &mut undone)?;
    let sample = cases.first().map(|(_, inputs)| inputs.clone()).unwrap_or_default();
    undone.extend(wavering(&mut reference, &sample)?);
    notes.extend(unhandled(&signature, &mut undone));
    // What is timed has been run: the user's own inputs, or those of a case, or random ones of a size that no case has.
    let tried: Vec<Case> =
        cases.iter().filter(|(label, _)| own.as_ref().is_none_or(|(own, _)| own != label)).cloned().collect();
    let made = |size: usize| {
        let sizes = at(size);
        let repeated = own.as_ref().and_then(|(_, inputs)| cycled(&signature, inputs, &sizes));
        let case = || tried.iter().find(|(name, _)| *name == label(&sizes)).map(|(_, inputs)| inputs.clone());
        repeated.or_else(case).map_or_else(|| random_inputs(&signature, &sizes, 0), Ok)
    };
    let ran = |size: usize| own.is_none() && tried.iter().any(|(name, _)| *name == label(&at(size)));
    let mut timed = Vec::new();
    for size in batches {
        match if ran(size) { Ok(()) } else { reference.try_run(&made(size)?).map(drop) } {
            Ok(()) => timed.push(size),
            // Nobody asked for a single item in particular.
            Err(_) if size == 1 && usual != 1 && !measure.batches.contains(&1) => {}
            Err(error) => undone.push(format!("the model does not run at batch {size}: {}", sentence(&error))),
        }
    }
    batches = timed;

    reference.start(&sample);
    let standard = Standard { launcher: &launcher, plain: &plain, file: compared, arguments };
    let expected = expected(&standard, &mut reference, cases, &mut notes, &mut undone)?;
    let mut candidates: Vec<Subject> = names.iter().map(|engine| starter.start(engine, |_| Ok(()))).collect();
    candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    let mut names = names;
    if every {
        (names, candidates) = working(names, candidates, &mut notes);
    }
    let mut field = Field { reference, candidates };
    let verifications = field.judge(&expected);
    if field.candidates.is_empty() {
        undone.push("no engine ran the file, so that nothing was compared".to_owned());
    }
    let made =
        |size: usize| made(size).map_err(|error| EngineError::Run { engine: name.clone(), reason: error.to_string() });
    let least = Duration::from_secs_f64(measure.seconds);
    let timing = field.time(&batches, least, made)?;
    let scenarios = field.scenarios(&scenarios(&measure.scenario), measure.seconds, &timing, made)?;
    field.finish();
    notes.extend(Field::thread_notes(threads));
    if measure.bisect {
        let (names, expected, verifications) = (&names, &expected, verifications.as_slice());
        let judged = Judged { starter: &starter, names, expected, verifications, network: None };
        notes.extend(judged.bisect(&mut field.candidates, other));
    }
    notes.extend(size_hint(&measure.engines, field.candidates.iter().map(|candidate| &candidate.row)));
    let engines = reports(&mut field, verifications.into_iter().map(|verification| (verification, None)));
    let items = if axis.is_some() { "items" } else { "runs" };
    let seed = metadata.as_ref().and_then(|metadata| metadata.entries.get("weights.random_init"));
    Ok(Report {
        head: Head {
            network: NAME.to_owned(),
            passed: undone.is_empty() && engines.iter().all(|engine| engine.failures(items).is_empty()),
            notes,
            undone,
            timing,
            scenarios,
            compared: None,
            settings: settings(measure),
            fingerprint,
        },
        random_init: seed.and_then(|seed| seed.parse().ok()),
        command: command(model, arguments),
        file: Some(About { signature, metadata, sizes, batch_axis: axis }),
        items: items.to_owned(),
        reference: name,
        engines,
    })
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
fn given(signature: &Signature, arguments: &EvalOnnxArgs) -> Result<Vec<Case>> {
    let read =
        |path: &std::path::PathBuf| Ok((path.display().to_string(), inputs(path, signature).context("--inputs")?));
    arguments.inputs.iter().map(read).collect()
}

/// The sizes of the dynamic axes: as the user says, or those of the user's own inputs, or 1.
fn sizes(signature: &Signature, shapes: &[AxisSize], given: Option<&Case>) -> Result<Sizes> {
    let mut sizes = given.map(|(_, inputs)| sizes_of(signature, inputs)).unwrap_or_default();
    sizes.extend(shapes.iter().map(|shape| (shape.axis.clone(), shape.size)));
    Ok(base_sizes(signature, &sizes)?)
}

/// The axis that counts items.
fn counted(signature: &Signature, arguments: &EvalOnnxArgs) -> Result<Option<String>> {
    let axes = dynamic_axes(signature);
    let axis = match &arguments.batch_axis {
        Some(axis) if axes.contains(axis) => Some(axis.clone()),
        Some(axis) => return Err(InputsError::UnknownAxis { axis: axis.clone(), axes }).context("--batch-axis"),
        None => batch_axis(signature),
    };
    if axis.is_none() && !arguments.measure.batches.is_empty() {
        bail!("--batches needs a dynamic axis that counts items, which --batch-axis names; {}", listed(&axes));
    }
    Ok(axis)
}

/// The cases that the reference runs. What it refuses is noted, and what ends it is not passed over.
///
/// # Errors
/// When it runs none.
fn runnable(
    reference: &mut Subject,
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

/// What is said of outputs whose types are not handled.
fn unhandled(signature: &Signature, undone: &mut Vec<String>) -> Option<String> {
    let others: Vec<String> = signature
        .outputs
        .iter()
        .filter(|output| output.element.is_none())
        .map(|output| format!("`{}`", output.name))
        .collect();
    if others.len() == signature.outputs.len() {
        undone.push("the model has no output of a type that can be compared".to_owned());
    }
    (!others.is_empty()).then(|| {
        format!("left out, since they are text, sequences or of a type that is not handled: {}", others.join(", "))
    })
}

/// What is said of a reference that gives other outputs for the same inputs.
fn wavering(reference: &mut Subject, inputs: &[NamedTensor]) -> Result<Option<String>> {
    let (once, again) = (reference.required()?.run(inputs)?, reference.required()?.run(inputs)?);
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
    candidates: Vec<Subject>,
    notes: &mut Vec<String>,
) -> (Vec<EngineName>, Vec<Subject>) {
    let mut kept = Vec::new();
    for (engine, candidate) in names.into_iter().zip(candidates) {
        match &candidate.row.error {
            Some(error) if !candidate.row.lost => notes.push(format!("{engine} is left out: {error}")),
            _ => kept.push((engine, candidate)),
        }
    }
    kept.into_iter().unzip()
}

/// The command that repeats it.
fn command(model: &Path, arguments: &EvalOnnxArgs) -> String {
    let EvalOnnxArgs { shapes, batch_axis, inputs, tolerance, measure, .. } = arguments;
    let mut command = "cargo xtask eval".to_owned() + &named("--onnx", model);
    for AxisSize { axis, size } in shapes {
        command += &format!(" --shape {axis}={size}");
    }
    command.extend(batch_axis.iter().map(|axis| format!(" --batch-axis {axis}")));
    command.extend(inputs.iter().map(|path| named("--inputs", path)));
    command.extend(tolerance.iter().map(|share| format!(" --tolerance {share}")));
    command.extend(measure.against.iter().map(|path| named("--against", path)));
    command + &repeating(measure)
}
