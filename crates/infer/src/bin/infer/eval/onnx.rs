//! `infer eval --onnx FILE`.

use std::cell::RefCell;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cli::eval::{AxisSize, EvalOnnxArgs};
use cli::failure::sentence;
use infer::any_model::about::About;
use infer::any_model::given::inputs;
use infer::any_model::inputs::{Sizes, base_sizes, batch_axis, dynamic_axes, elements, random_inputs, sizes_of};
use infer::any_model::sweep::{Case, cases};
use infer::any_model::widened::Widened;
use infer::engine::{Engine, EngineError, Signature};
use infer::engine_name::EngineName;
use infer::field::Field;
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::measured::Head;
use infer::network::report::{EngineReport, Report};
use infer::progress::Progress;
use infer::subject::Subject;
use infer::verify::{Expected, LANES_FACTOR};
use infer::worker::remote::{Launcher, RemoteEngine};
use onnx_model::Model;
use onnx_model::float64::to_float64;
use tempfile::TempDir;

use super::engines::{Starter, asked, is_any, size_hint};
use super::network::{conclude, unusual};
use super::search::{Judged, Plain};
use super::{batches, held, launcher, repeating, scenarios, session_note, settings};

/// What stands for the network's name.
const NAME: &str = "onnx";

/// ONNX Runtime on the CPU with the graph as it is: what the file means.
const REFERENCE: &str = "ort:cpu (graph as it is)";

