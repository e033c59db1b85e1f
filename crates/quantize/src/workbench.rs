//! Where models run: each in a process of its own, on the samples.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use artifact::FileError;
use artifact::interrupt::TemporaryFolder;
use engines::engine::{Engine, Signature};
use engines::session::SessionOptions;
use engines::tensor::NamedTensor;
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::{EngineSpec, wire};
use evaluation::statistics::Median;
use evaluation::timing::{Plan, Runner, interleave, ratio};
use onnx_model::{External, Model, SaveOptions};
use serde::{Deserialize, Serialize};

use crate::calibrate::{Seen, Wanted, observed};
use crate::samples::{Sample, Samples};
use evaluation::quantised::fidelity::Comparison;

/// Samples on which the harm of a single node is measured.
const FEW: usize = 8;

/// Where models run.
pub struct Workbench<'a> {
    launcher: &'a Launcher,
    library: PathBuf,
    folder: TemporaryFolder,
    samples: &'a dyn Samples,
    mask: Option<String>,
    signature: Option<Signature>,
    /// The memory of the largest process so far.
    peak_memory: u64,
}

/// Times of a quantised model beside the float model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// The median time of the float model in milliseconds, one thread, one sample.
    pub float_ms: f64,
    /// That of the quantised model.
    pub quantized_ms: f64,
    /// The time of the quantised model as a share of the float model's, with its 95 % interval.
    pub share: Median,
}

impl<'a> Workbench<'a> {
    /// A workbench with these samples, of which there may be none.
    ///
    /// # Errors
    /// When there is no place for temporary files.
    pub fn new(
        launcher: &'a Launcher,
        library: PathBuf,
        samples: &'a dyn Samples,
        mask: Option<String>,
    ) -> Result<Self> {
        let folder = TemporaryFolder::new().context("no temporary folder can be made")?;
        Ok(Self { launcher, library, folder, samples, mask, signature: None, peak_memory: 0 })
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.samples.count()
    }

