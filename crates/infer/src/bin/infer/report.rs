//! `infer report`.

use std::process::ExitCode;

use anyhow::Result;
use artifact::write_atomic;
use cli::report::ReportArgs;
use infer::mnist::test_digits;
use infer::report::{collect, markdown, page, summary};

/// Writes the page, the document and the summary, and says where they are.
pub fn execute(arguments: &ReportArgs) -> Result<ExitCode> {
    // Without the images the page says so in their place.
    let digits = test_digits(&arguments.data).ok();
    let evidence = collect(&arguments.artifacts, digits.as_ref())?;
    let short = summary(&evidence);
    let json = serde_json::to_string_pretty(&short)? + "\n";
    let out = arguments.out.clone().unwrap_or_else(|| arguments.artifacts.join("report"));
    write_atomic(out.join("report.md"), markdown(&evidence))?;
    write_atomic(out.join("report.json"), &json)?;
    let index = out.join("index.html");
    write_atomic(&index, page(&evidence))?;
    match arguments.json {
        true => crate::print(&json)?,
        false => {
            let mut text = String::new();
            for network in &short.networks {
                let verdict = if network.passed { "passed" } else { "FAILED" };
                text += &format!("{}: {verdict}\n", network.title);
                text += &network.failures.iter().map(|failure| format!("  {failure}\n")).collect::<String>();
            }
            text += &short.unreadable.iter().map(|one| format!("FAILED: {one}\n")).collect::<String>();
            crate::print(&format!("{text}{}\nReport: {}\n", short.sentence(), index.display()))?;
        }
    }
    Ok(if short.passed || !arguments.check { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
