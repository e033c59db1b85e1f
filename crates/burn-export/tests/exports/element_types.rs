//! The operator table in every element type that ONNX has, under ONNX Runtime against Burn.
//!
//! Each row runs in f32 and int64 (`operators`). Here its float inputs become f64, f16 and bf16, and its integer inputs
//! every other integer type. `lists/element_types.txt` says what does not run so, and why: row, types, opsets, reason.

use std::collections::BTreeMap;

use burn::tensor::DType;
use burn_export::{ExportError, Opset};

use crate::agreement::{Failures, compare};
use crate::lists;
use crate::table::case::{Case, Kind};
use crate::table::{Row, rows};

/// The float types besides f32.
pub const FLOATS: [DType; 3] = [DType::F64, DType::F16, DType::BF16];

/// The integer types besides int64.
pub const INTS: [DType; 7] = [DType::I32, DType::I16, DType::I8, DType::U64, DType::U32, DType::U16, DType::U8];

/// The name of the list.
pub const LIST: &str = "element_types.txt";

/// The row in each of its other element types.
pub fn variants(row: &Row) -> Vec<(DType, Case<'_>)> {
    let case = Case::new(row);
    let floats = FLOATS.into_iter().filter(|_| case.has(Kind::Float));
    let ints = INTS.into_iter().filter(|_| case.has(Kind::Int));
    floats
        .map(|float| (float, Case { float, ..Case::new(row) }))
        .chain(ints.map(|int| (int, Case { int, ..Case::new(row) })))
        .collect()
}

/// The lowest opset at which operators take a type.
fn lowest(dtype: DType) -> i64 {
    if dtype == DType::BF16 { 13 } else { 11 }
}

/// The name of a type, as ONNX writes it for people: `f16`, `int32`.
pub fn name(dtype: DType) -> String {
    let text = format!("{dtype:?}").to_lowercase();
    if dtype.is_int() { text.replace('i', "int") } else { text.replace('u', "uint") }
}

/// A line of the list.
pub struct Stop {
    row: String,
    types: Vec<String>,
    opsets: Vec<i64>,
    /// Why.
    pub reason: String,
}

impl Stop {
    /// Whether it says so of this row in this type at this opset.
    pub fn stops(&self, row: &str, ty: &str, opset: i64) -> bool {
        self.row == row && self.types.iter().any(|other| other == ty) && self.opsets.contains(&opset)
    }
}

/// The committed list.
pub fn stops() -> Vec<Stop> {
    let stop = |line: &str| {
        let mut parts = line.split(" | ").map(str::to_string);
        let mut next = || parts.next().unwrap_or_else(|| panic!("{LIST}: {line:?} has too few parts"));
        let (row, types, opsets, reason) = (next(), next(), next(), next());
        let opsets = opsets.split(", ").filter_map(|opset| opset.parse().ok()).collect();
        Stop { row, types: types.split(' ').map(str::to_string).collect(), opsets, reason }
    };
    lists::read(LIST).lines().map(stop).collect()
}

#[test]
fn every_element_type_agrees_but_for_the_listed() {
    let (mut lines, mut details) = (Vec::new(), Vec::new());
    for row in rows() {
        // Types that fail in the same way at the same opsets share a line.
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (dtype, case) in variants(&row) {
            let since = row.since.max(lowest(dtype));
            let found = Failures::of(&format!("{} in {}", row.name, name(dtype)), since, |opset| compare(&case, opset));
            for line in found.lines() {
                groups.entry(line).or_default().push(name(dtype));
            }
            details.extend(found.details().iter().cloned());
        }
        lines.extend(groups.into_iter().map(|(line, types)| format!("{} | {} | {line}", row.name, types.join(" "))));
    }
    lists::check(LIST, &lines, &details);
}

#[test]
fn bf16_is_refused_below_opset_13_or_needs_no_operator() {
    for row in rows().iter().filter(|row| row.since < 13) {
        for (_, case) in variants(row).into_iter().filter(|(dtype, _)| *dtype == DType::BF16) {
            match case.export(Opset::V12) {
                Err(ExportError::OpsetTooLow { lowest, .. }) => assert_eq!(lowest, Opset::V13, "{}", row.name),
                Err(other) => panic!("{}: {other}", row.name),
                Ok(model) => assert!(model.model().graph.nodes.is_empty(), "{}:\n{}", row.name, model.model()),
            }
        }
    }
}
