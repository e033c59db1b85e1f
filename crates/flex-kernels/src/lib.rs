//! Fused CPU training kernels for Burn's flex backend.
//!
//! [`layers`] is what a network is made of. Below it, [`operations`] are the kernels as differentiable operations on
//! Burn's tensors, and the other modules are the kernels: slices in, slices out, no Burn.

pub mod adadelta;
pub mod buffer;
pub mod convolution;
pub mod dropout;
pub mod layers;
pub mod linear;
pub mod loss;
pub mod operations;
mod parallel;
mod product;
pub mod simd;
mod tile;
