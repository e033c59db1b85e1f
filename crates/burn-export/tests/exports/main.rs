//! What the exporter writes: as text for a reviewer, and run by ONNX Runtime against Burn.

mod agreement;
mod broadcasts;
mod burn_examples;
mod coverage;
mod edge_values;
mod element_types;
mod empty_axes;
mod errors;
mod files;
mod lists;
mod mnist;
mod modules;
mod names;
mod networks;
mod operators;
mod programs;
mod second_runtime;
mod sizes;
mod support;
mod table;
mod verdicts;
mod wording;
