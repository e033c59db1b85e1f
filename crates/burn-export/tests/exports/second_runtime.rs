//! The operator table under tract, which shares no code with ONNX Runtime.
//!
//! `lists/tract.txt` says what tract 0.23.9 cannot do itself: row, opsets, and how it stops. Everything else must agree
//! with Burn.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use burn::tensor::TensorData;

use crate::lists::{self, numbers};
use crate::support::difference;
use crate::support::tract::{Failure, run};
use crate::table::case::{Bytes, Case, OPSETS, SIZES};
use crate::table::{Row, rows};

/// Far more than any row takes, so that only what never ends takes longer.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn tract_agrees_with_burn_but_for_its_known_gaps() {
    let (mut lines, mut details) = (Vec::new(), Vec::new());
    for row in rows() {
        let mut kinds: BTreeMap<Failure, Vec<i64>> = BTreeMap::new();
        for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
            if let Err((kind, text)) = compare(&row, opset) {
                kinds.entry(kind).or_default().push(opset);
                details.push(format!("{} at opset {opset}: {text}", row.name));
            }
        }
        let line = |(kind, opsets): (Failure, Vec<i64>)| format!("{} | {} | {kind}", row.name, numbers(&opsets));
        lines.extend(kinds.into_iter().map(line));
    }
    lists::check("tract.txt", &lines, &details);
}

fn compare(row: &Row, opset: i64) -> Result<(), (Failure, String)> {
    let case = Case::new(row);
    let bytes = case.file(opset).unwrap_or_else(|error| panic!("{} at opset {opset}: {error:?}", row.name));
    // Size one, and one that no trace uses.
    for (round, sizes) in [&SIZES[0], &SIZES[3]].into_iter().enumerate() {
        let data = case.inputs(sizes, round as u64);
        let names = row.arguments.iter().map(|argument| argument.name.to_string());
        let found = bounded(bytes.clone(), names.zip(data.clone()).collect());
        let found = found.map_err(|(kind, text)| (kind, format!("sizes {sizes:?}: {text}")))?;
        let expected = case.native(&data).unwrap_or_else(|text| panic!("{}: {text}", row.name));
        for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
            if let Some(text) = difference(found, expected, row.tolerance) {
                return Err((Failure::Differs, format!("sizes {sizes:?}, output {position}: {text}")));
            }
        }
    }
    Ok(())
}

/// Runs tract in a thread of its own, which is left behind if it does not end.
fn bounded(bytes: Bytes, inputs: Vec<(String, TensorData)>) -> Result<Vec<TensorData>, (Failure, String)> {
    let (sender, receiver) = channel();
    let work = move || {
        let named: Vec<(&str, &TensorData)> = inputs.iter().map(|(name, data)| (name.as_str(), data)).collect();
        // Nobody waits any more for a result that comes too late.
        let _ = sender.send(run(&bytes, &named));
    };
    // tract's optimiser goes deep.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(work);
    thread.unwrap_or_else(|error| panic!("no thread can be started: {error}"));
    receiver.recv_timeout(LIMIT).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err((Failure::Hangs, format!("no result after {} s", LIMIT.as_secs()))),
        RecvTimeoutError::Disconnected => Err((Failure::Panics, "the thread ended without a result".to_string())),
    })
}
