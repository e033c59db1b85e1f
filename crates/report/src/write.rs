//! The files of the report.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use artifact::{Outputs, is_ours, write_atomic};
use cli::report::ReportArgs;
use terminal::plain::line;
use terminal::program::print;

use crate::collect::collect;
use crate::markdown::markdown;
use crate::page::page;
use crate::summary::{Summary, summary};

/// The folder of the report in the folder with the results.
const FOLDER: &str = "report";

/// The page.
const INDEX: &str = "index.html";

/// Writes the page, the document and the summary of the evaluations that are there, and prints where they are. The exit status says
/// whether all passed, if that is asked for.
///
/// # Errors
/// When there is no evaluation, or a file cannot be written.
pub fn report(arguments: &ReportArgs) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| arguments.artifacts.join(FOLDER));
    let short = write(&arguments.artifacts, &out, arguments.force)?;
    let text = match arguments.json {
        true => json(&short)?,
        false => text(&short) + &line(short.sentence()) + &line(format_args!("Report: {}", out.join(INDEX).display())),
    };
    print(text)?;
    Ok(if short.passed || !arguments.check { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The verdict on each network, with what went wrong and what a reader should know.
fn text(short: &Summary) -> String {
    let mut text = String::new();
    for network in &short.networks {
        let verdict = if network.passed { "passed" } else { "FAILED" };
        text += &line(format_args!("{}: {verdict}", network.title));
        let lines = network.failures.iter().chain(&network.notes);
        text += &lines.map(|text| line(format_args!("  {text}"))).collect::<String>();
    }
    text + &short.unreadable.iter().map(|one| line(format_args!("FAILED: {one}"))).collect::<String>()
}

/// Writes the three files of the report.
fn write(artifacts: &Path, out: &Path, force: bool) -> Result<Summary> {
    let evidence = collect(artifacts)?;
    let short = summary(&evidence);
    let files = [("report.md", markdown(&evidence)), ("report.json", json(&short)?), (INDEX, page(&evidence))];
    let outputs = Outputs::default().force(force);
    files.iter().try_for_each(|(name, _)| outputs.neighbour(&out.join(name), is_ours))?;
    files.iter().try_for_each(|(name, content)| write_atomic(out.join(name), content))?;
    Ok(short)
}

fn json(short: &Summary) -> Result<String> {
    Ok(serde_json::to_string_pretty(short)? + "\n")
}
