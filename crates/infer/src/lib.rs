//! Engines for networks, and what they are judged by: validation, timing, prediction.

pub mod alexnet;
pub mod burn_mnist;
pub mod burn_network;
pub mod compare;
pub mod doctor;
pub mod engine;
pub mod fingerprint;
pub mod libraries;
pub mod mnist;
pub mod placement;
pub mod progress;
pub mod provider;
pub mod question_answering;
pub mod random;
pub mod runtime;
pub mod session;
pub mod signature;
pub mod statistics;
pub mod table;
pub mod tensor;
pub mod threads;
pub mod timing;
pub mod usage;
pub mod verify;
pub mod worker;
