//! `infer eval`.

mod bert_qa;
mod mnist;

use std::process::ExitCode;

use anyhow::Result;
use cli::eval::{EvalArgs, EvalNetwork};

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalArgs) -> Result<ExitCode> {
    match &arguments.network {
        EvalNetwork::Mnist(arguments) => mnist::execute(arguments),
        EvalNetwork::BertQa(arguments) => bert_qa::execute(arguments),
    }
}
