//! Contenders that speak in lines: each order is a line of text, each answer a line of JSON.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use engines::engine::EngineError;
use engines::tensor::NamedTensor;
use serde_json::Value;

use crate::{Network, tensors};

/// A process that runs one network.
pub struct LineEngine {
    name: String,
    /// What it runs the network with.
    pub version: String,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl LineEngine {
    /// A Python process with `pytorch` or `onnxruntime`.
    pub fn python(python: &Path, engine: &str, network: Network, folder: &Path, threads: usize) -> Result<Self> {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/native/native.py"));
        command.args(["serve", "--engine", engine, "--network", network.name()]).arg("--folder").arg(folder);
        command.args(["--threads", &threads.to_string()]);
        Self::start(engine, command)
    }

    /// This program as a process that runs Burn.
    pub fn burn(network: Network, folder: &Path, threads: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", network.name(), "--threads", &threads.to_string()]).arg("--folder").arg(folder);
        Self::start("burn", command)
    }

    fn start(name: &str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{name} has no standard input or output");
        };
        let mut engine =
            Self { name: name.to_owned(), version: String::new(), child, orders, answers: BufReader::new(answers) };
        let hello = engine.answer()?;
        engine.version = hello["version"].as_str().context("no version in the first answer")?.to_owned();
        Ok(engine)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{} answers {line:?}", self.name))
    }

    fn ask(&mut self, order: &str) -> Result<Value> {
        writeln!(self.orders, "{order}").with_context(|| format!("{} is gone", self.name))?;
        self.answer()
    }

    /// What it makes of the input.
    pub fn outputs(&mut self) -> Result<Vec<NamedTensor>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("outputs.safetensors");
        self.ask(&format!("outputs {}", file.display()))?;
        tensors::read(&file)
    }

    /// The seconds of each of so many runs.
    pub fn block(&mut self, runs: usize) -> Result<Vec<f64>, EngineError> {
        let answer =
            self.ask(&runs.to_string()).and_then(|answer| Ok(serde_json::from_value(answer["seconds"].clone())?));
        answer.map_err(|error| EngineError::Worker { engine: self.name.clone(), reason: format!("{error:#}") })
    }

    /// The most memory that the process ever had.
    pub fn peak_mib(&mut self) -> Option<f64> {
        self.ask("usage").ok()?["peak_mib"].as_f64()
    }
}

impl Drop for LineEngine {
    fn drop(&mut self) {
        // It ends when its orders do; one that hangs is ended here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
