//! ONNX files with 8-bit integers in place of floats.
//!
//! A float model goes in and a quantised one comes out; no framework is involved. The steps, each a module of its own:
//!
//! 1. [`prepare`] simplifies the graph without changing what it computes.
//! 2. [`plan`] decides which nodes compute with integers, and which values pass between them as bytes.
//! 3. [`calibrate`] runs the float model on samples and keeps a [`histogram`] of every such value, of which [`range`] makes ranges, and
//!    the [`moments`] of what every product sees, by which [`products`] rounds its weight ([`rounding`]).
//! 4. [`writer`] writes the graph of the plan, as QDQ or with integer operators; [`dynamic`] writes the kind that needs no ranges;
//!    [`embedding`] makes integers of tables of which rows are gathered.
//! 5. [`gate`] gives nodes back to floats, those first that do the most harm, until the result is good enough.
//!
//! [`command`] is all of them one after the other; models run in the [`workbench`], in processes of their own.
//!
//! Values between nodes are unsigned bytes with a zero point, weights are signed with none, one scale for each output channel. A bias is
//! a 32-bit integer in steps of the products; where it would not fit, the scale of its channel grows.

pub mod arithmetic;
pub mod calibrate;
pub mod command;
pub mod dynamic;
pub mod embedding;
pub mod error;
pub mod gate;
pub mod graph;
pub mod histogram;
pub mod integers;
pub mod moments;
pub mod plan;
pub mod prepare;
pub mod products;
pub mod raise;
pub mod range;
pub mod ranges_file;
pub mod recipe;
pub mod report;
pub mod rounding;
pub mod samples;
pub mod workbench;
pub mod writer;

pub use error::QuantizeError;
