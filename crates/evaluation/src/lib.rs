//! Whether engines compute what they should, and how fast: validation against float64, bisection, timing, MLPerf's scenarios.

pub mod bisect;
pub mod command;
pub mod compare;
pub mod conclude;
pub mod contender;
pub mod history;
pub mod line_up;
pub mod measure;
pub mod measured;
pub mod onnx_file;
pub mod quantised;
pub mod random;
pub mod regression;
pub mod report;
pub mod repro;
pub mod scenario;
pub mod search;
pub mod starter;
pub mod statistics;
pub mod task;
pub mod timing;
pub mod timing_text;
pub mod verify;
