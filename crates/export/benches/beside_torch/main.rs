//! Our files beside PyTorch's own, of the same networks with the same weights, under ONNX Runtime.
//!
//! ```sh
//! cargo xtask bench export
//! ```
//!
//! PyTorch's legacy exporter writes its files at opset 11, and the weights; the networks are loaded in Burn and exported
//! at the same opset. Both files run in this process on one thread and take turns, so that whatever else the machine
//! does falls on both alike.

mod graphs;
mod networks;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use burn_export::Opset;
use clap::Parser;
use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::NamedTensor;
use evaluation::statistics::{Median, Summary, median};
use evaluation::timing::{Plan, Runner, Series, interleave, ratio};
use terminal::table::Table;

use crate::networks::Network;

/// Times our files against PyTorch's own under ONNX Runtime, in turns, on one thread.
#[derive(Parser)]
struct Arguments {
    /// The networks.
    #[arg(value_enum, default_values_t = Network::ALL.to_vec())]
    networks: Vec<Network>,
    /// A Python with PyTorch, torchvision, transformers and onnx.
    #[arg(long, required_unless_present = "torch_files")]
    python: Option<PathBuf>,
    /// Take PyTorch's files and the weights from this folder instead of making them.
    #[arg(long, value_name = "FOLDER")]
    torch_files: Option<PathBuf>,
    /// The opset of our files; PyTorch's are of opset 11.
    #[arg(long, default_value_t = 11)]
    opset: i64,
    /// Seconds of measuring for each network.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// How often both files are loaded anew within that time.
    #[arg(long, default_value_t = 12)]
    sittings: usize,
    /// The folder of ONNX Runtime's library.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/onnxruntime"))]
    runtime: PathBuf,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let opset = Opset::try_from(arguments.opset)?;
    let runtime = Runtime::load(&arguments.runtime)?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let torch = match &arguments.torch_files {
        Some(folder) => folder.clone(),
        None => torch_files(&arguments, folder.path())?,
    };
    let mut times = Table::new(["network", "ours ms", "torch ms", "ours / torch", "ours p90", "torch p90", "runs"]);
    let mut nodes = Table::left(["network", "file", "nodes", "after fusion", "of these"]);
    for network in &arguments.networks {
        let name = network.name();
        let files = [folder.path().join(format!("ours-{name}.onnx")), torch.join(format!("{name}.onnx"))];
        network.export(&torch, opset)?.save(&files[0])?;
        let inputs = network.inputs()?;
        agree(&runtime, &files, &inputs)?;
        for (file, who) in files.iter().zip(["ours", "torch"]) {
            let graph = graphs::Counts::of(&runtime, file)?;
            nodes.row([name.to_owned(), who.to_owned(), graph.raw.to_string(), graph.fused.to_string(), graph.kinds]);
        }
        let measured = measure(&runtime, &files, &inputs, &arguments)?;
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), terminal::table::figure);
        times.row([
            name.to_owned(),
            figure(Some(measured.ours.p50)),
            figure(Some(measured.torch.p50)),
            interval(&measured.ratio),
            figure(measured.ours.p90),
            figure(measured.torch.p90),
            measured.ours.samples.to_string(),
        ]);
    }
    println!("ONNX Runtime {}, 1 thread, files of opset {opset} against PyTorch's of opset 11", runtime.version());
    print!("{}\n{}", times.render(), nodes.render());
    Ok(())
}

fn torch_files(arguments: &Arguments, folder: &Path) -> Result<PathBuf> {
    let python = arguments.python.as_ref().context("--python names none")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/beside_torch/torch_files.py");
    eprintln!("PyTorch writes its files…");
    let out = folder.join("torch");
    let mut command = Command::new(python);
    command.arg(script).arg("--out").arg(&out).args(arguments.networks.iter().map(|network| network.name()));
    let status = command.status().with_context(|| format!("{} cannot be started", python.display()))?;
    if !status.success() {
        bail!("PyTorch did not write its files; the message above says why");
    }
    Ok(out)
}

/// Times mean nothing if the files do not compute the same.
fn agree(runtime: &Runtime, files: &[PathBuf; 2], inputs: &[NamedTensor]) -> Result<()> {
    let mut answers = Vec::new();
    for file in files {
        let outputs = Session::open(runtime, file, SessionOptions::default())?.run(inputs)?;
        answers.push(outputs.iter().flat_map(|output| output.tensor.to_f64()).collect::<Vec<f64>>());
    }
    let (ours, theirs) = (&answers[0], &answers[1]);
    ensure!(ours.len() == theirs.len(), "{} answers against {}", ours.len(), theirs.len());
    let largest = theirs.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        ensure!((ours - theirs).abs() <= 1e-4 * largest, "the files disagree: {ours} against {theirs}");
    }
    Ok(())
}

/// What the sittings come to.
struct Measured {
    ours: Summary,
    torch: Summary,
    ratio: Option<Median>,
}

/// Times both files in several sittings. Each loads them anew, in the other order: where a session's memory happens to lie
/// makes one of two equal files a per cent faster for as long as it lives. The ratio is the median over the sittings.
fn measure(runtime: &Runtime, files: &[PathBuf; 2], inputs: &[NamedTensor], arguments: &Arguments) -> Result<Measured> {
    let sittings = arguments.sittings.max(1);
    let plan = Plan::new(Duration::from_secs_f64(arguments.seconds / sittings as f64));
    let progress = terminal::progress::Progress::new("timing");
    let (mut ours, mut torch, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for sitting in 0..sittings {
        let mut order = [(&files[0], "ours"), (&files[1], "torch")];
        order.rotate_left(sitting % 2);
        let mut contenders = Vec::new();
        for (file, who) in order {
            contenders.push(contender(Session::open(runtime, file, SessionOptions::default())?, who, inputs));
        }
        let told = |share: f64| progress.set((sitting as f64 + share) / sittings as f64);
        let mut series = interleave(&mut contenders, &plan, told).into_iter().collect::<Result<Vec<Series>, _>>()?;
        series.sort_by_key(|series| series.engine != "ours");
        let [mine, theirs] = series.as_slice() else { bail!("a contender is missing") };
        ratios.extend(ratio(mine, theirs).map(|ratio| ratio.value));
        ours.extend_from_slice(&mine.samples_ms);
        torch.extend_from_slice(&theirs.samples_ms);
    }
    let summary = |samples: &[f64]| Summary::of(samples).context("nothing was timed");
    Ok(Measured { ours: summary(&ours)?, torch: summary(&torch)?, ratio: median(&ratios) })
}

fn contender<'a>(mut session: Session, who: &str, inputs: &'a [NamedTensor]) -> Runner<'a> {
    let mut run = move || {
        let start = Instant::now();
        session.run(inputs)?;
        Ok(start.elapsed().as_secs_f64())
    };
    Runner { name: who.to_owned(), block: Box::new(move |runs| (0..runs).map(|_| run()).collect()) }
}

/// `0.987 (0.981 to 0.992)`.
fn interval(ratio: &Option<Median>) -> String {
    match ratio {
        Some(Median { value, interval: Some((low, high)) }) => format!("{value:.3} ({low:.3} to {high:.3})"),
        Some(Median { value, interval: None }) => format!("{value:.3}"),
        None => "-".to_owned(),
    }
}
