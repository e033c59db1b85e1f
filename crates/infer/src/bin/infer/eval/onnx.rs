//! `infer eval --onnx FILE`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use artifact::{AtomicFile, FileError};
use cli::eval::EvalOnnxArgs;
use infer::any_model::compare::{cases, differences};
use infer::any_model::inputs::{Sizes, base_sizes, elements};
use infer::any_model::page::page;
use infer::any_model::report::{EngineReport, Report};
use infer::engine::Engine;
use infer::fingerprint::Fingerprint;
use infer::libraries::Libraries;
use infer::memory::require_room;
use infer::progress::Progress;
use infer::session::{Optimization, SessionOptions};
use infer::subject::{Subject, time};
use infer::worker::EngineSpec;
use infer::worker::remote::Launcher;

use super::engines::{Starter, asked};
use super::write_page;

/// ONNX Runtime on the CPU with the graph as it is: what the file means.
const REFERENCE: &str = "ort:cpu, graph as it is";

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(model: &Path, arguments: &EvalOnnxArgs) -> Result<ExitCode> {
    let fingerprint = Fingerprint::take(&[("model", model)])?;
    // A report that cannot be written is known before the time that it takes.
    let mut out = AtomicFile::create(&arguments.out)?;
    let report = evaluate(model, arguments, fingerprint)?;
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", &arguments.out))?;
    out.commit()?;
    let page = write_page(&arguments.out, &page(&report))?;
    match arguments.json {
        true => crate::print(&json)?,
        false => {
            let files = format!("Report: {}, {}\n", arguments.out.display(), page.display());
            crate::print(&(report.text() + &files))?;
        }
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn evaluate(model: &Path, arguments: &EvalOnnxArgs, fingerprint: Fingerprint) -> Result<Report> {
    let asked = asked(&arguments.engines)?;
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let mut libraries = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?;
    let plain =
        SessionOptions { threads: arguments.threads, optimization: Optimization::None, ..SessionOptions::default() };
    let library = libraries.for_provider(plain.provider)?;
    let started = launcher.engine(&EngineSpec::Ort { library, model: model.to_owned(), options: plain })?;
    let (signature, metadata) = (started.signature().clone(), started.loaded().metadata.clone());
    let given: Sizes = arguments.shapes.iter().map(|shape| (shape.axis.clone(), shape.size)).collect();
    let sizes = base_sizes(&signature, &given)?;
    require_room("an input of these sizes", &elements(&signature, &sizes))?;
    let cases = cases(&signature, &sizes)?;
    let sample = cases.first().map(|case| case.inputs.clone()).unwrap_or_default();

    let mut reference = Subject::new(REFERENCE, None, Ok(started));
    let mut starter = Starter {
        launcher: &launcher,
        libraries: &mut libraries,
        model,
        threads: arguments.threads,
        arguments: &arguments.engines,
    };
    let mut candidates: Vec<Subject> = asked.into_iter().map(|engine| starter.start(engine, |_| Ok(()))).collect();
    reference.start(&sample);
    let mut engines = Vec::new();
    let mut notes = Vec::new();
    let progress = Progress::new("comparing");
    let total = candidates.len().max(1) as f64;
    for (index, candidate) in candidates.iter_mut().enumerate() {
        candidate.start(&sample);
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
    let timing = time(&mut subjects, &sample, 1, least, |share| progress.set(share));
    drop(progress);
    subjects.iter_mut().for_each(|subject| subject.finish());

    let differences = std::iter::once(Vec::new()).chain(engines);
    let engines: Vec<EngineReport> = subjects
        .iter()
        .zip(differences)
        .map(|(subject, differences)| EngineReport { row: subject.row.clone(), differences })
        .collect();
    Ok(Report {
        passed: engines.iter().all(|engine| engine.failure(arguments.tolerance).is_none()),
        notes,
        signature,
        metadata,
        sizes,
        reference: REFERENCE.to_owned(),
        tolerance: arguments.tolerance,
        engines,
        timing,
        threads: arguments.threads,
        optimization: SessionOptions::default().optimization,
        fingerprint,
    })
}
