//! What the harness costs: one MNIST image through an evaluation's worker, through a bare loop over `ort`, and through
//! Python's onnxruntime, in turns.
//!
//! ```sh
//! cargo xtask bench harness
//! ```

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use engines::engine::EngineError;
use engines::session::SessionOptions;
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::EngineSpec;
use engines::worker::remote::Launcher;
use evaluation::timing::{Plan, Runner, interleave, ratio};
use evaluation::timing_text::interval;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use terminal::table::{Table, figure, grouped};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Times one image through the harness, a bare loop and Python.
#[derive(Parser)]
struct Arguments {
    /// The MNIST CNN as ONNX.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../artifacts/mnist/mnist.onnx"))]
    model: PathBuf,
    /// A Python that has onnxruntime.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Threads inside one operation.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The least time for all together, in seconds.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let model = std::path::absolute(&arguments.model)?;
    std::fs::File::open(&model)
        .with_context(|| format!("{} cannot be opened (`cargo xtask export mnist` makes it)", model.display()))?;
    let library = artifact::runtime::locate(&Path::new(ROOT).join("datasets/onnxruntime"))?.path;
    let image = vec![0.0_f32; 28 * 28];

    let options = SessionOptions { threads: arguments.threads, ..SessionOptions::default() };
    let spec = EngineSpec::Ort { library: library.clone(), model: model.clone(), options };
    let launcher = Launcher { program: env!("CARGO_BIN_EXE_infer").into(), ..Launcher::this_program()? };
    let mut worker = launcher.engine(&spec)?;
    worker.prepare(&[NamedTensor::new("input", Tensor::new([1, 1, 28, 28], image.clone())?)])?;

    let environment =
        ort::init_from(&library)?.with_telemetry(false).build().map_err(|error| failed(error.message()))?;
    let session = session(&environment, &model, arguments.threads);
    let mut session = session.map_err(|error| failed(error.message()))?;
    let bare = move |runs: usize| -> ort::Result<Vec<f64>> {
        let mut times = Vec::new();
        for _ in 0..runs {
            let start = Instant::now();
            let input = TensorRef::from_array_view(([1_usize, 1, 28, 28], image.as_slice()))?;
            let outputs = session.run(ort::inputs!["input" => input])?;
            let (_, logits) = outputs["output"].try_extract_tensor::<f32>()?;
            std::hint::black_box(logits.first());
            drop(outputs);
            times.push(start.elapsed().as_secs_f64());
        }
        Ok(times)
    };

    let python =
        arguments.python.as_ref().map(|python| Python::start(python, &model, arguments.threads)).transpose()?;
    let bare = RefCell::new(bare);
    let mut contenders = vec![
        Runner {
            name: "bare loop".to_owned(),
            block: Box::new(|runs| (bare.borrow_mut())(runs).map_err(|error| failed(&error.to_string()))),
        },
        Runner { name: "harness".to_owned(), block: Box::new(|runs| worker.block(runs)) },
    ];
    if let Some(mut python) = python {
        contenders.push(Runner {
            name: format!("Python onnxruntime {}", python.version),
            block: Box::new(move |runs| python.block(runs).map_err(|error| failed(&error.to_string()))),
        });
    }
    let plan = Plan::new(Duration::from_secs_f64(arguments.seconds));
    let series = interleave(&mut contenders, &plan, |_| ()).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut table = Table::new(["one image", "p50 ms", "p90 ms", "runs", "harness / it"]);
    let harness = series.iter().find(|series| series.engine == "harness").context("the harness was not timed")?;
    for series in &series {
        let latency = &series.latency_ms;
        table.row([
            series.engine.clone(),
            figure(latency.p50),
            latency.p90.map_or_else(String::new, figure),
            grouped(&latency.samples.to_string()),
            ratio(harness, series).map_or_else(String::new, interval),
        ]);
    }
    println!("{} thread(s), {}\n{}", arguments.threads, library.display(), table.render());
    Ok(())
}

fn failed(reason: &str) -> EngineError {
    EngineError::Run { engine: "the benchmark".to_owned(), reason: reason.to_owned() }
}

/// The session of the bare loop, with the settings of the harness.
fn session(environment: &Environment, model: &Path, threads: usize) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .commit_from_file(model)
}

/// Python's onnxruntime in a process of its own.
struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    version: String,
}

impl Python {
    fn start(python: &Path, model: &Path, threads: usize) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/one_image.py"))
            .arg(model)
            .arg(threads.to_string())
            .env("ORT_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", python.display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut version = String::new();
        output.read_line(&mut version)?;
        Ok(Self { child, input, output, version: version.trim().to_owned() })
    }

    fn block(&mut self, runs: usize) -> Result<Vec<f64>> {
        writeln!(self.input, "{runs}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.split_whitespace().map(|time| time.parse().context("Python answered something else")).collect()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends when nobody asks any more; that it has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
