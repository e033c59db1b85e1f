//! A contender in a process of its own, seen from outside.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::worker::Kind;
use crate::{Arguments, Trained};

/// What a contender answers to `steps N`.
#[derive(Deserialize)]
pub struct Steps {
    /// Milliseconds of data, forward, backward and optimiser of each step.
    pub steps: Vec<[f64; 4]>,
    /// The loss of each step.
    #[serde(default)]
    pub losses: Vec<f64>,
    /// The most memory that the process ever had, in MiB.
    pub peak_mib: f64,
    /// The processor time that the process has used, on all cores, in seconds.
    pub cpu_seconds: f64,
}

/// What a contender answers to `test`.
#[derive(Deserialize)]
pub struct Test {
    /// The test digits that it recognises.
    pub correct: usize,
    /// All test digits.
    pub total: usize,
    /// As in [`Steps`].
    pub cpu_seconds: f64,
}

/// What a contender answers to `forward N`.
#[derive(Deserialize)]
pub struct Forward {
    /// Milliseconds of each pass over a batch.
    pub passes: Vec<f64>,
}

/// What a contender answers to `peak`.
#[derive(Deserialize)]
pub struct Peak {
    /// The speed of its matrix product at a size that suits it.
    pub gflops: f64,
}

/// A running contender.
pub struct Contender {
    /// Who it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Contender {
    /// Starts the contenders that the arguments name; PyTorch only if there is a Python for it.
    pub fn start_all(arguments: &Arguments) -> Result<Vec<Self>> {
        let kinds = arguments.contenders();
        let wanted = kinds.into_iter().filter(|kind| kind.pytorch_mode().is_none() || arguments.python.is_some());
        wanted.map(|kind| Self::start(arguments, kind)).collect()
    }

    fn start(arguments: &Arguments, kind: Kind) -> Result<Self> {
        let name = kind.name();
        let mut command = match (&arguments.python, kind.pytorch_mode()) {
            (Some(python), Some(mode)) => {
                let mut command = Command::new(python);
                command.arg(match arguments.network {
                    Trained::Digits => concat!(env!("CARGO_MANIFEST_DIR"), "/benches/step/pytorch.py"),
                    Trained::Questions => concat!(env!("CARGO_MANIFEST_DIR"), "/benches/step/bert_qa.py"),
                });
                command.args(["--mode", mode]);
                if arguments.network == Trained::Questions {
                    command.arg("--serve");
                }
                command
            }
            _ => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["--worker", name, "--network", arguments.network.name()]);
                command
            }
        };
        match arguments.network {
            Trained::Digits => command.arg("--data").arg(&arguments.data),
            Trained::Questions => {
                command.arg("--squad").arg(arguments.squad()?).arg("--encoder").arg(&arguments.encoder);
                command.args(arguments.unbucketed.then_some("--unbucketed"))
            }
        };
        for (option, value) in [("--batch-size", arguments.batch_size()), ("--threads", arguments.threads)] {
            command.args([option, &value.to_string()]);
        }
        command.args(["--seed", &arguments.seed.to_string()]);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("{name} has no standard input or output");
        };
        Ok(Self { kind, name, process, orders, answers: BufReader::new(answers) })
    }

    /// Gives an order, and waits for the answer.
    pub fn order<T: DeserializeOwned>(&mut self, order: &str) -> Result<T> {
        let mut answer = String::new();
        writeln!(self.orders, "{order}").with_context(|| format!("{} is gone", self.name))?;
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer).with_context(|| format!("{} answers {answer:?} to {order}", self.name))
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // A contender ends when its orders do; one that hangs is ended here.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