/// The share of the largest value that engines may differ by where nothing says how far float32 strays.
const SHARE: f64 = 1e-3;

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(model: &Path, arguments: &EvalOnnxArgs) -> Result<ExitCode> {
    conclude(NAME, &arguments.measure, &arguments.out, || {
        let mut report = evaluate(model, arguments)?;
        report.command += &unusual("--out", &arguments.out, Path::new(EvalOnnxArgs::OUT));
        Ok(report)
    })
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
    let (batches, mut unfit) = held(&batches(&measure.batches, &[usual]), |size| elements(&signature, &at(size)));
    let largest = axis.as_deref().zip(batches.iter().max().copied());
    let (random, too_large) = cases(&signature, &sizes, largest)?;
    unfit.extend(too_large);
    let name = other.map_or_else(|| REFERENCE.to_owned(), |path| format!("{REFERENCE}, {}", path.display()));
    let mut reference = Subject::new(&name, None, Ok(started));
    let mut notes = Vec::from_iter(session_note(&measure.engines));
    let cases = runnable(&mut reference, given.into_iter().chain(random).collect(), &mut notes)?;
    let sample = cases.first().map(|(_, inputs)| inputs.clone()).unwrap_or_default();

    reference.start(&sample);
    let expected = expected(
        &Standard { launcher: &launcher, plain: &plain, file: compared, arguments },
        &mut reference,
        cases,
        &mut notes,
    )?;
    let mut candidates: Vec<Subject> = names.iter().map(|engine| starter.start(engine, |_| Ok(()))).collect();
    candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    let mut names = names;
    if every {
        (names, candidates) = working(names, candidates, &mut notes);
    }
    let mut field = Field { reference, candidates };
    let verifications = field.judge(&expected);
    let made = |size: usize| {
        random_inputs(&signature, &at(size), 0)
            .map_err(|error| EngineError::Run { engine: name.clone(), reason: error.to_string() })
    };
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
    let verifications = std::iter::once(None).chain(verifications);
    let engines: Vec<EngineReport> = field
        .everyone()
        .iter()
        .zip(verifications)
        .map(|(subject, verification)| EngineReport { row: subject.row.clone(), verification, agreement: None })
        .collect();
    let items = if axis.is_some() { "items" } else { "runs" };
    let seed = metadata.as_ref().and_then(|metadata| metadata.entries.get("weights.random_init"));
    Ok(Report {
        head: Head {
            network: NAME.to_owned(),
            passed: unfit.is_empty() && engines.iter().all(|engine| engine.failures(items).is_empty()),
            notes,
            unfit,
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
    // A library that cannot be used is no fault of the file.
    let hint = match error.to_string().contains(&file.display().to_string()) {
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
        Some(axis) => bail!("--batch-axis: the model has no dynamic axis `{axis}`; {}", listed(&axes)),
        None => batch_axis(signature),
    };
    if axis.is_none() && !arguments.measure.batches.is_empty() {
        bail!("--batches needs a dynamic axis that counts items, which --batch-axis names; {}", listed(&axes));
    }
    Ok(axis)
}

fn listed(axes: &[String]) -> String {
    if axes.is_empty() { "all sizes are fixed".to_owned() } else { format!("it has {}", axes.join(", ")) }
}

/// The cases that the reference runs. What it refuses is noted.
///
/// # Errors
/// When it refuses all.
fn runnable(reference: &mut Subject, cases: Vec<Case>, notes: &mut Vec<String>) -> Result<Vec<Case>> {
    let mut kept = Vec::new();
    let mut refusal = None;
    for (label, inputs) in cases {
        match reference.required()?.run(&inputs) {
            Ok(_) => kept.push((label, inputs)),
            Err(error) => {
                notes.push(format!("the model does not run at {label}: {}", sentence(&error)));
                refusal.get_or_insert(error);
            }
        }
    }
    match refusal.filter(|_| kept.is_empty()) {
        Some(error) => Err(anyhow::Error::new(error)
            .context("the model runs at none of the sizes that were tried (--shape names others)")),
        None => Ok(kept),
    }
}

/// What engines are judged by.
struct Standard<'a> {
    launcher: &'a Launcher,
    plain: &'a Plain,
    /// The file that is right.
    file: &'a Path,
    arguments: &'a EvalOnnxArgs,
}

/// What the file means, in float32 and, where ONNX Runtime has it, in float64.
fn expected(
    standard: &Standard<'_>,
    reference: &mut Subject,
    cases: Vec<Case>,
    notes: &mut Vec<String>,
) -> Result<Expected> {
    let progress = Progress::new("exact results");
    let tolerance = standard.arguments.tolerance;
    let exact = standard.exact().and_then(|(_folder, mut exact)| {
        let mut exact = Widened(&mut exact);
        let expected = Expected::of(reference.required()?, &mut exact, cases.clone(), |share| progress.set(share))?;
        match expected.native_error().is_finite() {
            true => Ok(expected),
            false => bail!("in float64 it gives outputs of another shape, or infinite ones"),
        }
    });
    let expected = match exact {
        Ok(expected) => match tolerance {
            Some(share) => expected.share(share),
            None => expected.multiple(LANES_FACTOR),
        },
        Err(error) => {
            let share = tolerance.unwrap_or(SHARE);
            notes.push(format!(
                "float64 does not say how far this file may stray, so the limit is {share:.1e} of the largest value: {}",
                sentence(error.as_ref())
            ));
            Expected::apart(share, reference.required()?, cases, |share| progress.set(share))?
        }
    };
    if let Some(case) = expected.not_finite() {
        notes.push(format!("the model itself gives values that are no finite numbers ({case})"));
    }
    Ok(expected)
}

impl Standard<'_> {
    /// The file rewritten to float64, in a process of its own, with the folder that it lies in.
    fn exact(&self) -> Result<(TempDir, RemoteEngine)> {
        let mut model = Model::load(self.file)?;
        model.graph.sort();
        let model = to_float64(&model)?;
        let folder = tempfile::tempdir().context("no place for the model in float64")?;
        let path = folder.path().join("float64.onnx");
        model.save(&path)?;
        let engine = self.launcher.engine(&self.plain.fast_spec(&path))?;
        Ok((folder, engine))
    }
}

/// The engines that run the file. What cannot load it, or run it at all, is told and is no failure.
fn working(
    names: Vec<EngineName>,
    candidates: Vec<Subject>,
    notes: &mut Vec<String>,
) -> (Vec<EngineName>, Vec<Subject>) {
    let mut kept = Vec::new();
    for (engine, candidate) in names.into_iter().zip(candidates) {
        match &candidate.row.error {
            Some(error) => notes.push(format!("{engine} is left out: {error}")),
            None => kept.push((engine, candidate)),
        }
    }
    kept.into_iter().unzip()
}

/// The command that repeats it.
fn command(model: &Path, arguments: &EvalOnnxArgs) -> String {
    let EvalOnnxArgs { shapes, batch_axis, inputs, tolerance, measure, .. } = arguments;
    let mut command = format!("cargo xtask eval --onnx {}", model.display());
    for AxisSize { axis, size } in shapes {
        command += &format!(" --shape {axis}={size}");
    }
    command.extend(batch_axis.iter().map(|axis| format!(" --batch-axis {axis}")));
    command.extend(inputs.iter().map(|path| format!(" --inputs {}", path.display())));
    command.extend(tolerance.iter().map(|share| format!(" --tolerance {share}")));
    command.extend(measure.against.iter().map(|path| format!(" --against {}", path.display())));
    command + &repeating(measure)
}
