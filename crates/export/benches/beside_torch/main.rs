//! Our files beside PyTorch's own, of the same networks with the same weights, under ONNX Runtime.
//!
//! ```sh
//! cargo xtask bench export
//! ```
//!
//! PyTorch writes its files with both of its exporters, as far as they can, and the weights; the networks are loaded in Burn and
//! exported. All files run in this process on one thread and take turns, so that whatever else the machine does falls on all alike.
//! The ratio is that to the faster file of PyTorch.

mod graphs;
mod networks;
mod text;
mod vision;

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
    /// The opset of our files, otherwise 11 for the networks of the article and 18 for the others.
    #[arg(long)]
    opset: Option<i64>,
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
    let asked = arguments.opset.map(Opset::try_from).transpose()?;
    let runtime = Runtime::load(&arguments.runtime)?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let torch = match &arguments.torch_files {
        Some(folder) => folder.clone(),
        None => torch_files(&arguments, folder.path())?,
    };
    let headings = [
        "network",
        "opset",
        "ours ms",
        "torch ms",
        "torch's exporter",
        "ours / torch",
        "ours p90",
        "torch p90",
        "runs",
    ];
    let mut times = Table::new(headings);
    let mut nodes = Table::left(["network", "file", "nodes", "after fusion", "of these"]);
    for network in &arguments.networks {
        let name = network.name();
        let opset = asked.unwrap_or(network.opset());
        let mut files = vec![Contender { who: OURS, path: folder.path().join(format!("ours-{name}.onnx")) }];
        network.export(&torch, opset)?.save(&files[0].path)?;
        let theirs = [("legacy", format!("{name}.onnx")), ("dynamo", format!("{name}-dynamo.onnx"))];
        let theirs = theirs.map(|(who, file)| Contender { who, path: torch.join(file) });
        files.extend(theirs.into_iter().filter(|file| file.path.is_file()));
        ensure!(files.len() > 1, "PyTorch wrote no file of {name}");
        let inputs = network.inputs(&torch)?;
        agree(&runtime, &files, &inputs)?;
        for file in &files {
            let graph = graphs::Counts::of(&runtime, &file.path)?;
            let (raw, fused) = (graph.raw.to_string(), graph.fused.to_string());
            nodes.row([name.to_owned(), file.who.to_owned(), raw, fused, graph.kinds]);
        }
        let measured = measure(&runtime, &files, &inputs, &arguments)?;
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), terminal::table::figure);
        times.row([
            name.to_owned(),
            opset.to_string(),
            figure(Some(measured.ours.p50)),
            figure(Some(measured.torch.p50)),
            measured.who.to_owned(),
            interval(&measured.ratio),
            figure(measured.ours.p90),
            figure(measured.torch.p90),
            measured.ours.samples.to_string(),
        ]);
    }
    println!("ONNX Runtime {}, 1 thread", runtime.version());
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
fn agree(runtime: &Runtime, files: &[Contender], inputs: &[NamedTensor]) -> Result<()> {
    let answer = |file: &Contender| -> Result<Vec<f64>> {
        let outputs = Session::open(runtime, &file.path, SessionOptions::default())?.run(inputs)?;
        Ok(outputs.iter().flat_map(|output| output.tensor.to_f64()).collect())
    };
    let ours = answer(&files[0])?;
    for file in &files[1..] {
        let theirs = answer(file)?;
        ensure!(ours.len() == theirs.len(), "{} answers against {}", ours.len(), theirs.len());
        let largest = theirs.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        for (ours, theirs) in ours.iter().zip(theirs) {
            ensure!(
                (ours - theirs).abs() <= 1e-4 * largest,
                "the files disagree ({}): {ours} against {theirs}",
                file.who
            );
        }
    }
    Ok(())
}

/// Who wrote our file.
const OURS: &str = "ours";

/// A file, and who wrote it.
struct Contender {
    who: &'static str,
    path: PathBuf,
}

/// What the sittings come to.
struct Measured {
    ours: Summary,
    /// The faster of PyTorch's files, and which exporter wrote it.
    torch: Summary,
    who: &'static str,
    ratio: Option<Median>,
}

/// Times all files in several sittings. Each loads them anew, in another order: where a session's memory happens to lie
/// makes one of two equal files a per cent faster for as long as it lives. The ratio is the median over the sittings.
fn measure(runtime: &Runtime, files: &[Contender], inputs: &[NamedTensor], arguments: &Arguments) -> Result<Measured> {
    let sittings = arguments.sittings.max(1);
    let plan = Plan::new(Duration::from_secs_f64(arguments.seconds / sittings as f64));
    let progress = terminal::progress::Progress::new("timing");
    // In the order of the files, over all sittings.
    let (mut samples, mut ratios) = (vec![Vec::new(); files.len()], vec![Vec::new(); files.len()]);
    for sitting in 0..sittings {
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.rotate_left(sitting % files.len());
        let mut contenders = Vec::new();
        for file in order.iter().map(|place| &files[*place]) {
            contenders.push(contender(
                Session::open(runtime, &file.path, SessionOptions::default())?,
                file.who,
                inputs,
            ));
        }
        let told = |share: f64| progress.set((sitting as f64 + share) / sittings as f64);
        let series = interleave(&mut contenders, &plan, told).into_iter().collect::<Result<Vec<Series>, _>>()?;
        let of = |who: &str| series.iter().find(|series| series.engine == who).context("a contender is missing");
        let mine = of(OURS)?;
        for (place, file) in files.iter().enumerate() {
            let theirs = of(file.who)?;
            samples[place].extend_from_slice(&theirs.samples_ms);
            ratios[place].extend(ratio(mine, theirs).map(|ratio| ratio.value));
        }
    }
    let summaries = samples.iter().map(|samples| Summary::of(samples).context("nothing was timed"));
    let mut summaries = summaries.collect::<Result<Vec<Summary>>>()?;
    let best = (1..files.len()).min_by(|left, right| summaries[*left].p50.total_cmp(&summaries[*right].p50));
    let best = best.context("PyTorch wrote no file")?;
    let (torch, ours) = (summaries.swap_remove(best), summaries.swap_remove(0));
    Ok(Measured { ours, torch, who: files[best].who, ratio: median(&ratios[best]) })
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
