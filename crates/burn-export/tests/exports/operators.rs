//! Every operation, exported at every opset, run by ONNX Runtime and compared with Burn.

use std::collections::BTreeSet;

use burn_export::{ExportError, Opset};

use crate::agreement::{Failures, compare};
use crate::table::case::{Case, OPSETS};
use crate::table::rows;

#[test]
fn onnx_runtime_agrees_with_burn() {
    let mut failures = Vec::new();
    for row in rows() {
        let found = Failures::of(row.name, row.since, |opset| compare(&Case::new(&row), opset));
        failures.extend_from_slice(found.details());
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// The newest opsets change what types operators take, and nothing in how they are written.
#[test]
fn onnx_runtime_agrees_at_the_newest_opsets() {
    let mut failures = Vec::new();
    for row in rows() {
        for opset in (22..=28).filter(|opset| !OPSETS.contains(opset)) {
            if let Err((failure, text)) = compare(&Case::new(&row), opset) {
                failures.push(format!("{} at opset {opset}: {failure}: {text}", row.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn an_opset_that_is_too_low_is_refused_with_the_lowest_that_is_not() {
    for row in rows().iter().filter(|row| row.since > 11) {
        let opset = Opset::try_from(row.since - 1).unwrap_or(Opset::V11);
        match Case::new(row).export(opset) {
            Err(ExportError::OpsetTooLow { lowest, .. }) => assert_eq!(lowest.number(), row.since, "{}", row.name),
            Err(other) => panic!("{}: {other}", row.name),
            Ok(_) => panic!("{} exports at opset {opset}, below {}", row.name, row.since),
        }
    }
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let rows = rows();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len());
}
