//! One training step of the MNIST CNN: the kernels, Burn's own operations, and PyTorch, side by side.
//!
//! ```sh
//! cargo bench -p train --bench step -- --python ENVIRONMENT/bin/python
//! ```
//!
//! Each contender is a process of its own, with the same number of threads and the same data. They take turns, a few
//! steps each, so that whatever else the machine does falls on all alike.

mod burn_network;
mod worker;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Deserialize;

use crate::worker::Contender;

/// Times training steps of the MNIST CNN in turns: the kernels, Burn's own operations, and PyTorch.
#[derive(Parser)]
struct Arguments {
    /// The folder with MNIST
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/mnist"))]
    data: PathBuf,
    /// A Python with PyTorch; without one, PyTorch is left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// How often each contender has its turn
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// The steps of a turn
    #[arg(long, default_value_t = 8)]
    steps: usize,
    /// Images in a step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Threads of each contender
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Be a contender, and take orders on standard input
    #[arg(long, hide = true)]
    worker: Option<Contender>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a contender answers to each order.
#[derive(Deserialize)]
struct Turn {
    /// Milliseconds of data, forward, backward and optimiser of each step.
    steps: Vec<[f64; 4]>,
    /// The most memory that the process ever had, in MiB.
    peak_mib: f64,
    /// The processor time that the process has used, on all cores, in seconds.
    cpu_seconds: f64,
}

const PHASES: [&str; 4] = ["data", "forward", "backward", "optimiser"];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    if let Some(contender) = arguments.worker {
        return worker::serve(contender, &arguments.data, arguments.batch_size);
    }
    let mut contenders = vec![start(&arguments, "kernels")?, start(&arguments, "burn")?];
    if arguments.python.is_some() {
        contenders.push(start(&arguments, "pytorch")?);
    }
    for round in 0..=arguments.rounds {
        for contender in &mut contenders {
            let turn = contender.turn(arguments.steps)?;
            contender.peak_mib = turn.peak_mib;
            contender.cpu_seconds[1] = turn.cpu_seconds;
            // The first turn warms up.
            match round {
                0 => contender.cpu_seconds[0] = turn.cpu_seconds,
                _ => contender.steps.extend(turn.steps),
            }
        }
    }
    println!(
        "batch {}, {} threads, {} steps each, on {}",
        arguments.batch_size,
        arguments.threads,
        arguments.rounds * arguments.steps,
        std::env::consts::ARCH,
    );
    let operations = operations(arguments.batch_size as f64);
    let reference = contenders.last().map_or(f64::NAN, |last| last.quantile(0.5, total));
    for contender in &contenders {
        let [best, median, late] = [0.0, 0.5, 0.9].map(|share| contender.quantile(share, total));
        println!(
            "{:8} best {best:7.2} ms, median {median:7.2} ms, p90 {late:7.2} ms, {:6.0} images/s, {:5.1} GFLOP/s, {:5.2} of {}, {:5.0} MiB",
            contender.name,
            1e3 * arguments.batch_size as f64 / median,
            operations / median / 1e6,
            median / reference,
            contenders.last().map_or("", |last| last.name),
            contender.peak_mib,
        );
        let phases: Vec<String> = PHASES
            .iter()
            .enumerate()
            .map(|(index, phase)| format!("{phase} {:.2} ms", contender.quantile(0.5, |step| step[index])))
            .collect();
        let phases = phases.join(", ");
        println!("{:8} {phases}; {:.1} ms of processor time", "", contender.cpu_ms());
    }
    println!("matrix product of these kernels: {:.0} GFLOP/s", worker::matrix_peak());
    Ok(())
}

/// Multiplications and additions of a step as the definitions have them, in FLOP.
fn operations(batch: f64) -> f64 {
    let first = 26.0 * 26.0 * 32.0 * 9.0;
    let second = 24.0 * 24.0 * 64.0 * 32.0 * 9.0;
    let linear = 9216.0 * 128.0 + 128.0 * 10.0;
    // Forward and the weights' gradient for each; the input's gradient for all but the first.
    2.0 * batch * (2.0 * first + 3.0 * second + 3.0 * linear)
}

struct Running {
    name: &'static str,
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    steps: Vec<[f64; 4]>,
    peak_mib: f64,
    /// After the turn that warms up, and after the last.
    cpu_seconds: [f64; 2],
}

fn start(arguments: &Arguments, name: &'static str) -> Result<Running> {
    let mut command = match (name, &arguments.python) {
        ("pytorch", Some(python)) => {
            let mut command = Command::new(python);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/step/pytorch.py"));
            command
        }
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--worker", name]);
            command
        }
    };
    command.arg("--data").arg(&arguments.data);
    command.args(["--batch-size", &arguments.batch_size.to_string(), "--threads", &arguments.threads.to_string()]);
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {name}"))?;
    let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
        bail!("{name} has no standard input or output");
    };
    Ok(Running {
        name,
        process,
        orders,
        answers: BufReader::new(answers),
        steps: Vec::new(),
        peak_mib: 0.0,
        cpu_seconds: [0.0; 2],
    })
}

impl Running {
    fn turn(&mut self, steps: usize) -> Result<Turn> {
        let mut answer = String::new();
        writeln!(self.orders, "{steps}").with_context(|| format!("{} is gone", self.name))?;
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer).with_context(|| format!("{} answers {answer:?}", self.name))
    }

    /// Processor time of a step. Unlike the time on the clock it hardly depends on what else the machine does.
    fn cpu_ms(&self) -> f64 {
        1e3 * (self.cpu_seconds[1] - self.cpu_seconds[0]) / self.steps.len() as f64
    }

    /// The quantile of a time over all steps.
    fn quantile(&self, share: f64, time: impl Fn(&[f64; 4]) -> f64) -> f64 {
        let mut times: Vec<f64> = self.steps.iter().map(time).collect();
        times.sort_by(f64::total_cmp);
        times.get((share * times.len() as f64) as usize).or(times.last()).copied().unwrap_or(f64::NAN)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A contender ends when its orders do; one that hangs is ended here.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn total(step: &[f64; 4]) -> f64 {
    step.iter().sum()
}
