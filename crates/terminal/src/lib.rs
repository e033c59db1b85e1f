//! What people read on a terminal: texts from outside in plain form, tables, progress with the time left, failures in a sentence.

pub mod failure;
pub mod plain;
pub mod program;
pub mod progress;
pub mod table;
