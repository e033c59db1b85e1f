//! The operator table under tract, which shares no code with ONNX Runtime.
//!
//! `tract_gaps.txt` lists what tract 0.23.9 cannot do itself: row, opsets, and how it stops. Everything else must agree
//! with Burn, and a gap that closes must leave the list: `UPDATE_GAPS=1` writes it anew, for a reviewer to look at.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, TensorData};
use burn_export::Opset;

use crate::operators::{SIZES, inputs};
use crate::support::difference;
use crate::support::tract::{Failure, run};
use crate::table::{Row, rows};

const OPSETS: [i64; 4] = [11, 13, 17, 21];

#[test]
fn tract_agrees_with_burn_but_for_its_known_gaps() {
    // tract's optimiser goes deep.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(gaps);
    let thread = thread.unwrap_or_else(|error| panic!("no thread can be started: {error}"));
    let (found, details) = thread.join().unwrap_or_else(|_| panic!("the table could not be run"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports/tract_gaps.txt");
    if std::env::var_os("UPDATE_GAPS").is_some() {
        std::fs::write(&path, &found).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let news: Vec<&str> = found.lines().filter(|line| !known.lines().any(|known| known == *line)).collect();
    let closed: Vec<&str> = known.lines().filter(|line| !found.lines().any(|found| found == *line)).collect();
    assert!(found == known, "new gaps: {news:#?}\nclosed gaps: {closed:#?}\n{}", details.join("\n"));
}

/// A line for each row with gaps, and what tract said of each.
fn gaps() -> (String, Vec<String>) {
    let (mut lines, mut details) = (String::new(), Vec::new());
    for row in rows() {
        let mut kinds: BTreeMap<Failure, Vec<String>> = BTreeMap::new();
        for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
            if let Err((kind, text)) = compare(&row, opset) {
                kinds.entry(kind).or_default().push(opset.to_string());
                details.push(format!("{} at opset {opset}: {text}", row.name));
            }
        }
        for (kind, opsets) in kinds {
            lines.push_str(&format!("{} | {} | {kind}\n", row.name, opsets.join(", ")));
        }
    }
    (lines, details)
}

fn compare(row: &Row, opset: i64) -> Result<(), (Failure, String)> {
    let opset = Opset::try_from(opset).unwrap_or_else(|error| panic!("{error}"));
    let exported = (row.export)(row.exporter().opset(opset)).unwrap_or_else(|error| panic!("{}: {error}", row.name));
    let bytes = exported.to_bytes().unwrap_or_else(|error| panic!("{}: {error}", row.name));
    // Size one, and one that no trace uses.
    for (round, sizes) in [&SIZES[0], &SIZES[3]].into_iter().enumerate() {
        let data = inputs(row, sizes, round as u64);
        let named: Vec<(&str, &TensorData)> = row.arguments.iter().map(|argument| argument.name).zip(&data).collect();
        let found = run(&bytes, &named).map_err(|(kind, text)| (kind, format!("sizes {sizes:?}: {text}")))?;
        let expected = (row.native)(data.clone(), &Device::flex());
        for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
            if let Some(text) = difference(found, expected, row.tolerance) {
                return Err((Failure::Differs, format!("sizes {sizes:?}, output {position}: {text}")));
            }
        }
    }
    Ok(())
}
