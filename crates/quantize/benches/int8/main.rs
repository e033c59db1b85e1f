//! Files of this quantiser beside those of Python's onnxruntime.quantization: how long each tool takes and how much memory, how near
//! its file is to the float model on samples that it has not seen, and how fast it is. One thread, batch as in the samples, taking turns; the
//! times are those of the processor's work.
//!
//!     cargo xtask bench int8                                     the MNIST CNN on its digits
//!     cargo xtask bench int8 -- --model FILE --inputs FOLDER     any float model with samples

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use engines::engine::{Engine, EngineError};
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::NamedTensor;
use evaluation::quantised::fidelity::Comparison;
use evaluation::timing::{Plan, Runner, interleave, ratio};
use onnx_model::Model;
use quantize::samples::{find, read, spread};
use serde_json::Value;
use terminal::table::{Table, figure};

#[derive(Parser)]
struct Arguments {
    /// A Python with the packages of `requirements.txt`; without it there is nothing to compare with.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The float model.
    #[arg(long, default_value = "artifacts/mnist/mnist.onnx")]
    model: PathBuf,
    /// Samples for it; the digits of MNIST's training by default.
    #[arg(long)]
    inputs: Option<PathBuf>,
    /// Samples that the tools see; as many others are judged on.
    #[arg(long, default_value_t = 64)]
    samples: usize,
    /// Bits of the weights: 7 for a processor without VNNI.
    #[arg(long, default_value_t = 8)]
    bits: u8,
    /// How much worse than the float model a file of the last row of ours may be.
    #[arg(long)]
    max_drop: Option<String>,
    /// Seconds of timing.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    #[arg(long, hide = true)]
    bench: bool,
}

/// A file and what it took to make it.
struct Made {
    name: String,
    path: PathBuf,
    seconds: Option<f64>,
    memory: Option<f64>,
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::set_current_dir(&root)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/int8/int8.py");
    let folder = tempfile::tempdir()?;
    let inputs = match (&arguments.inputs, &arguments.python) {
        (Some(inputs), _) => inputs.clone(),
        (None, None) => bail!("name samples with --inputs: the digits are prepared in Python, which is left out"),
        (None, Some(python)) => {
            let digits = folder.path().join("digits");
            run(Command::new(python).arg(&script).args(["digits", "datasets/mnist"]).arg(&digits))?;
            digits
        }
    };
    let all = find(&[inputs])?;
    let chosen = spread(&all, 2 * arguments.samples);
    let half = |which: usize| chosen.iter().skip(which).step_by(2).cloned().collect::<Vec<_>>();
    let (seen, unseen) = (half(0), half(1));
    let dynamic = !Model::load(&arguments.model)?.graph.nodes.iter().any(|node| node.op_type == "Conv");

