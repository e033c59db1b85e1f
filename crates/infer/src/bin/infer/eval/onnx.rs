//! `infer eval --onnx FILE`.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use artifact::{AtomicFile, FileError};
use cli::eval::EvalOnnxArgs;
use infer::any_model::compare::{Case, cases, differences};
use infer::any_model::inputs::{Sizes, base_sizes, elements};
use infer::any_model::page::page;
use infer::any_model::report::{EngineReport, Report};
use infer::engine::Engine;
use infer::engine_name::EngineName;
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::memory::require_room;
use infer::progress::Progress;
use infer::session::SessionOptions;
use infer::subject::{Subject, time};
use infer::tensor::NamedTensor;
use infer::worker::remote::Launcher;

use super::engines::{Starter, asked, is_any, size_hint};
use super::search::{Plain, Search};
use super::{session_note, write_page};

/// The axis that counts items, if the model has one of this name.
const BATCH_AXIS: &str = "batch";

/// ONNX Runtime on the CPU with the graph as it is: what the file means.
const REFERENCE: &str = "ort:cpu, graph as it is";

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(model: &Path, arguments: &EvalOnnxArgs) -> Result<ExitCode> {
    let mut files = vec![("model", model)];
    files.extend(arguments.against.iter().map(|path| ("against", path.as_path())));
    let fingerprint = Fingerprint::take(&files)?;
    // A report that cannot be written is known before the time that it takes.
    let mut out = AtomicFile::create(&arguments.out)?;
    let report = evaluate(model, arguments, fingerprint)?;
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", &arguments.out))?;
    out.commit()?;
    let page = write_page(&arguments.out, &page(&report))?;
    let all = crate::report::renew(&arguments.out);
    match arguments.json {
        true => crate::print(&json)?,
        false => {
            let files = format!("Report: {}, {}\n{all}", arguments.out.display(), page.display());
            crate::print(&(report.text() + &files))?;
        }
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn evaluate(model: &Path, arguments: &EvalOnnxArgs, fingerprint: Fingerprint) -> Result<Report> {
    let mut asked = asked(&arguments.engines)?;
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let mut libraries = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?;
    // Unless the user chooses, every engine of this machine has a try.
    let every = is_any(&arguments.engines);
    if every {
        asked = libraries.working().into_iter().map(EngineName::Ort).chain([EngineName::Tract]).collect();
    }
    let libraries = RefCell::new(libraries);
    let starter = Starter {
        launcher: &launcher,
        libraries: &libraries,
        model,
        threads: arguments.threads,
        arguments: &arguments.engines,
    };
    let plain = Plain::new(&starter)?;
    let other = arguments.against.as_deref();
    let name = other.map_or_else(|| REFERENCE.to_owned(), |path| format!("{REFERENCE}, {}", path.display()));
    let compared = other.unwrap_or(model);
    let started = launcher.engine(&plain.spec(compared)).with_context(|| {
        format!("there is nothing to compare engines with (is {} an ONNX file?)", compared.display())
    })?;
    let (signature, metadata) = (started.signature().clone(), started.loaded().metadata.clone());
    let given: Sizes = arguments.shapes.iter().map(|shape| (shape.axis.clone(), shape.size)).collect();
    let sizes = base_sizes(&signature, &given)?;
    require_room("an input of these sizes", &elements(&signature, &sizes))?;
    let cases = cases(&signature, &sizes)?;
    let sample = cases.first().map(|case| case.inputs.clone()).unwrap_or_default();

    let mut reference = Subject::new(&name, None, Ok(started));
    let mut candidates: Vec<Subject> = asked.iter().map(|engine| starter.start(engine, |_| Ok(()))).collect();
    reference.start(&sample);
    let mut engines = Vec::new();
    let seed = metadata.as_ref().and_then(|metadata| metadata.entries.get("weights.random_init"));
    let random =
        |seed: &String| format!("the weights are random (seed {seed}): what this network computes means nothing");
    let mut notes = Vec::from_iter(seed.map(random).into_iter().chain(session_note(&arguments.engines)));
    candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    if every {
        // What cannot load the file, or run it at all, is told and is no failure.
        let mut kept = Vec::new();
        for (engine, candidate) in asked.into_iter().zip(candidates) {
            match &candidate.row.error {
                Some(error) => notes.push(format!("{engine} is left out: {error}")),
                None => kept.push((engine, candidate)),
            }
        }
        (asked, candidates) = kept.into_iter().unzip();
    }
    let progress = Progress::new("comparing");
    let total = candidates.len().max(1) as f64;
    for (index, candidate) in candidates.iter_mut().enumerate() {
        let (differences, refused) = differences(reference.required()?, candidate, &cases)?;
        for refusal in refused {
            let note = format!("the model does not run at {refusal}");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        engines.push(differences);
        progress.set((index + 1) as f64 / total);
    }
    drop(progress);

    let progress = Progress::new("timing");
    let least = Duration::from_secs_f64(arguments.seconds);
    let mut subjects: Vec<&mut Subject> = std::iter::once(&mut reference).chain(&mut candidates).collect();
    let items = sizes.get(BATCH_AXIS).copied().unwrap_or(1);
    let timing = time(&mut subjects, &sample, items, least, |share| progress.set(share));
    drop(progress);
    subjects.iter_mut().for_each(|subject| subject.finish());

    let differences = std::iter::once(Vec::new()).chain(engines);
    let mut engines: Vec<EngineReport> = subjects
        .iter()
        .zip(differences)
        .map(|(subject, differences)| EngineReport { row: subject.row.clone(), differences })
        .collect();
    notes.extend(size_hint(&arguments.engines, engines.iter().map(|engine| &engine.row)));
    drop(subjects);
    if arguments.bisect {
        // The models are loaded once more, with more outputs; these engines have done their work.
        drop((reference, candidates));
        let search = Search::new(&starter, other.unwrap_or(model), signature.clone(), arguments.tolerance);
        for (report, engine) in engines.iter_mut().skip(1).zip(&asked) {
            let Some(inputs) = trigger(report, &cases, arguments.tolerance) else { continue };
            let found = match &search {
                Ok(search) => search.departure(engine, inputs).map_err(|error| cli::failure::sentence(&error)),
                Err(error) => Err(cli::failure::sentence(error.as_ref())),
            };
            match found {
                Ok(departure) => report.row.departure = departure,
                Err(reason) => notes.push(format!("{engine} cannot be bisected: {reason}")),
            }
        }
    }
    Ok(Report {
        passed: engines.iter().all(|engine| engine.failure(arguments.tolerance).is_none()),
        notes,
        signature,
        metadata,
        sizes,
        reference: name,
        tolerance: arguments.tolerance,
        engines,
        timing,
        threads: arguments.threads,
        optimization: SessionOptions::default().optimization,
        fingerprint,
    })
}

/// The inputs of the case that differs most; `None` if it is within the limit.
fn trigger<'a>(report: &EngineReport, cases: &'a [Case], tolerance: f64) -> Option<&'a [NamedTensor]> {
    let worst = report.worst().filter(|worst| !worst.within(tolerance))?;
    cases.iter().find(|case| case.label == worst.case).map(|case| case.inputs.as_slice())
}
