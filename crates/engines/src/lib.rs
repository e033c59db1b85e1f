//! What runs a network, each engine in a process of its own, and the machine that it runs on.
//!
//! No network is known here by name: [`worker::serve`] is handed what opens those that are not files.

pub mod doctor;
pub mod engine;
pub mod engine_name;
pub mod fingerprint;
mod gpus;
pub mod identity;
pub mod libraries;
pub mod memory;
mod placement;
pub mod provider;
pub mod runtime;
pub mod session;
pub mod signature;
pub mod tensor;
pub mod threads;
pub mod usage;
mod values;
pub mod versions;
pub mod worker;
