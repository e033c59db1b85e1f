//! BERT-large from its weights to an answer: seconds and memory of the export, and of three engines.
//!
//! ```sh
//! cargo xtask bench bert-large
//! ```
//!
//! The weights have the shape of BERT-large and random values, which cost as much as trained ones. They lie in a safetensors
//! file beside a `config.json`. `export` makes the ONNX file of them and verifies it. Then each engine loads the network in a
//! process of its own and answers one question of 384 tokens, a few times. Each process tells its peak of memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use candle_engine::CandleBert;
use clap::{Parser, ValueEnum};
use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::NamedTensor;
use engines::usage::Usage;
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use models::bert::{BertConfig, BertForQuestionAnswering, Sequence, TokenBatch, state_dict_name};
use models::weights::{state_dict, to_safetensors};
use networks::NetworkId;
use networks::questions::inputs;
use serde::{Deserialize, Serialize};
use terminal::table::Table;

/// The article's times for one answer, in milliseconds: PyTorch, and its file under ONNX Runtime.
const ARTICLE: [f64; 2] = [689.0, 632.0];

/// The difference of two engines' logits, as a share of the largest, that is more than rounding.
const TOO_FAR: f64 = 1e-3;

/// Loads, exports and asks BERT-large; reports seconds and peak memory.
#[derive(Parser)]
struct Arguments {
    /// Threads of each engine.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
    /// How often each engine answers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Tokens of the question with its context.
    #[arg(long, default_value_t = 384)]
    tokens: usize,
    /// Layers; BERT-large has 24.
    #[arg(long, default_value_t = 24)]
    layers: usize,
    /// The folder of ONNX Runtime's library.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/onnxruntime"))]
    runtime: PathBuf,
    /// Do this part on the folder, and tell about it in JSON.
    #[arg(long, hide = true, requires = "folder")]
    part: Option<Part>,
    /// Where weights and model lie.
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Write the weights.
    Weights,
    /// Export them with the program that users run.
    Export,
    /// Ask Burn.
    Burn,
    /// Ask candle.
    Candle,
    /// Ask ONNX Runtime.
    Ort,
}

impl Part {
    /// Those that answer, with their names.
    const ENGINES: [(Self, &str); 3] =
        [(Self::Burn, "Burn"), (Self::Candle, "candle"), (Self::Ort, "ONNX Runtime, our file")];

    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What a process tells.
#[derive(Serialize, Deserialize)]
struct Told {
    /// Until the network can be asked, or for all that the process did.
    seconds: f64,
    peak_memory: u64,
    /// Each answer's time in milliseconds.
    milliseconds: Vec<f64>,
    logits: Vec<f64>,
    /// The seconds of each part of an export, as it tells them.
    parts: BTreeMap<String, f64>,
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let (Some(part), Some(folder)) = (arguments.part, &arguments.folder) else { return compare(&arguments) };
    println!("{}", serde_json::to_string(&perform(part, folder, &arguments)?)?);
    Ok(())
}

fn compare(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let ask = |part: Part| {
        eprintln!("{} ...", part.word());
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--part")
            .arg(part.word())
            .arg("--folder")
            .arg(folder.path())
            .arg("--runtime")
            .arg(&arguments.runtime);
        for (option, value) in [
            ("--threads", arguments.threads),
            ("--runs", arguments.runs as usize),
            ("--tokens", arguments.tokens),
            ("--layers", arguments.layers),
        ] {
            command.arg(option).arg(value.to_string());
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("the part `{}` failed ({}); the message above says why", part.word(), output.status);
        }
        serde_json::from_slice::<Told>(&output.stdout).context("a part of the benchmark told something unreadable")
    };
    ask(Part::Weights)?;
    let exported = ask(Part::Export)?;
    let parts = ["load", "export", "write", "verify"];
    let told = parts.map(|part| format!("{part} {:.1} s", exported.parts.get(part).copied().unwrap_or(f64::NAN)));
    println!("{}; {:.1} s in all, at most {}", told.join(", "), exported.seconds, memory(exported.peak_memory));
    let mut table =
        Table::new(["engine", "load s", "an answer, median ms", "best ms", "peak memory", "differs from Burn by"]);
    let mut reference: Option<Vec<f64>> = None;
    for (part, name) in Part::ENGINES {
        let told = ask(part)?;
        let difference = difference(reference.get_or_insert_with(|| told.logits.clone()), &told.logits)?;
        let mut times = told.milliseconds;
        times.sort_by(f64::total_cmp);
        let time = |index: usize| times.get(index).map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"));
        table.row([
            name.to_owned(),
            format!("{:.1}", told.seconds),
            time(times.len() / 2),
            time(0),
            memory(told.peak_memory),
            format!("{difference:.1e} of the largest"),
        ]);
        ensure!(difference < TOO_FAR, "{name} computes something else: {difference:.1e} of the largest logit");
    }
    print!("{}", table.render());
    let [torch, onnx] = ARTICLE;
    println!("The article, on its machine: {torch} ms in PyTorch, {onnx} ms under ONNX Runtime.");
    Ok(())
}

fn memory(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30))
}

