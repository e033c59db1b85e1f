//! A model from anywhere: what it is, inputs made up for it, and its outputs compared.

pub mod about;
pub mod compare;
pub mod given;
pub mod inputs;
pub mod sweep;
pub mod widened;
