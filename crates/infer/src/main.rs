//! Engines, validation, timing, prediction and reports.

fn main() {}
