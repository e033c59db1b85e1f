//! The MNIST CNN by the recipe of PyTorch's example, or by a modern one.

pub mod adadelta;
pub mod augmentation;
pub mod averaging;
pub mod batch;
pub mod command;
pub mod config;
pub mod data;
pub mod dropout;
pub mod evaluation;
pub mod results;
pub mod training;
