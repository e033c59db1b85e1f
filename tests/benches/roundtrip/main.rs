//! AlexNet to ONNX and back into Burn, as code that burn-onnx generates.
//!
//! ```sh
//! cargo xtask bench roundtrip
//! ```
//!
//! The generated code must be the module compiled here. It gets the weights that burn-onnx wrote, and its answers are
//! compared with those of the network that was exported, at several batch sizes. Then both run in turns.

/// What burn-onnx 0.22.0 makes of our file of AlexNet. Written by it, and not formatted by us.
#[allow(clippy::all, dead_code)]
mod alexnet {
    include!("alexnet.rs");
}

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Bytes, Device, Distribution, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use clap::Parser;
use end_to_end::import::{assert_committed, import};
use evaluation::statistics::Median;
use evaluation::timing::{Plan, Runner, interleave, ratio};
use models::alexnet::AlexNet;
use terminal::table::{Table, figure};

/// Exports AlexNet, imports the file into Burn again, and compares the answers and the times of both.
#[derive(Parser)]
struct Arguments {
    /// The seed of the weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The opset of the file.
    #[arg(long, default_value_t = 11)]
    opset: i64,
    /// Batch sizes.
    #[arg(default_values_t = [1, 2, 5])]
    batches: Vec<usize>,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = Device::flex();
    let network = AlexNet::random(arguments.seed, &device);
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let file = folder.path().join("alexnet.onnx");
    let start = Instant::now();
    let opset = Opset::try_from(arguments.opset)?;
    let image = [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(224), Axis::fixed(224)];
    OnnxExporter::new()
        .opset(opset)
        .input("input", image)
        .output("output")
        .export(&network, |network, images: Tensor<4>| network.forward(images))?
        .save(&file)?;
    let exported = start.elapsed();
    let start = Instant::now();
    let imported = import(&file, folder.path());
    let weights = std::fs::read(&imported.weights).context("burn-onnx wrote no weights")?;
    let took = start.elapsed();
    assert_committed(&imported.code, &Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/roundtrip/alexnet.rs"));
    let returned = alexnet::Model::from_bytes(Bytes::from_bytes_vec(weights), &device);
    println!(
        "AlexNet at opset {opset}: exported and saved in {:.1} s, imported in {:.1} s;",
        exported.as_secs_f64(),
        took.as_secs_f64()
    );
    println!("the generated code is the one compiled here ({} lines)", imported.code.lines().count());

    let mut table = Table::new([
        "batch",
        "largest answer",
        "largest difference",
        "original ms",
        "returned ms",
        "returned / original",
    ]);
    for batch in &arguments.batches {
        let images = Tensor::<4>::random([*batch, 3, 224, 224], Distribution::Normal(0.0, 1.0), &device);
        let (found, expected) = (returned.forward(images.clone()), network.forward(images.clone()));
        let largest: f64 = expected.clone().abs().max().into_scalar();
        let difference: f64 = (found - expected).abs().max().into_scalar();
        // Both run in Burn; only the layout of the linear weights, and with it the order of sums, differs.
        ensure!(difference <= 1e-5 * (1.0 + largest), "batch {batch}: the answers differ by {difference}");
        let forward: [(&str, &dyn Fn() -> Tensor<2>); 2] =
            [("original", &|| network.forward(images.clone())), ("returned", &|| returned.forward(images.clone()))];
        let mut contenders: Vec<Runner<'_>> =
            forward.into_iter().map(|(name, forward)| contender(name, forward)).collect();
        let least = Duration::from_secs_f64(arguments.seconds / arguments.batches.len() as f64);
        let mut series = interleave(&mut contenders, &Plan::new(least), |_| ()).into_iter();
        let (Some(original), Some(back)) = (series.next(), series.next()) else { bail!("a contender is missing") };
        let (original, back) = (original?, back?);
        table.row([
            batch.to_string(),
            figure(largest),
            format!("{difference:.1e}"),
            figure(original.latency_ms.p50),
            figure(back.latency_ms.p50),
            interval(ratio(&back, &original)),
        ]);
    }
    print!("{}", table.render());
    Ok(())
}

fn contender<'a>(name: &str, forward: &'a dyn Fn() -> Tensor<2>) -> Runner<'a> {
    let block = move |runs| {
        let once = |_| {
            let start = Instant::now();
            forward().into_data();
            Ok(start.elapsed().as_secs_f64())
        };
        (0..runs).map(once).collect()
    };
    Runner { name: name.to_owned(), block: Box::new(block) }
}

/// `0.987 (0.981 to 0.992)`.
fn interval(ratio: Option<Median>) -> String {
    match ratio {
        Some(Median { value, interval: Some((low, high)) }) => format!("{value:.3} ({low:.3} to {high:.3})"),
        Some(Median { value, interval: None }) => format!("{value:.3}"),
        None => "-".to_owned(),
    }
}
