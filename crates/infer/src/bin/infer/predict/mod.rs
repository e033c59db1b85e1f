//! `infer predict`.

pub mod alexnet;
mod bert_qa;
pub mod engines;
mod mnist;

use std::process::ExitCode;

use anyhow::Result;
use cli::predict::{PredictArgs, PredictNetwork};

/// Predicts and prints. The exit status says whether all engines give the same.
pub fn execute(arguments: &PredictArgs) -> Result<ExitCode> {
    match &arguments.network {
        PredictNetwork::Mnist(arguments) => mnist::execute(arguments),
        PredictNetwork::Alexnet(arguments) => alexnet::execute(arguments),
        PredictNetwork::BertQa(arguments) => bert_qa::execute(arguments),
    }
}
