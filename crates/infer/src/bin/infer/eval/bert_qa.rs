//! `infer eval bert-qa`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use artifact::{AtomicFile, FileError, Outputs};
use cli::eval::EvalBertQaArgs;
use cli::failure::sentence;
use cli::predict::Engines;
use infer::engine::{Engine, named};
use infer::fingerprint::Fingerprint;
use infer::progress::Progress;
use infer::question_answering::answer::{AnswerError, Reader};
use infer::question_answering::squad::{SquadScore, UnusableQuestion, score};
use infer::table::Table;
use models::question_answering::squad::{self, SquadQuestion};
use models::question_answering::{SpanOptions, WindowOptions};
use serde::Serialize;

use super::engines::asked;
use crate::bert::{load_each, model_files, text_side};
use crate::predict::engines::{runs_files, threads, warning};

#[derive(Serialize)]
struct Report {
    network: String,
    /// The questions.
    squad: PathBuf,
    /// The seed of the weights, if they are random and the figures mean nothing.
    random_init: Option<u64>,
    /// Questions to which not all engines gave the same answer.
    disagreements: usize,
    engines: Vec<Row>,
    threads: usize,
    fingerprint: Fingerprint,
}

/// How an engine did. One that fails leaves the others.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Scored(SquadScore),
    Failed { engine: String, error: String },
}

/// How many of the questions that cannot be asked are printed.
const SHOWN: usize = 5;

/// Where the reports go, unless the user says otherwise.
const OUT: &str = "artifacts/bert-qa/eval.json";
const SQUAD_OUT: &str = "artifacts/bert-qa/squad.json";

/// Evaluates, prints and writes the report: with SQuAD's questions if they are given.
pub fn execute(arguments: &EvalBertQaArgs) -> Result<ExitCode> {
    let out = |usual: &str| arguments.out.clone().unwrap_or_else(|| PathBuf::from(usual));
    match &arguments.squad {
        Some(questions) => ask(arguments, questions, &out(SQUAD_OUT)),
        None => super::reading::execute(arguments, &out(OUT)),
    }
}