/// The largest difference, as a share of the largest value.
fn difference(left: &[f64], right: &[f64]) -> Result<f64> {
    ensure!(left.len() == right.len() && !left.is_empty(), "{} logits against {}", left.len(), right.len());
    let largest = left.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let deviations = left.iter().zip(right).map(|(left, right)| (left - right).abs());
    // A NaN must not get lost, as `max` would lose it.
    Ok(deviations.fold(0.0, |worst: f64, deviation| if deviation <= worst { worst } else { deviation }) / largest)
}

fn perform(part: Part, folder: &Path, arguments: &Arguments) -> Result<Told> {
    let start = Instant::now();
    let weights = Weights::At(folder.join("model.safetensors"));
    let model = folder.join("bert-qa.onnx");
    let mut engine: Box<dyn Engine> = match part {
        Part::Weights => {
            write_weights(folder, arguments.layers)?;
            return told(start, Usage::of_this_process());
        }
        Part::Export => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_export"));
            command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
            command
                .args(["bert-qa", "--weights"])
                .arg(folder)
                .arg("--out")
                .arg(&model)
                .arg("--json")
                .stderr(Stdio::inherit());
            let output = command.output()?;
            ensure!(output.status.success(), "the export failed; the message above says why");
            let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
            let parts = serde_json::from_value(report.get("seconds").cloned().unwrap_or_default())?;
            return Ok(Told { parts, ..told(start, Usage::of_children())? });
        }
        Part::Burn => {
            let spec = networks::burn(NetworkId::BertQa, weights.clone(), Some(folder.to_owned()));
            networks::open(&EngineSpec::Framework(FrameworkSpec { threads: arguments.threads, ..spec }))?.engine
        }
        Part::Candle => {
            engines::threads::limit(arguments.threads)?;
            Box::new(CandleBert::open(folder, &weights)?)
        }
        Part::Ort => {
            let options = SessionOptions { threads: arguments.threads, ..SessionOptions::default() };
            Box::new(Session::open(&Runtime::load(&arguments.runtime)?, &model, options)?)
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let question = question(arguments.tokens, &BertConfig::read(&folder.join("config.json"))?)?;
    let mut logits = Vec::new();
    let mut milliseconds = Vec::new();
    for _ in 0..arguments.runs {
        let start = Instant::now();
        let outputs = engine.run(&question)?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        logits = outputs.iter().flat_map(|output| output.tensor.to_f64()).collect();
    }
    let peak_memory = peak(Usage::of_this_process())?;
    Ok(Told { seconds, peak_memory, milliseconds, logits, parts: BTreeMap::new() })
}

fn told(start: Instant, usage: Option<Usage>) -> Result<Told> {
    let seconds = start.elapsed().as_secs_f64();
    let peak_memory = peak(usage)?;
    Ok(Told { seconds, peak_memory, milliseconds: Vec::new(), logits: Vec::new(), parts: BTreeMap::new() })
}

fn peak(usage: Option<Usage>) -> Result<u64> {
    Ok(usage.context("this system does not tell how much memory a process used")?.peak_memory)
}

fn write_weights(folder: &Path, layers: usize) -> Result<()> {
    let config = BertConfig { num_hidden_layers: layers, ..BertConfig::large() };
    let fields = serde_json::json!({
        "model_type": "bert",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "hidden_act": "gelu",
        "max_position_embeddings": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
        "layer_norm_eps": config.layer_norm_eps,
        "initializer_range": config.initializer_range,
        "pad_token_id": config.pad_token_id,
    });
    std::fs::write(folder.join("config.json"), fields.to_string())?;
    let network = BertForQuestionAnswering::random(&config, 1, &Device::flex());
    let tensors = state_dict(&network, state_dict_name);
    drop(network);
    std::fs::write(folder.join("model.safetensors"), to_safetensors(&tensors)?)?;
    Ok(())
}

/// One sequence of token ids: a question of a dozen words, then its context.
fn question(tokens: usize, config: &BertConfig) -> Result<Vec<NamedTensor>> {
    let vocabulary = config.vocab_size as i64;
    let ids: Vec<i64> = (0..tokens as i64).map(|token| (1000 + 977 * token) % vocabulary).collect();
    let kinds: Vec<i64> = (0..tokens).map(|token| i64::from(token >= 12)).collect();
    Ok(inputs(&TokenBatch::padded(&[Sequence { input_ids: &ids, token_type_ids: &kinds }], config)?)?)
}
