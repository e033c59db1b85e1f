//! The evaluation of a network of this workspace: every engine beside Burn.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use artifact::FileError;
use catalogue::Card;
use engines::engine::EngineError;
use engines::engine_name::{EngineName, Framework};
use engines::fingerprint::Fingerprint;
use engines::libraries::Libraries;
use engines::signature::require;
use engines::tensor::ElementType;
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use evaluation::contender::Contender;
use evaluation::history::history;
use evaluation::line_up::{LineUp, expect};
use evaluation::measure::Measure;
use evaluation::measured::RunRecord;
use evaluation::report::{Report, reports};
use evaluation::search::Bisection;
use evaluation::starter::{Starter, size_hint, trust};
use evaluation::task::{Task, ask_all};
use models::weights::Checkpoint;
use terminal::progress::Progress;

use crate::network::Network;

/// What is evaluated, and how.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The network.
    pub card: &'a Card,
    /// Its ONNX file.
    pub model: &'a Path,
    /// The weights that the file was made from: a file, or a Hugging Face folder.
    pub weights: &'a Path,
    /// The folder with the network's configuration, where it does not lie with the weights.
    pub configuration: Option<PathBuf>,
    /// Other files that the result depends on, by their roles; those that are not there are left out.
    pub files: Vec<(&'static str, PathBuf)>,
    /// How it is measured.
    pub measure: &'a Measure,
    /// What starts workers.
    pub launcher: &'a Launcher,
    /// The command that repeats it.
    pub command: String,
}

impl Request<'_> {
    /// The folder with the network's configuration, if it has one.
    pub fn folder(&self) -> Option<PathBuf> {
        self.configuration.clone().or_else(|| folder(self.card, self.weights))
    }

    /// The network in a framework.
    fn framework(&self, framework: Framework, seed: Option<u64>, exact: bool) -> EngineSpec {
        EngineSpec::Framework(FrameworkSpec {
            framework,
            network: self.card.name.to_owned(),
            weights: seed.map_or_else(|| Weights::At(self.weights.to_owned()), Weights::Random),
            folder: self.folder(),
            threads: self.measure.threads,
            exact,
        })
    }
}

/// The folder with a network's configuration, beside its weights; `None` for a network of one shape.
pub fn folder(card: &Card, weights: &Path) -> Option<PathBuf> {
    let folder = if weights.is_file() { weights.parent().unwrap_or(Path::new("")) } else { weights };
    card.has_folder().then(|| folder.to_owned())
}

