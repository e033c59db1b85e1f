//! The commands as a user runs them, on a small set of digits and random weights.

mod doctor;
mod eval;
mod predict;
mod setting;
