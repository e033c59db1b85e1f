//! docs/consumers.md.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::networks::{Exported, Network, OPSETS};
use crate::programs::Program;
use crate::{Found, Outcome};

/// The date, by the machine's clock.
pub(crate) fn today() -> Result<String> {
    let date = Command::new("date").arg("+%Y-%m-%d").output().context("date cannot be started")?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    ensure!(date.len() == 10, "date says `{date}`");
    Ok(date)
}

/// What is said of a file in a few words.
pub(crate) fn cell(cases: &[(String, Outcome)]) -> String {
    let mut worst = 0.0f64;
    for (_, outcome) in cases {
        match outcome {
            Outcome::Right(error) => worst = worst.max(*error),
            Outcome::Wrong(reason) => return format!("wrong: {reason}"),
            Outcome::Refused(reason) => return format!("refused: {reason}"),
        }
    }
    format!("right ({worst:.0e})")
}

/// The whole document.
pub(crate) fn text(networks: &[(Network, Vec<Exported>)], found: &[(&Program, Option<Found>)]) -> String {
    let mut text = String::from(
        "# Our files in other programs\n\n\
         Written by `cargo xtask bench consumers`, which installs each program in an environment of its own, with the versions below, \
         and gives it\nfiles of ours at several opsets. Right is what differs from Burn's float32 by at most a thousandth of the largest \
         value of each output; the\nnumber is the largest such share. A program that writes another file is judged by what ONNX Runtime \
         computes with that one.\n",
    );
    let mut reasons: Vec<String> = Vec::new();
    for (network, _) in networks {
        let batches: Vec<&str> = network.cases.iter().map(|case| case.label.as_str()).collect();
        let _ = write!(text, "\n## {}\n\nIt is {}; {}.\n\n", network.name, network.about, batches.join(" and "));
        let opsets: Vec<String> = OPSETS.iter().map(|opset| format!("opset {opset}")).collect();
        let _ =
            writeln!(text, "| program | version | {} |\n|---|---|{}", opsets.join(" | "), "---|".repeat(opsets.len()));
        for (program, found) in found {
            let Some(found) = found.as_ref().filter(|found| found.absent.is_none()) else { continue };
            let of: BTreeMap<i64, &[(String, Outcome)]> = found
                .files
                .iter()
                .filter(|file| file.network == network.name)
                .map(|file| (file.opset, file.cases.as_slice()))
                .collect();
            let cells: Vec<String> = OPSETS
                .iter()
                .map(|opset| of.get(opset).map_or_else(|| "-".to_owned(), |cases| noted(cases, &mut reasons)))
                .collect();
            let _ = writeln!(text, "| {} | {} | {} |", program.title, program.version(), cells.join(" | "));
        }
    }
    if !reasons.is_empty() {
        text.push_str("\nWhat the programs say, or what is wrong:\n\n");
        for (number, reason) in reasons.iter().enumerate() {
            let _ = writeln!(text, "{}. {reason}", number + 1);
        }
    }
    text.push_str("\n## What a user must set, and what was tried when\n\n| program | packages | tried | to set |\n|---|---|---|---|\n");
    for (program, found) in found {
        let tried = match found {
            None => "no: not installed when this was written".to_owned(),
            Some(Found { absent: Some(reason), .. }) => format!("no: {reason}"),
            Some(found) => found.date.clone(),
        };
        let _ =
            writeln!(text, "| {} | {} | {tried} | {} |", program.title, program.packages().join(", "), program.note);
    }
    text
}

/// As [`cell`], with the number of the reason.
fn noted(cases: &[(String, Outcome)], reasons: &mut Vec<String>) -> String {
    let against = cases.iter().find(|(_, outcome)| !matches!(outcome, Outcome::Right(_)));
    let (case, what, reason) = match against {
        None => return cell(cases),
        Some((_, Outcome::Right(_))) => return cell(cases),
        Some((case, Outcome::Wrong(reason))) => (case, "wrong", reason),
        Some((case, Outcome::Refused(reason))) => (case, "refused", reason),
    };
    let number = reasons.iter().position(|known| known == reason).unwrap_or_else(|| {
        reasons.push(reason.clone());
        reasons.len() - 1
    });
    let some = cases.iter().any(|(_, outcome)| matches!(outcome, Outcome::Right(_)));
    let at = if some { format!(" at {case}") } else { String::new() };
    format!("{what}{at} ({})", number + 1)
}