    let mut files = vec![Made { name: "float".to_owned(), path: arguments.model.clone(), seconds: None, memory: None }];
    if let Some(python) = &arguments.python {
        let recipes: &[&str] = if dynamic { &["dynamic"] } else { &["qoperator-minmax", "qdq-minmax"] };
        for recipe in recipes {
            let path = folder.path().join(format!("python-{recipe}.onnx"));
            let mut command = Command::new(python);
            command
                .arg(&script)
                .arg("quantize")
                .arg(&arguments.model)
                .arg(&path)
                .arg(recipe)
                .arg(arguments.bits.to_string());
            match run(command.args(&seen))
                .and_then(|text| Ok(serde_json::from_str::<Value>(text.lines().last().unwrap_or_default())?))
            {
                Ok(told) => files.push(Made {
                    name: format!("Python, {recipe}"),
                    path,
                    seconds: told["seconds"].as_f64(),
                    memory: told["memory"].as_f64(),
                }),
                Err(error) => println!("Python, {recipe}: {error:#}"),
            }
        }
    }
    let mut recipes: Vec<Vec<&str>> = match dynamic {
        true => vec![
            vec!["--method", "dynamic"],
            vec!["--method", "dynamic", "--per-token"],
            vec!["--method", "static", "--calibration", "minmax"],
        ],
        false => vec![
            vec!["--format", "qoperator", "--calibration", "minmax"],
            vec!["--format", "qdq", "--calibration", "minmax"],
            vec!["--format", "qoperator", "--calibration", "mse"],
        ],
    };
    if let Some(most) = &arguments.max_drop {
        let method = if dynamic {
            ["--method", "static", "--calibration", "minmax"]
        } else {
            ["--format", "qoperator", "--calibration", "mse"]
        };
        recipes.push(method.into_iter().chain(["--max-drop", most]).collect());
    }
    let cpu = if arguments.bits == 7 { "any" } else { "vnni" };
    for (number, recipe) in recipes.iter().enumerate() {
        let path = folder.path().join(format!("kiln-{number}.onnx"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_quantize"));
        command
            .arg("quantize")
            .arg(&arguments.model)
            .arg("--out")
            .arg(&path)
            .args(["--cpu", cpu, "--json", "--seconds", "0.2"])
            .args(recipe);
        if recipe.first() != Some(&"--method") || recipe.get(1) != Some(&"dynamic") {
            command.args(seen.iter().flat_map(|sample| [Path::new("--inputs"), sample]));
        }
        let is_value = |word: &&&str| !word.starts_with("--") || **word == "--per-token";
        let words: Vec<&str> = recipe.iter().filter(is_value).map(|word| word.trim_start_matches('-')).collect();
        match run(&mut command).and_then(|text| Ok(serde_json::from_str::<Value>(&text)?)) {
            Ok(told) => {
                let memory = told["peak_memory"].as_array().map(|parts| parts.iter().filter_map(Value::as_f64).sum());
                files.push(Made {
                    name: format!("Kiln, {}", words.join(" ")),
                    path,
                    seconds: told["seconds"].as_f64(),
                    memory,
                });
            }
            Err(error) => println!("Kiln, {}: {error:#}", words.join(" ")),
        }
    }
    show(&files, &unseen, &arguments)
}

/// Compares and times the files, and prints what came of it.
fn show(files: &[Made], unseen: &[PathBuf], arguments: &Arguments) -> Result<()> {
    let runtime = Runtime::load(&catalogue::datasets().join("onnxruntime"))?;
    let open = |made: &Made| Session::open(&runtime, &made.path, SessionOptions::default());
    let mut sessions: Vec<Session> = files.iter().map(open).collect::<Result<_, _>>()?;
    let Some(signature) = sessions.first().map(|session| session.signature().clone()) else { return Ok(()) };
    let mut comparisons = vec![Comparison::default(); files.len()];
    let mut first: Option<Vec<NamedTensor>> = None;
    for sample in unseen {
        let inputs = read(sample, &signature)?.inputs;
        let mask = inputs.iter().find(|input| input.name == "attention_mask").map(|input| &input.tensor);
        let mut float = Vec::new();
        for (session, comparison) in sessions.iter_mut().zip(&mut comparisons) {
            let found = session.run(&inputs)?;
            if float.is_empty() {
                float = found.clone();
            }
            comparison.add(&float, &found, mask);
        }
        first.get_or_insert(inputs);
    }
    let inputs = first.context("there are no samples to judge on")?;
    let mut runners: Vec<Runner<'_>> = files
        .iter()
        .zip(&mut sessions)
        .map(|(made, session)| Runner {
            name: made.name.clone(),
            block: Box::new(|runs| block(session, &inputs, runs)),
        })
        .collect();
    let series = interleave(&mut runners, &Plan::new(Duration::from_secs_f64(arguments.seconds)), |_| {});
    let all: Vec<_> = series.into_iter().collect::<Result<_, _>>()?;
    let mut table = Table::new(["file", "tool s", "tool MiB", "MiB", "agree", "cosine", "CPU ms", "share of float"]);
    let mebibytes = |bytes: f64| figure(bytes / f64::from(1 << 20));
    for ((made, comparison), series) in files.iter().zip(&comparisons).zip(&all) {
        let share = all.first().and_then(|float| ratio(series, float)).map(|share| match share.interval {
            Some((low, high)) => format!("{:.3} ({low:.3} to {high:.3})", share.value),
            None => format!("{:.3}", share.value),
        });
        table.row([
            made.name.clone(),
            made.seconds.map_or(String::new(), |seconds| format!("{seconds:.1}")),
            made.memory.map_or(String::new(), mebibytes),
            mebibytes(std::fs::metadata(&made.path)?.len() as f64),
            format!("{}/{}", comparison.agreeing, comparison.items),
            format!("{:.4}", comparison.cosine),
            figure(series.latency_ms.p50),
            share.unwrap_or_default(),
        ]);
    }
    print!("{}", table.render());
    Ok(())
}

fn block(session: &mut Session, inputs: &[NamedTensor], runs: usize) -> Result<Vec<f64>, EngineError> {
    let one = |_| {
        let start = cpu_seconds();
        session.run(inputs)?;
        Ok(cpu_seconds() - start)
    };
    (0..runs).map(one).collect()
}

/// Seconds that the processor has worked for this thread, in which a session of one thread computes. Other programs take turns with
/// it, but not from it.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a struct of the type that the function fills.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Runs a command that must succeed; what it printed.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("it failed: {}", told.lines().last().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
