//! The files that a finished run leaves.
//!
//! | file | content | same bytes for the same run |
//! |---|---|---|
//! | `model.safetensors`, and others beside it | the network ([`Results`]) | yes |
//! | `metrics.jsonl` | a line an epoch: losses, learning rate, what was found | yes |
//! | the record ([`Results::RECORD`]) | the configuration, hashes of the data and the weights, the code's revision | yes |
//! | `timings.jsonl` | a line an epoch: seconds, items per second | no |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use artifact::{Digest, FileError, OutputError, Outputs, sha256_bytes, write_atomic};
use serde::Serialize;
use serde_json::{Value, json};

use crate::TrainError;
use crate::checkpoint::{self, Identity};
use crate::training::{Epoch, Evaluation, StateOf, Training};

/// The weights.
pub const MODEL_FILE: &str = "model.safetensors";
/// What each epoch came to.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// How long each epoch took.
pub const TIMINGS_FILE: &str = "timings.jsonl";
/// A run that is not finished; gone afterwards.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// The SHA-256 of what each data file holds, unpacked, by its name.
pub type DataHashes = BTreeMap<String, Digest>;

/// What is kept of a training.
pub trait Results: Training {
    /// The file that says what the run was.
    const RECORD: &'static str;
    /// The files of the network beside its weights and the record.
    const BESIDE: &'static [&'static str];

    /// The weights as the bytes of a safetensors file.
    ///
    /// # Errors
    /// When they are not float32.
    fn weights(&self, model: &Self::Model) -> Result<Vec<u8>, TrainError>;
    /// The files of [`BESIDE`](Self::BESIDE) that this network has.
    ///
    /// # Errors
    /// When one cannot be made.
    fn beside(&self) -> Result<Vec<(&'static str, Vec<u8>)>, TrainError>;
    /// What the record says of the inputs beside the configuration.
    fn about(&self) -> Value;

    /// Every file that such a training writes.
    fn files() -> impl Iterator<Item = &'static str> {
        [MODEL_FILE, METRICS_FILE, TIMINGS_FILE, CHECKPOINT_FILE, Self::RECORD]
            .into_iter()
            .chain(Self::BESIDE.iter().copied())
    }
}

/// What [`write()`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The weights.
    pub model: PathBuf,
    /// Their SHA-256.
    pub digest: Digest,
}

/// Writes all files into `folder`, each in one step and the weights last.
///
/// # Errors
/// When one cannot be written; the weights of an earlier run are then still there.
pub fn write<T: Results>(
    folder: &Path,
    identity: &Identity<T::Config>,
    revision: Option<&str>,
    training: &T,
    state: &StateOf<T>,
) -> Result<Saved, TrainError> {
    let weights = training.weights(&state.model)?;
    let digest = sha256_bytes(&weights);
    let record = Record {
        training: identity,
        about: training.about(),
        revision,
        weights: Weights { file: MODEL_FILE, sha256: digest },
    };
    let record = serde_json::to_string_pretty(&record).map_err(unwritten(folder, T::RECORD))? + "\n";
    let epochs = &state.progress.epochs;
    write_atomic(folder.join(METRICS_FILE), json_lines(folder, METRICS_FILE, epochs, metrics)?)?;
    write_atomic(folder.join(TIMINGS_FILE), json_lines(folder, TIMINGS_FILE, epochs, timing::<T>)?)?;
    for (name, bytes) in training.beside()? {
        write_atomic(folder.join(name), bytes)?;
    }
    write_atomic(folder.join(T::RECORD), record)?;
    let model = folder.join(MODEL_FILE);
    write_atomic(&model, weights)?;
    Ok(Saved { model, digest })
}

/// Refuses a folder in which a result would take the place of a file that no training left: a model.safetensors or a
/// config.json of something else. Whose a folder is, its record or its checkpoint says.
///
/// # Errors
/// When there is such a file, and it is not to be replaced by `force`.
pub fn check<T: Results>(folder: &Path, force: bool) -> Result<(), OutputError> {
    let ours = is_record(&folder.join(T::RECORD)) || checkpoint::is_checkpoint(&folder.join(CHECKPOINT_FILE));
    let outputs = Outputs::default().force(force);
    T::files().try_for_each(|name| outputs.neighbour(&folder.join(name), |_| ours))
}

/// Whether this is the record of a training's results.
fn is_record(path: &Path) -> bool {
    let value = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let text = |pointer: &str| value.as_ref()?.pointer(pointer)?.as_str();
    text("/weights/file") == Some(MODEL_FILE)
        && text("/weights/sha256").is_some_and(|text| text.parse::<Digest>().is_ok())
}

#[derive(Serialize)]
struct Record<'a, C> {
    #[serde(flatten)]
    training: &'a Identity<C>,
    #[serde(flatten)]
    about: Value,
    revision: Option<&'a str>,
    weights: Weights,
}

#[derive(Serialize)]
struct Weights {
    file: &'static str,
    sha256: Digest,
}

/// A line of the metrics.
#[derive(Serialize)]
struct Metrics<'a, M> {
    epoch: usize,
    learning_rate: f64,
    train_loss: f64,
    #[serde(flatten)]
    found: M,
    losses: &'a [f64],
}

fn metrics<E: Evaluation>(epoch: usize, result: &Epoch<E>) -> impl Serialize {
    Metrics {
        epoch,
        learning_rate: result.learning_rate,
        train_loss: result.train_loss,
        found: result.test.metrics(),
        losses: &result.losses,
    }
}

/// A line of the timings.
fn timing<T: Training>(epoch: usize, result: &Epoch<T::Evaluation>) -> Value {
    let speed = result.items as f64 / result.seconds;
    json!({ "epoch": epoch, "seconds": result.seconds, format!("{}_per_second", T::ITEMS): speed })
}

fn json_lines<'a, E, T: Serialize>(
    folder: &Path,
    file: &str,
    epochs: &'a [Epoch<E>],
    line: impl Fn(usize, &'a Epoch<E>) -> T,
) -> Result<String, FileError> {
    let mut text = String::new();
    for (number, epoch) in (1..).zip(epochs) {
        text += &serde_json::to_string(&line(number, epoch)).map_err(unwritten(folder, file))?;
        text.push('\n');
    }
    Ok(text)
}

fn unwritten(folder: &Path, file: &str) -> impl FnOnce(serde_json::Error) -> FileError {
    let path = folder.join(file);
    move |error| FileError::new("write", path)(error.into())
}