/// Compares every engine with Burn in float64 and item by item, and times them.
///
/// # Errors
/// When the file or the weights cannot be used, or Burn fails. That Burn's process is gone costs what it would have told alone.
pub fn evaluate<N: Network, T: Task>(request: &Request<'_>, task: &T) -> Result<Report> {
    let Request { card, model, measure, launcher, .. } = *request;
    let config = N::config(request.folder().as_deref(), Some(request.weights).filter(|path| path.exists()))?;
    let sample = task.timed(1)?;
    let elements = |batch: usize| -> Vec<(ElementType, usize)> {
        let of = |input: &engines::tensor::NamedTensor| {
            let elements = input.tensor.elements();
            (elements.element_type(), batch.saturating_mul(elements.len()))
        };
        sample.iter().map(of).collect()
    };
    let (batches, mut undone) = measure.batches(card.batches, elements);
    std::fs::File::open(model)
        .map_err(FileError::new("open", model))
        .with_context(|| format!("no usable model (`{}` makes it)", card.command("export")))?;
    let libraries = RefCell::new(Libraries::find(&measure.datasets, launcher.clone())?);
    let starter = Starter { launcher, libraries: &libraries, model, measure };
    let signature = N::signature(&config);
    let check = |engine: &RemoteEngine| require(engine, model, &signature, N::WHAT);
    // Frameworks come last: only the file knows whether its weights are random.
    let asked = measure.engines.iter().filter(|engine| **engine != EngineName::Burn).cloned();
    let (frameworks, mut names): (Vec<_>, Vec<_>) = asked.partition(|engine| *engine == EngineName::Candle);
    let mut candidates: Vec<Contender> = names.iter().map(|engine| starter.start(engine, check)).collect();
    let seed = candidates.iter().find_map(random_seed);
    // What cannot be loaded is an error; a process that is gone costs what it would have told.
    let burn = |exact| match launcher.engine(&request.framework(Framework::Burn, seed, exact)) {
        started @ (Ok(_) | Err(EngineError::Gone { .. })) => Ok(started),
        Err(error) => Err(error).with_context(|| format!("no usable weights for Burn ({})", card.ways_to_weights())),
    };
    let mut reference = Contender::new("burn", None, burn(false)?);
    if frameworks.is_empty() && candidates.iter().all(|candidate| candidate.engine().is_none()) {
        // Without any engine there is nothing to report.
        reference.required()?;
    }
    reference.start(&sample);
    // The network in float64 takes twice the memory, and is gone before other frameworks take theirs.
    let expected = match reference.engine() {
        Some(_) => {
            let cases = N::cases(&config)?.into_iter().chain(task.cases()?).collect();
            expect(&mut reference, burn(true)?, cases, &mut undone)?
        }
        None => None,
    };
    for framework in frameworks {
        candidates.push(match card.has_folder() {
            true => {
                let spec = request.framework(Framework::Candle, seed, false);
                Contender::new(&framework.to_string(), None, launcher.engine(&spec))
            }
            false => starter.start(&framework, check),
        });
        names.push(framework);
    }
    let mut line_up = LineUp { reference, candidates };
    let weights = weight_file(request.weights);
    let mut files = vec![("model", model), ("weights", weights.as_path())];
    files.extend(request.files.iter().map(|(role, path)| (*role, path.as_path())));
    files.retain(|(_, path)| path.is_file());
    let fingerprint = Fingerprint::take(&files)?;

    line_up.candidates.iter_mut().for_each(|candidate| candidate.start(&sample));
    // What a candidate cannot answer does not keep it from being judged.
    let verifications = line_up.judge(expected.as_ref());
    let unproven = expected.as_ref().map(|expected| expected.unproven(false, usize::MAX)).unwrap_or_default();
    let progress = Progress::new(T::ITEMS);
    let asked = ask_all(&mut line_up, task, |share| progress.set(share))?;
    drop(progress);
    let (figures, predictions) = (asked.figures.clone(), asked.predictions.clone());
    let timing = line_up.time(&batches, Duration::from_secs_f64(measure.seconds), |size| task.timed(size))?;
    let scenarios = line_up.scenarios(&measure.scenarios, measure.seconds, &timing, |size| task.timed(size))?;
    line_up.finish();
    let mut notes = task.notes();
    notes.extend(other_weights(&line_up, &fingerprint));
    notes.extend(measure.notes());
    if let Some(expected) = expected.as_ref().filter(|_| measure.bisect) {
        let judged = Bisection {
            starter: &starter,
            names: &names,
            expected,
            verifications: &verifications,
            network: Some(card.name),
        };
        notes.extend(judged.bisect(&mut line_up.candidates, measure.against.as_deref()));
    }
    notes.extend(trust(line_up.everyone().iter().map(|one| &one.row)));
    notes.extend(size_hint(measure.session_per_size, line_up.candidates.iter().map(|candidate| &candidate.row)));
    let history = fingerprint.files.get("weights").map(|mark| history(&weights, &mark.sha256));
    let engines = reports(&mut line_up, verifications, asked);
    Ok(Report {
        head: RunRecord {
            network: card.name.to_owned(),
            passed: false,
            notes,
            undone,
            unproven,
            timing,
            scenarios,
            compared: None,
            settings: measure.settings(),
            fingerprint,
        },
        file: None,
        random_init: seed,
        items: T::ITEMS.to_owned(),
        reference: line_up.reference.row.engine.clone(),
        quantised: None,
        engines,
        figures,
        predictions,
        history: history.unwrap_or_default(),
        command: request.command.clone(),
    }
    .judged())
}

/// The file of weights, in a folder that has a single one.
fn weight_file(weights: &Path) -> PathBuf {
    match weights.is_dir() {
        true => {
            Checkpoint::open(weights).map_or_else(|_| weights.to_owned(), |checkpoint| checkpoint.path().to_owned())
        }
        false => weights.to_owned(),
    }
}

/// The seed of a model whose weights are random, by its own record.
fn random_seed(contender: &Contender) -> Option<u64> {
    let metadata = contender.engine()?.loaded().metadata.as_ref()?;
    metadata.entries.get("weights.random_init")?.parse().ok()
}

/// What is said where the file names other weights than those of Burn.
fn other_weights(line_up: &LineUp, fingerprint: &Fingerprint) -> Option<String> {
    let given = fingerprint.files.get("weights")?.sha256.to_string();
    let metadata = line_up.candidates.iter().find_map(|one| one.engine()?.loaded().metadata.as_ref())?;
    let exported = metadata.entries.get("weights.sha256")?;
    (*exported != given).then(|| "the model says that it was exported from other weights than these".to_owned())
}
