//! The options of every command, defined once for xtask and for the programs it starts.
//!
//! xtask checks and explains them at once, before anything large is compiled; the program that does the work receives
//! the same words, and speaks and ends in the same way.

pub mod bundle;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod fetch;
pub mod inspect;
pub mod own;
pub mod path;
pub mod predict;
pub mod quantize;
pub mod report;
pub mod samples;
pub mod sandbox;
pub mod task;
pub mod train;
