//! Large networks: how long an export takes, and how much memory, the network's own weights included.
//!
//! ```sh
//! cargo xtask bench size
//! ```
//!
//! Each network is a BERT of BERT-large's width with as many layers as make the size. Its linear weights lie as PyTorch
//! lays them out, transposed to what the file holds: the export that needs the most memory. One process builds and
//! exports it and tells its own peak; another loads the file in ONNX Runtime. Their answers are compared.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, OnnxExporter};
use clap::Parser;
use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::NamedTensor;
use engines::usage::Usage;
use models::bert::{BertConfig, BertForQuestionAnswering, Sequence, TokenBatch};
use networks::engine::BurnEngine;
use networks::questions::{INPUTS, OUTPUTS, inputs};
use onnx_model::{External, SaveOptions};
use serde::{Deserialize, Serialize};
use terminal::table::Table;

/// Exports networks of given sizes; reports seconds and peak memory, and loads the files in ONNX Runtime.
#[derive(Parser)]
struct Arguments {
    /// Sizes in GB of weights.
    #[arg(default_values_t = [1.3, 3.0])]
    sizes: Vec<f64>,
    /// Keep the weights in a file of their own below 2 GiB too.
    #[arg(long)]
    external: bool,
    /// The folder of ONNX Runtime's library.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/onnxruntime"))]
    runtime: PathBuf,
    /// Export a network of so many layers to this file, and tell about it in JSON.
    #[arg(long, hide = true, requires = "file")]
    export_layers: Option<usize>,
    /// The file to export, or to load.
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the process that exports tells.
#[derive(Serialize, Deserialize)]
struct Exported {
    weight_bytes: u64,
    files: Vec<(PathBuf, u64)>,
    build_seconds: f64,
    export_seconds: f64,
    save_seconds: f64,
    /// Before the export: the network alone.
    peak_before: u64,
    peak: u64,
    answers: Vec<Vec<f64>>,
}

/// What the process that loads tells.
#[derive(Serialize, Deserialize)]
struct Loaded {
    seconds: f64,
    answers: Vec<Vec<f64>>,
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    match (&arguments.file, arguments.export_layers) {
        (Some(file), Some(layers)) => tell(&export(layers, file, arguments.external)?),
        (Some(file), None) => tell(&load(file, &arguments.runtime)?),
        (None, _) => compare(&arguments),
    }
}

fn tell(report: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

fn compare(arguments: &Arguments) -> Result<()> {
    let headings =
        ["weights", "files", "build s", "export s", "save s", "peak / weights", "load s", "answers differ by"];
    let mut table = Table::new(headings);
    for size in &arguments.sizes {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let file = folder.path().join("large.onnx");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--export-layers").arg(layers(size * 1e9).to_string()).arg("--file").arg(&file);
        if arguments.external {
            command.arg("--external");
        }
        let exported: Exported = ask(&mut command)?;
        let mut command = Command::new(std::env::current_exe()?);
        let loaded: Loaded = ask(command.arg("--file").arg(&file).arg("--runtime").arg(&arguments.runtime))?;
        let difference = difference(&exported.answers, &loaded.answers)?;
        let ratio = |peak: u64| peak as f64 / exported.weight_bytes as f64;
        table.row([
            format!("{:.2} GB", exported.weight_bytes as f64 / 1e9),
            exported.files.len().to_string(),
            format!("{:.1}", exported.build_seconds),
            format!("{:.1}", exported.export_seconds),
            format!("{:.1}", exported.save_seconds),
            format!("{:.2} (network alone {:.2})", ratio(exported.peak), ratio(exported.peak_before)),
            format!("{:.1}", loaded.seconds),
            format!("{difference:.1e} of the largest"),
        ]);
        for (path, bytes) in &exported.files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            println!("{name}: {bytes} bytes");
        }
        ensure!(difference < 1e-3, "the file of {size} GB computes something else: {difference:.1e}");
    }
    print!("{}", table.render());
    Ok(())
}

fn ask<T: for<'de> Deserialize<'de>>(command: &mut Command) -> Result<T> {
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("a process of the benchmark failed ({}); the message above says why", output.status);
    }
    serde_json::from_slice(&output.stdout).context("a process of the benchmark told something unreadable")
}

