//! What the exporter writes: as text for a reviewer, and run by ONNX Runtime against Burn.

mod burn_examples;
mod coverage;
mod errors;
mod files;
mod mnist;
mod modules;
mod more_modules;
mod names;
mod networks;
mod operators;
mod programs;
mod second_runtime;
mod sizes;
mod support;
mod table;
mod verdicts;
