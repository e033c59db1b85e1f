//! Tests of the kernels on every instruction set of the machine.

mod adadelta;
mod adamw;
mod burn_operations;
mod convolutions;
mod inference;
mod linear_layers;
mod losses;
mod reference;
mod support;
mod threads;
mod transformers;
