//! The files that a finished run leaves.
//!
//! | file | content | same bytes for the same run |
//! |---|---|---|
//! | `model.safetensors` | the weights under PyTorch's names and in its layouts | yes |
//! | `metrics.jsonl` | a line an epoch: losses, accuracy, learning rate | yes |
//! | `config.json` | the configuration, hashes of the data and the weights, the code's revision | yes |
//! | `timings.jsonl` | a line an epoch: seconds, images per second | no |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::{Digest, FileError, OutputError, Outputs, sha256_bytes, write_atomic};
use models::digits::{MEAN, STANDARD_DEVIATION};
use models::mnist_cnn::MnistCnn;
use models::weights::{identity_name, state_dict, to_safetensors};
use serde::Serialize;
use serde_json::Value;

use crate::TrainError;
use crate::checkpoint::{self, Identity};
use crate::training::{Epoch, State};

/// The weights.
pub const MODEL_FILE: &str = "model.safetensors";
/// What each epoch came to.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// How long each epoch took.
pub const TIMINGS_FILE: &str = "timings.jsonl";
/// What the run was.
pub const CONFIG_FILE: &str = "config.json";
/// A run that is not finished; gone afterwards.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// Every file that a training writes.
pub const FILES: [&str; 5] = [MODEL_FILE, METRICS_FILE, TIMINGS_FILE, CONFIG_FILE, CHECKPOINT_FILE];

/// The SHA-256 of what each data file holds, unpacked, by its name.
pub type DataHashes = BTreeMap<String, Digest>;

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
pub fn write(folder: &Path, identity: &Identity, revision: Option<&str>, state: &State) -> Result<Saved, TrainError> {
    let weights = weights(&state.result())?;
    let digest = sha256_bytes(&weights);
    let config = ConfigFile {
        training: identity,
        normalization: Normalization { mean: MEAN, standard_deviation: STANDARD_DEVIATION },
        revision,
        weights: Weights { file: MODEL_FILE, sha256: digest },
    };
    let config = serde_json::to_string_pretty(&config).map_err(unwritten(folder, CONFIG_FILE))? + "\n";
    let epochs = &state.progress.epochs;
    write_atomic(folder.join(METRICS_FILE), json_lines(folder, METRICS_FILE, epochs, Metrics::of)?)?;
    write_atomic(folder.join(TIMINGS_FILE), json_lines(folder, TIMINGS_FILE, epochs, Timing::of)?)?;
    write_atomic(folder.join(CONFIG_FILE), config)?;
    let model = folder.join(MODEL_FILE);
    write_atomic(&model, weights)?;
    Ok(Saved { model, digest })
}

/// Refuses a folder in which a result would take the place of a file that no training left: a model.safetensors or a
/// config.json of something else. Whose a folder is, its config.json or its checkpoint says.
///
/// # Errors
/// When there is such a file, and it is not to be replaced by `force`.
pub fn check(folder: &Path, force: bool) -> Result<(), OutputError> {
    let ours = is_config(&folder.join(CONFIG_FILE)) || checkpoint::is_checkpoint(&folder.join(CHECKPOINT_FILE));
    let outputs = Outputs::default().force(force);
    FILES.iter().try_for_each(|name| outputs.neighbour(&folder.join(name), |_| ours))
}

/// Whether this is the configuration of a training's results.
fn is_config(path: &Path) -> bool {
    let value = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let text = |pointer: &str| value.as_ref()?.pointer(pointer)?.as_str();
    text("/weights/file") == Some(MODEL_FILE)
        && text("/weights/sha256").is_some_and(|text| text.parse::<Digest>().is_ok())
}

/// The weights as the bytes of a safetensors file.
///
/// # Errors
/// When they are not float32.
pub fn weights(network: &MnistCnn) -> Result<Vec<u8>, TrainError> {
    Ok(to_safetensors(&state_dict(network, identity_name))?)
}

#[derive(Serialize)]
struct ConfigFile<'a> {
    #[serde(flatten)]
    training: &'a Identity,
    normalization: Normalization,
    revision: Option<&'a str>,
    weights: Weights,
}

#[derive(Serialize)]
struct Normalization {
    mean: f32,
    standard_deviation: f32,
}

#[derive(Serialize)]
struct Weights {
    file: &'static str,
    sha256: Digest,
}

/// A line of the metrics.
#[derive(Serialize)]
struct Metrics {
    epoch: usize,
    learning_rate: f64,
    train_loss: f64,
    test_loss: f64,
    test_correct: usize,
    test_total: usize,
    test_accuracy: f64,
}

impl Metrics {
    fn of(epoch: usize, result: &Epoch) -> Self {
        Self {
            epoch,
            learning_rate: result.learning_rate,
            train_loss: result.train_loss,
            test_loss: result.test.loss,
            test_correct: result.test.correct,
            test_total: result.test.total,
            test_accuracy: result.test.accuracy(),
        }
    }
}

/// A line of the timings.
#[derive(Serialize)]
struct Timing {
    epoch: usize,
    seconds: f64,
    images_per_second: f64,
}

impl Timing {
    fn of(epoch: usize, result: &Epoch) -> Self {
        Self { epoch, seconds: result.seconds, images_per_second: result.images as f64 / result.seconds }
    }
}

fn json_lines<T: Serialize>(
    folder: &Path,
    file: &str,
    epochs: &[Epoch],
    line: impl Fn(usize, &Epoch) -> T,
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