/// Asks every question of every engine.
fn ask(arguments: &EvalBertQaArgs, questions: &Path, out_path: &Path) -> Result<ExitCode> {
    let engines = &arguments.measure.engines;
    if !engines.provider_options.is_empty() || engines.session_per_size {
        bail!("--provider-option and --session-per-size do not go with --squad");
    }
    let names = asked(engines)?;
    let squad_path = questions;
    keep_inputs(arguments, squad_path, out_path)?;
    let mut questions = squad::read(squad_path)?;
    questions.truncate(arguments.limit.unwrap_or(usize::MAX));
    let (tokenizer, config) = text_side(&arguments.hf_dir)?;
    let mut files = vec![("squad", squad_path)];
    if names.iter().any(runs_files) {
        files.push(("model", &arguments.model));
    }
    let fingerprint = Fingerprint::take(&files)?;
    // A report that cannot be written is known before the hours that it may take.
    let mut out = AtomicFile::create(out_path)?;
    let predictions = arguments.predictions.as_ref().map(AtomicFile::create).transpose()?;
    let reader = Reader { tokenizer: &tokenizer, config: &config, windows: WindowOptions::default() };
    let threads = threads(&Engines { names: Vec::new(), threads: arguments.measure.threads })?;
    let (engines, seed) = load_each(&names, &arguments.model, &arguments.hf_dir, &config, threads);
    let options = SpanOptions { max_tokens: arguments.max_answer_tokens, count: 1 };
    let mut rows = Vec::new();
    for (name, engine) in names.iter().zip(engines) {
        let score = engine.and_then(|mut engine| Ok(watched(&reader, engine.as_mut(), &questions, &options)?));
        rows.push(score.map_or_else(
            |error| Row::Failed { engine: name.to_string(), error: sentence(error.as_ref()) },
            Row::Scored,
        ));
    }
    let report = Report {
        network: "bert-qa".to_owned(),
        squad: squad_path.to_owned(),
        random_init: seed,
        disagreements: disagreements(&rows),
        engines: rows,
        threads,
        fingerprint,
    };
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", out_path))?;
    out.commit()?;
    if let (Some(mut file), Some(path)) = (predictions, &arguments.predictions) {
        match report.first() {
            Some(first) => {
                let answers = serde_json::to_string(&first.predictions)? + "\n";
                file.write_all(answers.as_bytes()).map_err(FileError::new("write", path))?;
                file.commit()?;
            }
            None => eprintln!("note: {} is not written: it is for the first engine, which failed", path.display()),
        }
    }
    let all = crate::report::renew(out_path);
    match arguments.measure.json {
        true => crate::print(&json)?,
        false => crate::print(&format!("{}Report: {}\n{all}", report.text(), out_path.display()))?,
    }
    Ok(if report.engines.iter().all(|row| row.score().is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses results that would take the place of what is read, or of each other.
fn keep_inputs(arguments: &EvalBertQaArgs, squad: &Path, out: &Path) -> Result<()> {
    let files = model_files(&arguments.hf_dir);
    let read = || [squad, &arguments.model].into_iter().chain(files.iter().map(PathBuf::as_path));
    Outputs::of_inputs(read()).named(out)?;
    match &arguments.predictions {
        Some(predictions) => Ok(Outputs::of_inputs(read().chain([out])).named(predictions)?),
        None => Ok(()),
    }
}

/// Asks every question of one engine, with progress.
fn watched(
    reader: &Reader,
    engine: &mut dyn Engine,
    questions: &[SquadQuestion],
    options: &SpanOptions,
) -> Result<SquadScore, AnswerError> {
    let progress = Progress::new(&format!("SQuAD, {}", engine.name()));
    let started = Instant::now();
    let mut report = |done: f64| {
        progress.set(done / questions.len() as f64);
        progress.note(&format!("{:.2} questions/s", done / started.elapsed().as_secs_f64()));
    };
    score(reader, engine, questions, options, &mut report)
}

/// Questions to which not all engines that came to the end gave the same answer.
fn disagreements(rows: &[Row]) -> usize {
    let mut scores = rows.iter().filter_map(Row::score);
    let Some(first) = scores.next() else { return 0 };
    let others: Vec<&SquadScore> = scores.collect();
    let differs =
        |(id, answer): &(&String, &String)| others.iter().any(|other| other.predictions.get(*id) != Some(*answer));
    first.predictions.iter().filter(differs).count()
}

impl Row {
    /// The figures, if there are any.
    fn score(&self) -> Option<&SquadScore> {
        match self {
            Self::Scored(score) => Some(score),
            Self::Failed { .. } => None,
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default();
        let mut table = Table::new(["engine", "questions", "exact match", "F1", "questions/s"]);
        for score in self.engines.iter().filter_map(Row::score) {
            table.row([
                score.engine.clone(),
                score.questions.to_string(),
                format!("{:.2} %", score.exact_match),
                format!("{:.2} %", score.f1),
                format!("{:.2}", score.questions_per_second),
            ]);
        }
        text += &table.render();
        for row in &self.engines {
            if let Row::Failed { engine, error } = row {
                text += &format!("FAILED: {}\n", named(engine, error));
            }
        }
        // What cannot be asked does not depend on the engine.
        let unusable = self.engines.iter().find_map(Row::score).map_or(&[][..], |score| &score.unusable);
        if !unusable.is_empty() {
            text += &format!("Questions that cannot be asked, counted as wrong: {}\n", unusable.len());
            for UnusableQuestion { id, reason } in unusable.iter().take(SHOWN) {
                text += &format!("  {id}: {reason}\n");
            }
            if unusable.len() > SHOWN {
                text += &format!("  and {} more, which the report names\n", unusable.len() - SHOWN);
            }
        }
        if self.engines.len() > 1 {
            text += &format!("Questions with different answers: {}\n", self.disagreements);
        }
        text
    }

    /// The first engine's figures; `None` if it failed.
    fn first(&self) -> Option<&SquadScore> {
        self.engines.first().and_then(Row::score)
    }
}
