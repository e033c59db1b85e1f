//! `infer predict alexnet`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use cli::predict::PredictAlexnetArgs;
use infer::alexnet::check_signature;
use infer::alexnet::predict::{Guess, guesses};
use infer::burn_network::BurnAlexNet;
use infer::engine::Engine;
use infer::engine_name::EngineName;
use infer::progress::Progress;
use infer::table::Table;
use infer::worker::Weights;
use models::alexnet::AlexNet;
use models::imagenet::{Labels, preprocess_file};
use models::weights::Checkpoint;
use serde::Serialize;

use super::engines::{Exported, load, threads, wanted, warning};

/// Pictures that run at once.
const BATCH: usize = 16;

/// The endings of the files that are taken out of a folder.
const ENDINGS: [&str; 6] = ["bmp", "gif", "jpeg", "jpg", "png", "webp"];

/// How to get an ONNX file.
const EXPORT: &str = "`cargo xtask export alexnet` makes it";

/// How to get weights.
const FETCH: &str = "no usable weights for Burn (`cargo xtask fetch alexnet` gets them; otherwise name a file with --weights, or run the \
     ONNX file alone with --engine ort:cpu)";

#[derive(Serialize)]
struct Report {
    /// The seed of the weights, if they are random and the labels mean nothing.
    random_init: Option<u64>,
    /// Whether all engines see the same in every picture.
    agree: bool,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct Picture {
    image: PathBuf,
    engines: Vec<EngineGuesses>,
}

#[derive(Serialize)]
struct EngineGuesses {
    engine: String,
    guesses: Vec<Guess>,
}

/// Labels every picture and prints. The exit status says whether all engines see the same.
pub fn execute(arguments: &PredictAlexnetArgs) -> Result<ExitCode> {
    let names = wanted(&arguments.engines)?;
    let images = pictures(&arguments.images)?;
    let labels = Labels::read(&arguments.labels)
        .context("no usable names of the classes (`cargo xtask fetch imagenet-labels` gets them)")?;
    let threads = threads(&arguments.engines)?;
    let file = Exported { model: &arguments.model, how: EXPORT, check: check_signature, weights: &arguments.weights };
    let (mut engines, seed) = load(&names, &file, threads, framework)?;
    let mut report = Report { random_init: seed, agree: true, pictures: Vec::new() };
    let progress = Progress::new("pictures");
    for chunk in images.chunks(BATCH) {
        let mut pixels = Vec::new();
        for image in chunk {
            pixels.extend(preprocess_file(image)?);
        }
        let mut batch: Vec<Picture> =
            chunk.iter().map(|image| Picture { image: image.clone(), engines: Vec::new() }).collect();
        for engine in &mut engines {
            let found = guesses(engine.as_mut(), pixels.clone(), &labels, arguments.top)?;
            for (picture, guesses) in batch.iter_mut().zip(found) {
                picture.engines.push(EngineGuesses { engine: engine.name().to_owned(), guesses });
            }
        }
        report.pictures.append(&mut batch);
        progress.set(report.pictures.len() as f64 / images.len() as f64);
    }
    drop(progress);
    report.agree = report.pictures.iter().all(Picture::agrees);
    match arguments.json {
        true => crate::print(&(serde_json::to_string_pretty(&report)? + "\n"))?,
        false => crate::print(&report.text())?,
    }
    if !report.agree {
        bail!("the engines see different things");
    }
    Ok(ExitCode::SUCCESS)
}

/// The pictures that the paths name; those of a folder by name.
pub fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            let file = entry.with_context(|| format!("cannot read {}", path.display()))?.path();
            let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ENDINGS.contains(&ending.as_str()) && file.is_file() {
                files.push(file);
            }
        }
        if files.is_empty() {
            bail!("{} holds no pictures (files ending in {})", path.display(), ENDINGS.join(", "));
        }
        files.sort();
        found.append(&mut files);
    }
    Ok(found)
}

/// AlexNet in a framework.
fn framework(name: EngineName, weights: &Weights) -> Result<Box<dyn Engine>> {
    let device = Device::flex();
    let network = match (name, weights) {
        (EngineName::Burn, Weights::Random(seed)) => AlexNet::random(*seed, &device),
        (EngineName::Burn, Weights::At(path)) => trained(path, &device).context(FETCH)?,
        _ => bail!("{name} has no AlexNet here; burn and tract have, and ONNX Runtime (ort:cpu)"),
    };
    Ok(Box::new(BurnAlexNet::new(network, device)))
}

fn trained(weights: &Path, device: &Device) -> Result<AlexNet> {
    let checkpoint = Checkpoint::open(weights)?;
    let (network, report) = AlexNet::load(&checkpoint, device)?;
    report.require_all_taken(&checkpoint)?;
    Ok(network)
}

impl Picture {
    /// Whether all engines put the same class first.
    fn agrees(&self) -> bool {
        let first = |found: &EngineGuesses| found.guesses.first().map(|guess| guess.class);
        self.engines.windows(2).all(|pair| matches!(pair, [a, b] if first(a) == first(b)))
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default();
        for picture in &self.pictures {
            text += &format!("{}\n", picture.image.display());
            let mut header = vec!["label".to_owned(), "class".to_owned()];
            header.extend(picture.engines.iter().map(|found| found.engine.clone()));
            let mut table = Table::new(header);
            // Rows are the first engine's; others may hold some of the classes less likely than all that they show.
            let rows = picture.engines.first().map(|found| found.guesses.as_slice()).unwrap_or_default();
            for guess in rows {
                let mut row = vec![guess.label.clone(), guess.class.to_string()];
                for found in &picture.engines {
                    let same = found.guesses.iter().find(|other| other.class == guess.class);
                    row.push(same.map_or_else(|| "-".to_owned(), |same| format!("{:.2} %", 100.0 * same.probability)));
                }
                table.row(row);
            }
            text += &table.render();
        }
        text
    }
}