    /// The most memory that a process of an engine has held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.peak_memory
    }

    /// Starts a process with a model in it.
    fn open(&self, path: &Path) -> Result<RemoteEngine> {
        let options = SessionOptions::default();
        let spec = EngineSpec::Ort { library: self.library.clone(), model: path.to_owned(), options };
        Ok(self.launcher.engine(&spec)?)
    }

    /// Writes a model to the temporary folder; its weights go beside it, where a runtime can map them.
    fn put(&self, model: &Model, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name).join("model.onnx");
        model.save_with(&path, &SaveOptions { external: External::Always, ..SaveOptions::default() })?;
        Ok(path)
    }

    fn remove(&self, name: &str) {
        // What is left goes with the folder.
        let _ = std::fs::remove_dir_all(self.folder.path().join(name));
    }

    fn note_memory(&mut self, engine: &mut RemoteEngine) {
        let peak = engine.usage().ok().flatten().map_or(0, |usage| usage.peak_memory);
        self.peak_memory = self.peak_memory.max(peak);
    }

    /// Runs a float model over all samples, once: keeps its outputs on disk and looks at what is wanted.
    ///
    /// # Errors
    /// When a sample does not suit the model, a value is not finite, or the engine fails.
    pub fn observe(&mut self, model: &Model, wanted: &Wanted, progress: impl Fn(f64)) -> Result<Seen> {
        let path = self.put(&observed(model, &wanted.values()), "observed")?;
        let mut engine = self.open(&path)?;
        let outputs: BTreeSet<&str> = model.graph.outputs.iter().map(|output| output.name.as_str()).collect();
        let mut signature = engine.signature().clone();
        signature.outputs.retain(|output| outputs.contains(output.name.as_str()));
        let kept = self.kept_path();
        let mut kept = BufWriter::new(File::create(&kept).map_err(FileError::new("create", &kept))?);
        let mut seen = Seen::default();
        for index in 0..self.samples.count() {
            let sample = self.samples.get(index, &signature)?;
            let mut results = seen.add(&mut engine, wanted, &sample, self.mask.as_deref())?;
            results.retain(|output| outputs.contains(output.name.as_str()));
            wire::send(&mut kept, &index, &results).map_err(FileError::new("write", self.kept_path()))?;
            progress((index + 1) as f64 / self.samples.count() as f64);
        }
        self.note_memory(&mut engine);
        drop(engine);
        self.signature = Some(signature);
        self.remove("observed");
        Ok(seen)
    }

    fn kept_path(&self) -> PathBuf {
        self.folder.path().join("outputs")
    }

    /// The outputs of the float model for the first sample; `None` before they were kept, and without samples.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn first_outputs(&self) -> Result<Option<Vec<NamedTensor>>> {
        let path = self.kept_path();
        let file = File::open(&path).map_err(FileError::new("open", &path))?;
        Ok(wire::receive::<usize>(BufReader::new(file))?.map(|(_, outputs)| outputs))
    }

    /// Compares a quantised model with the kept outputs of the float model: on all samples, or on a few.
    ///
    /// # Errors
    /// When the engine cannot load or run it.
    pub fn compare(&mut self, model: &Model, few: bool) -> Result<Comparison> {
        let path = self.put(model, "candidate")?;
        let compared = self.compare_file(&path, few);
        self.remove("candidate");
        compared
    }

    /// [`compare`](Self::compare) for a model in a file.
    ///
    /// # Errors
    /// As there.
    pub fn compare_file(&mut self, path: &Path, few: bool) -> Result<Comparison> {
        let mut engine = self.open(path)?;
        let (Some(signature), kept) = (&self.signature, self.kept_path()) else { return Ok(Comparison::default()) };
        let mut kept = BufReader::new(File::open(&kept).map_err(FileError::new("open", &kept))?);
        let mut comparison = Comparison::default();
        let all = self.samples.count();
        // A few of them, evenly spread; the others are read over.
        let stride = if few { (all / FEW).max(1) } else { 1 };
        while let Some((index, float)) = wire::receive::<usize>(&mut kept)? {
            if index % stride != 0 {
                continue;
            }
            let Sample { inputs, labels, .. } = self.samples.get(index, signature)?;
            let found = engine.run(&inputs)?;
            let mask = self.mask.as_deref().and_then(|mask| inputs.iter().find(|input| input.name == mask));
            comparison.add(&float, &found, mask.map(|mask| &mask.tensor));
            if let Some(labels) = labels {
                comparison.judge(&float, &found, &labels);
            }
        }
        self.note_memory(&mut engine);
        Ok(comparison)
    }

    /// Times a quantised model beside the float model on the first sample, taking turns. `None` without samples.
    ///
    /// # Errors
    /// When an engine fails.
    pub fn time(&mut self, float: &Path, quantized: &Model, seconds: f64) -> Result<Option<Times>> {
        let path = self.put(quantized, "timed")?;
        let timed = self.time_files(float, &path, seconds);
        self.remove("timed");
        timed
    }

    fn time_files(&mut self, float: &Path, quantized: &Path, seconds: f64) -> Result<Option<Times>> {
        let (Some(signature), 1..) = (&self.signature, self.samples.count()) else { return Ok(None) };
        let Sample { inputs, .. } = self.samples.get(0, signature)?;
        let mut engines = [self.open(float)?, self.open(quantized)?];
        for engine in &mut engines {
            engine.prepare(&inputs)?;
        }
        let mut runners: Vec<Runner<'_>> = engines
            .iter_mut()
            .zip(["float", "quantized"])
            .map(|(engine, name)| Runner { name: name.to_owned(), block: Box::new(|runs| engine.block(runs)) })
            .collect();
        let mut series = interleave(&mut runners, &Plan::new(Duration::from_secs_f64(seconds)), |_| {});
        let (Some(quantized), Some(float)) = (series.pop(), series.pop()) else { return Ok(None) };
        let (quantized, float) = (quantized?, float?);
        Ok(ratio(&quantized, &float).map(|share| Times {
            float_ms: float.latency_ms.p50,
            quantized_ms: quantized.latency_ms.p50,
            share,
        }))
    }
}
