//! Tests of training: its parts against PyTorch, and the program as a user meets it.
//!
//! Expected numbers come from the scripts in `../fixtures`. No test needs Python, a network or the real MNIST.

mod adadelta;
mod augmentation;
mod bert_qa;
mod data_sets;
mod dropout;
mod failures;
mod initial_weights;
mod interruption;
mod network;
mod outputs;
mod questions;
mod ranks;
mod recipe;
mod stopping;
mod support;
