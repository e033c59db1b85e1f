//! A model from anywhere: inputs made up for it, and its engines compared with one another.

pub mod compare;
pub mod inputs;
pub mod page;
pub mod report;
