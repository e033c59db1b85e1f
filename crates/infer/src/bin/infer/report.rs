//! `infer report`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use artifact::{Outputs, is_ours, write_atomic};
use cli::report::ReportArgs;
use infer::mnist::test_digits;
use infer::report::{Summary, collect, markdown, page, summary};

/// The folder of the report in the folder with the results.
const FOLDER: &str = "report";

/// The page.
const INDEX: &str = "index.html";

/// Where results lie unless the user says otherwise.
const ARTIFACTS: &str = "artifacts";

/// Writes the page, the document and the summary, and says where they are.
pub fn execute(arguments: &ReportArgs) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| arguments.artifacts.join(FOLDER));
    let short = write(&arguments.artifacts, &arguments.data, &out, arguments.force)?;
    let index = out.join(INDEX);
    match arguments.json {
        true => crate::print(&json(&short)?)?,
        false => {
            let mut text = String::new();
            for network in &short.networks {
                let verdict = if network.passed { "passed" } else { "FAILED" };
                text += &format!("{}: {verdict}\n", network.title);
                let lines = network.failures.iter().chain(&network.notes);
                text += &lines.map(|line| format!("  {line}\n")).collect::<String>();
            }
            text += &short.unreadable.iter().map(|one| format!("FAILED: {one}\n")).collect::<String>();
            crate::print(&format!("{text}{}\nReport: {}\n", short.sentence(), index.display()))?;
        }
    }
    Ok(if short.passed || !arguments.check { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the report anew after an evaluation, if that went where the report looks for it, and says in a line where it is.
/// The evaluation stands by itself: that the report cannot be written is told and no more.
pub fn renew(evaluation: &Path) -> String {
    let artifacts = Path::new(ARTIFACTS);
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let network = evaluation.parent().unwrap_or(Path::new(""));
    let place = absolute(network).and_then(|folder| folder.parent().map(Path::to_owned));
    let known = EVALUATIONS.iter().any(|name| evaluation.file_name().is_some_and(|found| found == *name));
    if !known || place.is_none() || place != absolute(artifacts) {
        return String::new();
    }
    let out = artifacts.join(FOLDER);
    match write(artifacts, &Path::new(crate::DATASETS).join("mnist"), &out, false) {
        Ok(_) => format!("All networks: {}\n", out.join(INDEX).display()),
        Err(error) => format!(
            "Note: the report over all networks was not written ({}); `cargo xtask report` does it.\n",
            cli::failure::sentence(error.as_ref())
        ),
    }
}

/// The names under which the report looks for evaluations.
const EVALUATIONS: [&str; 3] = ["eval.json", "squad.json", "onnx.json"];

/// Writes the three files of the report.
fn write(artifacts: &Path, data: &Path, out: &Path, force: bool) -> Result<Summary> {
    // Without the images the page says so in their place.
    let digits = test_digits(data).ok();
    let evidence = collect(artifacts, digits.as_ref())?;
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
