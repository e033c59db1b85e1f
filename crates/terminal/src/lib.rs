//! What people read on a terminal: tables, progress with the time left, failures in a sentence.

pub mod failure;
pub mod program;
pub mod progress;
pub mod table;
