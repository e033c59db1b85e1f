//! The operator table under tract, which shares no code with ONNX Runtime.
//!
//! `lists/tract.txt` says what tract 0.23.9 cannot do itself: row, element types, opsets, and how it stops. Everything else
//! must agree with Burn.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use burn::tensor::{DType, TensorData};

use crate::agreement::tolerance;
use crate::element_types;
use crate::lists::{self, numbers};
use crate::support::tract::{Failure, run};
use crate::support::{Difference, difference};
use crate::table::case::{Bytes, Case, Kind, OPSETS, SIZES};
use crate::table::{Row, rows};

/// Far more than any row takes, so that only what never ends takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// The row as it is, and in the other types that models are made of.
fn cases(row: &Row) -> Vec<(String, Case<'_>)> {
    let own = Case::new(row);
    let mut names = vec![own.float; usize::from(own.has(Kind::Float))];
    names.extend(vec![own.int; usize::from(own.has(Kind::Int) && !own.has(Kind::Float))]);
    let name = names.first().map_or_else(|| "bool".to_string(), |dtype| element_types::name(*dtype));
    let others = element_types::variants(row).into_iter();
    let others = others.filter(|(dtype, _)| matches!(dtype, DType::F64 | DType::F16 | DType::I32));
    [(name, own)].into_iter().chain(others.map(|(dtype, case)| (element_types::name(dtype), case))).collect()
}

#[test]
fn tract_agrees_with_burn_but_for_its_known_gaps() {
    let (mut lines, mut details) = (Vec::new(), Vec::new());
    for row in rows() {
        // Types that stop in the same way at the same opsets share a line.
        let mut stops: Vec<(Failure, Vec<i64>, Vec<String>)> = Vec::new();
        for (position, (name, case)) in cases(&row).into_iter().enumerate() {
            let mut kinds: Vec<(Failure, Vec<i64>)> = Vec::new();
            for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
                let Err((kind, text)) = compare(&case, opset, position == 0) else { continue };
                details.push(format!("{} in {name} at opset {opset}: {text}", row.name));
                match kinds.iter_mut().find(|(other, _)| *other == kind) {
                    Some((_, opsets)) => opsets.push(opset),
                    None => kinds.push((kind, vec![opset])),
                }
            }
            for (kind, opsets) in kinds {
                match stops.iter_mut().find(|(other, others, _)| *other == kind && *others == opsets) {
                    Some((_, _, types)) => types.push(name.clone()),
                    None => stops.push((kind, opsets, vec![name.clone()])),
                }
            }
        }
        lines.extend(stops.into_iter().map(|(kind, opsets, types)| {
            format!("{} | {} | {} | {kind}", row.name, types.join(" "), numbers(&opsets))
        }));
    }
    lists::check("tract.txt", &lines, &details);
}

/// What has no file, or no result in Burn, must be one of the other element types: `element_types` lists it.
fn compare(case: &Case<'_>, opset: i64, is_own: bool) -> Result<(), (Failure, String)> {
    let row = case.row;
    let bytes = match case.file(opset) {
        Ok(bytes) => bytes,
        Err(error) if is_own => panic!("{} at opset {opset}: {error:?}", row.name),
        Err(_) => return Ok(()),
    };
    // Size one, and one that no trace uses.
    for (round, sizes) in [&SIZES[0], &SIZES[3]].into_iter().enumerate() {
        let data = case.inputs(sizes, round as u64);
        let expected = match case.native(&data) {
            Ok(expected) => expected,
            Err(text) if is_own => panic!("{}: {text}", row.name),
            Err(_) => return Ok(()),
        };
        let names = row.arguments.iter().map(|argument| argument.name.to_string());
        let found = bounded(bytes.clone(), names.zip(data).collect());
        let found = found.map_err(|(kind, text)| (kind, format!("sizes {sizes:?}: {text}")))?;
        for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // Burn records the places in an int32 tensor as int32, and its CPU backend makes int64 of them.
            if let Some(Difference::Elements(text)) = difference(found, expected, tolerance(case)) {
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
