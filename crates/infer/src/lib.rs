//! Engines, validation, timing, prediction and reports.
