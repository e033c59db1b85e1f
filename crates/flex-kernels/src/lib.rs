//! Fused CPU training kernels for Burn's flex backend.

pub mod adadelta;
pub mod buffer;
pub mod convolution;
pub mod linear;
pub mod loss;
mod parallel;
mod product;
pub mod simd;
mod tile;
