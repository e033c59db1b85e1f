//! A model from anywhere: what it is, inputs made up for it, and its outputs compared.

pub mod about;
pub mod compare;
pub mod decisions;
pub mod domains;
pub mod evaluate;
pub mod expression;
pub mod given;
pub mod inputs;
pub mod judge;
pub mod narrow;
pub mod ranges;
pub mod runs;
pub mod standard;
pub mod sweep;
pub mod widened;
