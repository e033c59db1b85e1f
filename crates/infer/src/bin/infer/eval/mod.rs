//! `infer eval`.

mod bert_qa;
mod mnist;
mod onnx;
mod providers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use artifact::{FileError, write_atomic};
use cli::eval::{EvalArgs, EvalNetwork};

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalArgs) -> Result<ExitCode> {
    match (&arguments.network, &arguments.file.onnx) {
        (Some(EvalNetwork::Mnist(arguments)), _) => mnist::execute(arguments),
        (Some(EvalNetwork::BertQa(arguments)), _) => bert_qa::execute(arguments),
        (None, Some(model)) => onnx::execute(model, &arguments.file),
        (None, None) => bail!("name a network, or a file with --onnx"),
    }
}

/// Writes a report's page beside the report: `eval.json` and `eval.html`.
fn write_page(report: &Path, page: &str) -> Result<PathBuf, FileError> {
    let path = report.with_extension("html");
    write_atomic(&path, page)?;
    Ok(path)
}
