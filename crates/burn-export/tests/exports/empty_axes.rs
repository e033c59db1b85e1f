//! Axes of size zero. The exporter promises sizes from one up; here is what happens below: each dynamic axis of every
//! row runs at zero, and `lists/empty_axes.txt` says of each whether it works.
//!
//! Burn's matrix product reads memory that is not there when an axis is empty, so that the rows run in a process of their
//! own: this test itself, started again behind the row at which it ended.

use std::io::Write;
use std::process::Command;

use crate::agreement::{Failures, load};
use crate::lists::{self, numbers};
use crate::support::difference;
use crate::table::case::{Case, OPSETS};
use crate::table::{Row, rows};

/// Where the process begins: the number of the first case.
const FROM: &str = "EMPTY_AXES_FROM";

/// What precedes the process's words for its parent.
const MARK: &str = "empty axes: ";

#[test]
fn what_works_with_an_empty_axis_is_written_down() {
    if let Some(from) = std::env::var(FROM).ok().and_then(|from| from.parse().ok()) {
        return run_from(from);
    }
    let rows = rows();
    let cases = cases(&rows);
    let mut lines = Vec::new();
    let mut from = 0;
    while from < cases.len() {
        let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(program);
        command.args(["empty_axes::what_works_with_an_empty_axis_is_written_down", "--exact", "--nocapture"]);
        let output = command.env(FROM, from.to_string()).output().unwrap_or_else(|error| panic!("{error}"));
        let said = String::from_utf8_lossy(&output.stdout);
        let mut doing = "Burn's CPU backend";
        for word in said.lines().filter_map(|line| line.split_once(MARK)).map(|(_, word)| word) {
            match word.split_once(' ') {
                Some(("line", line)) => lines.push(line.to_string()),
                _ if word == "Burn ran" => doing = "ONNX Runtime",
                _ if word == "next" => {
                    doing = "Burn's CPU backend";
                    from += 1;
                }
                _ => panic!("{word:?}"),
            }
        }
        if from < cases.len() {
            assert!(!output.status.success(), "the process ended at case {from} of {}:\n{said}", cases.len());
            let (row, axis) = &cases[from];
            let name = Case::new(row).names()[*axis];
            let opsets: Vec<i64> = OPSETS.into_iter().filter(|opset| *opset >= row.since).collect();
            lines.push(format!("{} | {name} = 0 | {} | {doing} crashes", row.name, numbers(&opsets)));
            from += 1;
        }
    }
    lists::check("empty_axes.txt", &lines, &[]);
}

/// Each dynamic axis of each row, by its place.
fn cases(rows: &[Row]) -> Vec<(&Row, usize)> {
    rows.iter().flat_map(|row| (0..Case::new(row).names().len()).map(move |axis| (row, axis))).collect()
}

/// Runs the cases from this one on, and says how far it came.
fn run_from(from: usize) {
    let rows = rows();
    let say = |word: &str| {
        println!("{MARK}{word}");
        // Nothing may be lost when the process ends.
        std::io::stdout().flush().unwrap_or_else(|error| panic!("{error}"));
    };
    for (row, axis) in cases(&rows).into_iter().skip(from) {
        let case = Case::new(row);
        let name = case.names()[axis];
        let mut sizes = [3, 4, 5, 6];
        sizes[axis] = 0;
        let data = case.inputs(&sizes, 0);
        // What Burn says is looked at below.
        let _ = case.native(&data);
        say("Burn ran");
        let found = Failures::of(row.name, row.since, |opset| {
            load(&case, opset)?.compare(&case, &data, |_, found, expected| difference(found, expected, row.tolerance))
        });
        if found.is_empty() {
            say(&format!("line {} | {name} = 0 | works", row.name));
        }
        for line in found.lines() {
            say(&format!("line {} | {name} = 0 | {line}", row.name));
        }
        say("next");
    }
}
