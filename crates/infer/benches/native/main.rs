//! The article's table: each network in its native framework against ONNX Runtime, one item at a time.
//!
//! ```sh
//! cargo xtask bench pytorch                 makes the networks and a Python environment, then runs this
//! ```
//!
//! PyTorch and Burn are the native frameworks; ONNX Runtime is called from Rust and from Python. Each contender is a process
//! of its own, all hold the same weights and get the same input, and all must give PyTorch's answer before any is timed.
//! They take turns, so that whatever else the machine does falls on all alike.

mod line;
mod serve;
mod tensors;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use engines::engine::{Engine, EngineError};
use engines::fingerprint::Machine;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::tensor::NamedTensor;
use engines::worker::EngineSpec;
use engines::worker::remote::{Launcher, RemoteEngine};
use evaluation::timing::{Plan, Runner, Series, interleave, ratio};
use evaluation::timing_text::interval;
use terminal::table::{Table, figure};

use crate::line::LineEngine;

/// Times PyTorch, Burn, and ONNX Runtime from Rust and from Python, in turns.
#[derive(Parser)]
struct Arguments {
    /// The folder with the networks
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/native"))]
    folder: PathBuf,
    /// The folder with the fetched libraries
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets"))]
    datasets: PathBuf,
    /// A Python with PyTorch and onnxruntime; without one, both are left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// The networks
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["mnist", "alexnet", "bert-qa"])]
    networks: Vec<Network>,
    /// The threads of each contender, one table for each number [default: 1 and all cores]
    #[arg(long, value_delimiter = ',')]
    threads: Vec<usize>,
    /// The least time for each table, in seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Be Burn, and take orders on standard input
    #[arg(long, hide = true)]
    worker: Option<Network>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// A network of the article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// The convolutional network of PyTorch's MNIST example.
    Mnist,
    /// torchvision's AlexNet.
    Alexnet,
    /// BERT for question answering.
    BertQa,
}

impl Network {
    /// The name of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Alexnet => "alexnet",
            Self::BertQa => "bert-qa",
        }
    }

    /// What the article measured, in milliseconds: the native framework, and the ONNX file.
    fn article(self) -> (f64, f64) {
        match self {
            Self::Mnist => (6.59, 1.3),
            Self::Alexnet => (61.1, 43.3),
            Self::BertQa => (689.0, 632.0),
        }
    }
}

/// The largest difference of an answer from PyTorch's, relative to the largest value of the output. It tells the same
/// network from another one; how exact each engine is, `eval` says.
const SAME: f64 = 1e-3;

/// The name of the engine that the others are compared with.
const REFERENCE: &str = "PyTorch";

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    if let Some(network) = arguments.worker {
        let threads = arguments.threads.first().copied().unwrap_or(1);
        return serve::serve(network, &arguments.folder, threads);
    }
    let machine = Machine::this();
    println!("{}, {} cores, {}", machine.cpu, machine.cores, machine.kernel);
    let mut threads = arguments.threads.clone();
    if threads.is_empty() {
        threads = vec![1, machine.cores];
        threads.dedup();
    }
    for &network in &arguments.networks {
        for &count in &threads {
            table(&arguments, network, count)?;
        }
    }
    Ok(())
}

/// A contender's process.
enum Process {
    /// One that speaks in lines.
    Line(LineEngine),
    /// ONNX Runtime from Rust, and the inputs to run on.
    Worker(Box<RemoteEngine>, Vec<NamedTensor>),
}

impl Process {
    fn outputs(&mut self) -> Result<Vec<NamedTensor>> {
        match self {
            Self::Line(engine) => engine.outputs(),
            Self::Worker(engine, inputs) => Ok(engine.run(inputs)?),
        }
    }

    fn block(&mut self, runs: usize) -> Result<Vec<f64>, EngineError> {
        match self {
            Self::Line(engine) => engine.block(runs),
            Self::Worker(engine, _) => engine.block(runs),
        }
    }

    fn peak_mib(&mut self) -> Option<f64> {
        match self {
            Self::Line(engine) => engine.peak_mib(),
            Self::Worker(engine, _) => Some(engine.usage().ok()??.peak_memory as f64 / f64::from(1 << 20)),
        }
    }
}

