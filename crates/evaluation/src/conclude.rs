//! From an evaluation to its report on disk.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use artifact::{AtomicFile, FileError, Outputs};

use crate::measure::Measure;
use crate::report::Report;
use crate::repro::{ReproArguments, hand_over};

/// Where a report goes, and what it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The report.
    pub out: &'a Path,
    /// What may be written.
    pub outputs: &'a Outputs,
    /// An earlier report whose times are compared with.
    pub compare: Option<&'a Path>,
}

/// Has `evaluate` make a report, compares it with an earlier one, and writes it as JSON, with the inputs that engines are wrong
/// about beside it.
///
/// # Errors
/// When the report cannot be written or the earlier one read, which is known before the work; or when `evaluate` fails.
pub fn conclude(
    place: &Place<'_>,
    network: &str,
    measure: &Measure,
    again: ReproArguments<'_>,
    evaluate: impl FnOnce() -> Result<Report>,
) -> Result<Report> {
    let Place { out, outputs, compare } = *place;
    outputs.named(out)?;
    let mut file = AtomicFile::create(out)?;
    let earlier = compare.map(|path| earlier(network, path)).transpose()?;
    let mut report = evaluate()?;
    if let (Some(path), Some(earlier)) = (compare, &earlier) {
        report.compare(path.to_owned(), earlier);
    }
    let model = report.head.fingerprint.files.get("model").map(|mark| mark.path.clone()).unwrap_or_default();
    let rows = report.engines.iter_mut().map(|engine| &mut engine.row);
    report.head.notes.extend(hand_over(rows, out, &model, measure, again, outputs));
    let json = serde_json::to_string(&report)? + "\n";
    file.write_all(json.as_bytes()).map_err(FileError::new("write", out))?;
    file.commit()?;
    Ok(report)
}

/// A report to compare with.
fn earlier(network: &str, path: &Path) -> Result<Report> {
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    let report = serde_json::from_slice::<Report>(&bytes).ok().filter(|report| report.head.network == network);
    report.with_context(|| format!("{} is no report of `eval {network}`", path.display()))
}
