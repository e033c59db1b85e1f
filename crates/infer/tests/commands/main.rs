//! The commands as a user runs them, on a small set of digits and random weights.

mod bisect;
mod bundle;
mod containers;
mod doctor;
mod eval;
mod float64;
mod hostile;
mod inspect;
mod library;
mod mortal;
mod names;
mod onnx_file;
mod origin;
mod outputs;
mod page;
mod picture_file;
mod predict;
mod quantised;
mod report;
mod samples;
mod sandbox;
mod setting;
mod sharded;
mod verdicts;
mod worker;
