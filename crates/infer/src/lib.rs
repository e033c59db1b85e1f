//! From the options of `eval`, `predict`, `bundle` and `doctor` to calls of the libraries below.
//!
//! What is not bound to the networks of this workspace ([`measure`], [`predict::engines`], [`bundle::ship`]) serves programs with
//! networks of their own as well.

pub mod bundle;
pub mod doctor;
pub mod eval;
pub mod inspect;
pub mod measure;
mod parts;
mod picture_file;
pub mod predict;
mod quantised;
pub mod samples;
mod task;
mod texts;

pub(crate) use terminal::program::print;
