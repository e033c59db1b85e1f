//! Engines for networks, and what they are judged by: validation, timing, prediction.

pub mod burn_mnist;
pub mod compare;
pub mod engine;
pub mod fingerprint;
pub mod libraries;
pub mod mnist;
pub mod placement;
pub mod progress;
pub mod provider;
pub mod random;
pub mod runtime;
pub mod session;
pub mod statistics;
pub mod table;
pub mod tensor;
pub mod threads;
pub mod timing;
pub mod usage;
pub mod verify;
pub mod worker;