/// BERT-large with another number of layers.
fn config(layers: usize) -> BertConfig {
    BertConfig { num_hidden_layers: layers, ..BertConfig::large() }
}

/// The layers that bring BERT-large to so many bytes, or a little more.
fn layers(bytes: f64) -> usize {
    let large = BertConfig::large();
    let (width, inner) = (large.hidden_size as f64, large.intermediate_size as f64);
    let rows = (large.vocab_size + large.max_position_embeddings + large.type_vocab_size) as f64;
    let layer = 4.0 * width * width + 2.0 * width * inner;
    ((bytes / 4.0 - rows * width) / layer).ceil().max(1.0) as usize
}

/// The largest difference of two sets of answers, as a share of the largest answer.
fn difference(left: &[Vec<f64>], right: &[Vec<f64>]) -> Result<f64> {
    let (left, right): (Vec<f64>, Vec<f64>) = (left.concat(), right.concat());
    ensure!(left.len() == right.len() && !left.is_empty(), "{} answers against {}", left.len(), right.len());
    let largest = left.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let deviations = left.iter().zip(&right).map(|(left, right)| (left - right).abs());
    // A NaN must not get lost, as `max` would lose it.
    Ok(deviations.fold(0.0, |worst: f64, deviation| if deviation <= worst { worst } else { deviation }) / largest)
}

/// Two questions of different length; the shorter one is padded.
fn questions(config: &BertConfig) -> Result<Vec<NamedTensor>> {
    let ids: Vec<i64> = (0..11).map(|token| 1000 + 977 * token).collect();
    let kinds = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1];
    let sequences: Vec<Sequence> = [11, 7]
        .into_iter()
        .map(|length| Sequence {
            input_ids: ids.get(..length).unwrap_or_default(),
            token_type_ids: kinds.get(..length).unwrap_or_default(),
        })
        .collect();
    Ok(inputs(&TokenBatch::padded(&sequences, config)?)?)
}

fn answers(engine: &mut dyn Engine, config: &BertConfig) -> Result<Vec<Vec<f64>>> {
    Ok(engine.run(&questions(config)?)?.iter().map(|answer| answer.tensor.to_f64()).collect())
}

fn peak() -> Result<u64> {
    Ok(Usage::of_this_process().context("this system does not tell how much memory a process used")?.peak_memory)
}

fn export(layers: usize, file: &Path, external: bool) -> Result<Exported> {
    let config = config(layers);
    let start = Instant::now();
    let network = BertForQuestionAnswering::random(&config, 1, &Device::flex());
    let build_seconds = start.elapsed().as_secs_f64();
    let peak_before = peak()?;
    let start = Instant::now();
    let axes = || [Axis::dynamic("batch"), Axis::dynamic("sequence").range(1..=config.max_position_embeddings)];
    let exporter = INPUTS.into_iter().fold(OnnxExporter::new(), |exporter, input| exporter.input(input, axes()));
    let exporter = OUTPUTS.into_iter().fold(exporter, OnnxExporter::output);
    type Ids = Tensor<2, Int>;
    let model = exporter
        .export(&network, |network: &BertForQuestionAnswering, (ids, mask, kinds): (Ids, Ids, Ids)| {
            network.forward(ids, mask, kinds)
        })?;
    let export_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let keep = if external { External::Always } else { External::WhenNeeded };
    let files = model.save_with(file, &SaveOptions { external: keep, ..SaveOptions::default() })?;
    let save_seconds = start.elapsed().as_secs_f64();
    let peak = peak()?;
    let weight_bytes = model.report().parameter_bytes;
    drop(model);
    let answers = answers(&mut BurnEngine::new(network, config.clone(), Device::flex()), &config)?;
    let files = files.into_iter().map(|file| (file.path, file.bytes)).collect();
    Ok(Exported { weight_bytes, files, build_seconds, export_seconds, save_seconds, peak_before, peak, answers })
}

fn load(file: &Path, runtime: &Path) -> Result<Loaded> {
    let start = Instant::now();
    let mut session = Session::open(&Runtime::load(runtime)?, file, SessionOptions::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let answers = answers(&mut session, &BertConfig::large())?;
    Ok(Loaded { seconds, answers })
}
