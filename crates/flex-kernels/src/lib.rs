//! Fused CPU kernels for Burn's flex backend.
//!
//! [`layers`] is what a network is made of. Below it, [`operations`] are the kernels as differentiable operations on
//! Burn's tensors, and the other modules are the kernels: slices in, slices out, no Burn.

pub mod adadelta;
pub mod adamw;
pub mod attention;
pub mod buffer;
pub mod convolution;
pub mod dropout;
mod gemm;
pub mod layers;
pub mod linear;
pub mod loss;
mod math;
pub mod norm;
pub mod operations;
mod parallel;
pub mod pool;
pub mod simd;
mod tile;