fn table(arguments: &Arguments, network: Network, threads: usize) -> Result<()> {
    let mut processes = start(arguments, network, threads)?;
    let expected = tensors::read(&arguments.folder.join(format!("{}-outputs.safetensors", network.name())))?;
    for (name, process) in &mut processes {
        let difference = tensors::difference(&process.outputs()?, &expected).context(name.clone())?;
        if difference.is_nan() || difference > SAME {
            bail!("{name} does not compute the same network: it differs by {difference:.2e} of the largest value");
        }
        eprintln!("{}: {name} differs from PyTorch by {difference:.1e} of the largest value", network.name());
    }
    let mut contenders: Vec<Runner<'_>> = processes
        .iter_mut()
        .map(|(name, process)| Runner { name: name.clone(), block: Box::new(move |runs| process.block(runs)) })
        .collect();
    let results = interleave(&mut contenders, &Plan::new(Duration::from_secs_f64(arguments.seconds)), |_| ());
    drop(contenders);
    let series = results.into_iter().collect::<Result<Vec<Series>, _>>()?;
    let peaks: Vec<Option<f64>> = processes.iter_mut().map(|(_, process)| process.peak_mib()).collect();
    let threads = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    println!("\n{}, one item, {threads}\n{}", network.name(), rows(&series, &peaks).render());
    println!("{}", verdict(network, &series));
    Ok(())
}

fn rows(series: &[Series], peaks: &[Option<f64>]) -> Table {
    let reference = series.iter().find(|series| series.engine.starts_with(REFERENCE));
    let mut table =
        Table::new(["engine", "p50 ms", "p90 ms", "best ms", "runs", "peak MiB", "PyTorch's time over this"]);
    let dash = || "-".to_owned();
    for (one, peak) in series.iter().zip(peaks) {
        let times = reference.and_then(|reference| ratio(reference, one));
        table.row([
            one.engine.clone(),
            figure(one.latency_ms.p50),
            one.latency_ms.p90.map_or_else(dash, figure),
            figure(one.latency_ms.min),
            one.latency_ms.samples.to_string(),
            peak.map_or_else(dash, figure),
            times.map_or_else(dash, interval),
        ]);
    }
    table
}

/// The article's figures beside these.
fn verdict(network: Network, series: &[Series]) -> String {
    let (native, onnx) = network.article();
    let find = |start: &str| series.iter().find(|series| series.engine.starts_with(start));
    let mut text = format!("article: native {native} ms, ONNX {onnx} ms: {:.2} times as fast", native / onnx);
    for (base, other) in [
        ("PyTorch", "ONNX Runtime, Rust"),
        ("Burn", "ONNX Runtime, Rust"),
        ("ONNX Runtime, Python", "ONNX Runtime, Rust"),
    ] {
        if let (Some(base), Some(other)) = (find(base), find(other))
            && let Some(times) = ratio(base, other)
        {
            text += &format!("\nhere: {} over {}: {}", base.engine, other.engine, interval(times));
        }
    }
    text
}

/// Every contender, with its name.
fn start(arguments: &Arguments, network: Network, threads: usize) -> Result<Vec<(String, Process)>> {
    let mut processes = Vec::new();
    let folder = &arguments.folder;
    if let Some(python) = &arguments.python {
        for (engine, name) in [("pytorch", "PyTorch"), ("onnxruntime", "ONNX Runtime, Python")] {
            let process = LineEngine::python(python, engine, network, folder, threads)?;
            let version = process.version.split(' ').next_back().unwrap_or_default().to_owned();
            processes.push((format!("{name} {version}"), Process::Line(process)));
        }
    }
    let burn = LineEngine::burn(network, folder, threads)?;
    processes.push((burn.version.clone(), Process::Line(burn)));
    let (engine, version) =
        onnx_runtime(&arguments.datasets, &folder.join(format!("{}.onnx", network.name())), threads)?;
    let mut engine = Box::new(engine);
    let inputs = tensors::read(&folder.join(format!("{}-inputs.safetensors", network.name())))?;
    engine.prepare(&inputs)?;
    processes.push((format!("ONNX Runtime, Rust {version}"), Process::Worker(engine, inputs)));
    Ok(processes)
}

fn onnx_runtime(datasets: &Path, model: &Path, threads: usize) -> Result<(RemoteEngine, String)> {
    let mut launcher = Launcher::this_program().context("this program cannot be started again")?;
    launcher.program = PathBuf::from(env!("CARGO_BIN_EXE_infer"));
    let library = Libraries::find(datasets, launcher.clone())?.for_provider(&Provider::Cpu)?;
    let options = SessionOptions { threads, ..SessionOptions::default() };
    let engine = launcher.engine(&EngineSpec::Ort { library, model: model.to_owned(), options })?;
    let version = engine.loaded().library.as_ref().map(|library| library.version.clone()).unwrap_or_default();
    Ok((engine, version))
}
