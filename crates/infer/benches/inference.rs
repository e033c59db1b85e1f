//! Burn as it runs natively beside ONNX Runtime: the networks of this workspace at several sizes and numbers of threads.
//!
//! ```sh
//! cargo xtask bench native                  exports the networks with random weights, then runs this
//! ```
//!
//! Both are workers with the same weights and inputs, and must give the same before they are timed, in turns.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use engines::engine::Engine;
use engines::fingerprint::Machine;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use evaluation::timing::{Plan, Runner, Series, interleave, ratio};
use evaluation::timing_text::interval;
use networks::NetworkId;
use terminal::table::{Table, figure};

/// Times Burn's native inference and ONNX Runtime in turns.
#[derive(Parser)]
struct Arguments {
    /// The folder with the networks
    #[arg(long)]
    folder: PathBuf,
    /// The folder with the fetched libraries
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets"))]
    datasets: PathBuf,
    /// The cases, of those that the table names
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// The batch sizes
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    batches: Vec<usize>,
    /// The threads of both
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// The least time for each row, in seconds
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The case, the network, the folder with its file, and the tokens of a text.
const CASES: [(&str, NetworkId, &str, Option<usize>); 5] = [
    ("alexnet", NetworkId::Alexnet, "alexnet", None),
    ("efficientnet-lite0", NetworkId::EfficientnetLite0, "efficientnet-lite0", None),
    ("minilm-128", NetworkId::BertQa, "minilm", Some(128)),
    ("minilm-384", NetworkId::BertQa, "minilm", Some(384)),
    ("bert-base-128", NetworkId::BertQa, "bert-base", Some(128)),
];

/// The largest difference of an output between both, relative to its largest value. It tells the same network from another one;
/// how exact each engine is, `eval` says.
const SAME: f64 = 1e-3;

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let machine = Machine::this();
    println!("{}, {} cores, {}", machine.cpu, machine.cores, machine.kernel);
    let mut table =
        Table::new(["case", "batch", "threads", "Burn p50 ms", "ONNX Runtime p50 ms", "Burn's time over it"]);
    for (case, network, folder, tokens) in CASES {
        if !arguments.cases.is_empty() && !arguments.cases.iter().any(|wanted| wanted == case) {
            continue;
        }
        for &threads in &arguments.threads {
            for &batch in &arguments.batches {
                let inputs = inputs(tokens, batch)?;
                let [burn, runtime] = measure(&arguments, network, &arguments.folder.join(folder), threads, &inputs)
                    .with_context(|| format!("{case}, batch {batch}"))?;
                let times = ratio(&burn, &runtime).map_or_else(|| "-".to_owned(), interval);
                let [burn, runtime] = [burn, runtime].map(|series| figure(series.latency_ms.p50));
                eprintln!("{case}, batch {batch}, {threads} threads: {times}");
                table.row([case.to_owned(), batch.to_string(), threads.to_string(), burn, runtime, times]);
            }
        }
    }
    println!("\n{}", table.render());
    Ok(())
}

/// Values that vary, and texts without padding.
fn inputs(tokens: Option<usize>, batch: usize) -> Result<Vec<NamedTensor>> {
    let Some(tokens) = tokens else {
        let count = batch * 3 * 224 * 224;
        let pixels: Vec<f32> = (0..count).map(|index| (index as f32 * 0.618).sin()).collect();
        return Ok(vec![NamedTensor::new("input", Tensor::new([batch, 3, 224, 224], pixels)?)]);
    };
    let ids = |id: &dyn Fn(usize) -> i64| Tensor::new([batch, tokens], (0..batch * tokens).map(id).collect::<Vec<_>>());
    Ok(vec![
        NamedTensor::new("input_ids", ids(&|index| 1000 + (index as i64 * 7919) % 20_000)?),
        NamedTensor::new("attention_mask", ids(&|_| 1)?),
        NamedTensor::new("token_type_ids", ids(&|index| i64::from(index % tokens > 20))?),
    ])
}

fn measure(
    arguments: &Arguments,
    network: NetworkId,
    folder: &Path,
    threads: usize,
    inputs: &[NamedTensor],
) -> Result<[Series; 2]> {
    let launcher = launcher()?;
    let own = folder.join("config.json").is_file().then(|| folder.to_owned());
    let burn = FrameworkSpec { threads, ..networks::burn(network, Weights::Random(1), own) };
    let library = Libraries::find(&arguments.datasets, launcher.clone())?.for_provider(&Provider::Cpu)?;
    let options = SessionOptions { threads, ..SessionOptions::default() };
    let runtime = EngineSpec::Ort { library, model: folder.join("model.onnx"), options };
    let mut engines: Vec<(&str, RemoteEngine)> = Vec::new();
    for (name, spec) in [("Burn", EngineSpec::Framework(burn)), ("ONNX Runtime", runtime)] {
        let mut engine = launcher.engine(&spec)?;
        engine.prepare(inputs)?;
        engines.push((name, engine));
    }
    let [burn, runtime] = &mut engines[..] else { bail!("two engines were started") };
    let difference = difference(&burn.1.run(inputs)?, &runtime.1.run(inputs)?)?;
    if difference.is_nan() || difference > SAME {
        bail!("Burn and ONNX Runtime differ by {difference:.2e} of the largest value");
    }
    let mut runners: Vec<Runner<'_>> = engines
        .iter_mut()
        .map(|(name, engine)| Runner { name: (*name).to_owned(), block: Box::new(move |runs| engine.block(runs)) })
        .collect();
    let results = interleave(&mut runners, &Plan::new(Duration::from_secs_f64(arguments.seconds)), |_| ());
    let series = results.into_iter().collect::<Result<Vec<Series>, _>>()?;
    series.try_into().map_err(|_| anyhow::anyhow!("two engines were timed"))
}

fn launcher() -> Result<Launcher> {
    let mut launcher = Launcher::this_program().context("this program cannot be started again")?;
    launcher.program = PathBuf::from(env!("CARGO_BIN_EXE_infer"));
    Ok(launcher)
}

/// The largest difference of any output, relative to its largest value.
fn difference(found: &[NamedTensor], expected: &[NamedTensor]) -> Result<f64> {
    let mut largest = 0.0_f64;
    for expected in expected {
        let found = found.iter().find(|found| found.name == expected.name);
        let found = found.with_context(|| format!("the output `{}` is missing", expected.name))?;
        if found.tensor.shape() != expected.tensor.shape() {
            bail!("`{}` has another shape", expected.name);
        }
        let (found, expected) = (found.tensor.to_f64(), expected.tensor.to_f64());
        let scale = expected.iter().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / scale);
        largest = differences.fold(largest, |most, share| if share.is_nan() { f64::INFINITY } else { most.max(share) });
    }
    Ok(largest)
}
