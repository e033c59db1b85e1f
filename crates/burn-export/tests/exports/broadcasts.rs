//! Axes of size one that stretch: each axis of each operand of every operation that takes several of one shape.
//!
//! `lists/broadcasts.txt` says which operations do not stretch, and why.

use crate::agreement::{Failures, compare};
use crate::lists;
use crate::table::case::Case;
use crate::table::{Row, rows};

/// The row with one axis of one operand fixed at one, in every place. None where the operands differ in shape.
fn variants(row: &Row) -> Vec<(String, Case<'_>)> {
    let axes = Case::new(row).axes;
    let Some(first) = axes.first().filter(|_| axes.len() > 1 && axes.iter().all(|other| *other == axes[0])) else {
        return Vec::new();
    };
    let mut variants = Vec::new();
    for (argument, declared) in row.arguments.iter().enumerate() {
        for axis in 0..first.len() {
            let mut case = Case::new(row);
            case.axes[argument][axis] = "1";
            variants.push((format!("{} of [{}]", declared.name, case.axes[argument].join(", ")), case));
        }
    }
    variants
}

#[test]
fn axes_of_one_stretch_on_every_side_but_for_the_listed() {
    let (mut lines, mut details) = (Vec::new(), Vec::new());
    for row in rows() {
        for (what, case) in variants(&row) {
            let found = Failures::of(&format!("{}, {what}", row.name), row.since, |opset| compare(&case, opset));
            lines.extend(found.lines().into_iter().map(|line| format!("{} | {what} | {line}", row.name)));
            details.extend(found.details().iter().cloned());
        }
    }
    lists::check("broadcasts.txt", &lines, &details);
}
