//! `infer eval bert-qa`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use artifact::{AtomicFile, FileError};
use cli::eval::EvalBertQaArgs;
use cli::predict::Engines;
use infer::fingerprint::Fingerprint;
use infer::progress::Progress;
use infer::question_answering::answer::Reader;
use infer::question_answering::squad::{SquadScore, score};
use infer::table::Table;
use models::question_answering::{SpanOptions, WindowOptions, squad};
use serde::Serialize;

use crate::bert::{load, text_side};
use crate::predict::engines::{runs_files, threads, wanted, warning};

#[derive(Serialize)]
struct Report {
    network: String,
    /// The questions.
    squad: PathBuf,
    /// The seed of the weights, if they are random and the figures mean nothing.
    random_init: Option<u64>,
    /// Questions to which not all engines gave the same answer.
    disagreements: usize,
    engines: Vec<SquadScore>,
    threads: usize,
    fingerprint: Fingerprint,
}

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
    let asked = &arguments.measure.engines.engines;
    let names = if asked.is_empty() { vec!["ort:cpu".to_owned()] } else { asked.clone() };
    let engines = Engines { names, threads: arguments.measure.threads };
    let squad_path = questions;
    let names = wanted(&engines)?;
    let mut questions = squad::read(squad_path)?;
    questions.truncate(arguments.limit.unwrap_or(usize::MAX));
    let (tokenizer, config) = text_side(&arguments.hf_dir)?;
    let mut files = vec![("squad", squad_path)];
    if names.iter().any(|name| runs_files(*name)) {
        files.push(("model", &arguments.model));
    }
    let fingerprint = Fingerprint::take(&files)?;
    // A report that cannot be written is known before the hours that it may take.
    let mut out = AtomicFile::create(out_path)?;
    let predictions = arguments.predictions.as_ref().map(AtomicFile::create).transpose()?;
    let reader = Reader { tokenizer: &tokenizer, config: &config, windows: WindowOptions::default() };
    let threads = threads(&engines)?;
    let (mut engines, seed) = load(&names, &arguments.model, &arguments.hf_dir, &config, threads)?;
    let options = SpanOptions { max_tokens: arguments.max_answer_tokens, count: 1 };
    let mut scores = Vec::new();
    for engine in &mut engines {
        let progress = Progress::new(&format!("SQuAD, {}", engine.name()));
        let mut report = |done: usize| progress.set(done as f64 / questions.len() as f64);
        scores.push(score(&reader, engine.as_mut(), &questions, &options, &mut report)?);
    }
    let report = Report {
        network: "bert-qa".to_owned(),
        squad: squad_path.to_owned(),
        random_init: seed,
        disagreements: disagreements(&scores),
        engines: scores,
        threads,
        fingerprint,
    };
    let json = serde_json::to_string(&report)? + "\n";
    out.write_all(json.as_bytes()).map_err(FileError::new("write", out_path))?;
    out.commit()?;
    if let (Some(mut file), Some(path), Some(first)) = (predictions, &arguments.predictions, report.engines.first()) {
        let answers = serde_json::to_string(&first.predictions)? + "\n";
        file.write_all(answers.as_bytes()).map_err(FileError::new("write", path))?;
        file.commit()?;
    }
    match arguments.measure.json {
        true => crate::print(&json)?,
        false => crate::print(&format!("{}Report: {}\n", report.text(), out_path.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn disagreements(scores: &[SquadScore]) -> usize {
    let Some((first, others)) = scores.split_first() else { return 0 };
    let differs =
        |(id, answer): &(&String, &String)| others.iter().any(|other| other.predictions.get(*id) != Some(*answer));
    first.predictions.iter().filter(differs).count()
}

impl Report {
    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default();
        let mut table = Table::new(["engine", "questions", "exact match", "F1", "questions/s"]);
        for score in &self.engines {
            table.row([
                score.engine.clone(),
                score.questions.to_string(),
                format!("{:.2} %", score.exact_match),
                format!("{:.2} %", score.f1),
                format!("{:.2}", score.questions_per_second),
            ]);
        }
        text += &table.render();
        if self.engines.len() > 1 {
            text += &format!("Questions with different answers: {}\n", self.disagreements);
        }
        text
    }
}
