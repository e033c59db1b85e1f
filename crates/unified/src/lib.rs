//! The features of shared dependencies, the same for every program.
//!
//! The programs are built one by one, as they are needed. Cargo gives a dependency the features that the programs of one build
//! ask for, and compiles it and all above it anew where another build asks for others. This crate asks for all of them, so that
//! Burn is compiled once, whatever is built first. It has no code.
