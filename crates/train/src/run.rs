//! A whole training, from the configuration to the files that it leaves.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use artifact::interrupt::{self, Interrupted};
use artifact::{FileError, claim};
use cli::train::RunArgs;
use serde::Serialize;

use crate::TrainError;
use crate::checkpoint::{self, CheckpointError, Identity};
use crate::outputs::{self, CHECKPOINT_FILE, DataHashes, MODEL_FILE, Results, Saved};
use crate::ranks::{Ranks, Wishes};
use crate::report::Report;
use crate::training::{Evaluation, State, StateOf, Trainer, Training};

/// How long a training that was just killed may hold its folder.
const JUST_ENDED: Duration = Duration::from_secs(3);

/// How a training is run. None of it changes the weights.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the results go, or `None` to keep nothing: then there are no checkpoints either.
    pub out: Option<PathBuf>,
    /// Whether files of the same names that no training left may be replaced.
    pub force: bool,
    /// Whether to continue from the checkpoint in `out`, if there is one.
    pub resume: Resume,
    /// Steps between two reports of the loss.
    pub log_interval: usize,
    /// Time between two checkpoints. There is one after each epoch in any case.
    pub checkpoint_interval: Duration,
    /// The code's revision, for the record.
    pub revision: Option<String>,
}

/// What to do about the checkpoint of an interrupted training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Start anew.
    No,
    /// Continue from it; that it is damaged or of another run is an error, and so are the results of a finished one.
    Required,
    /// Continue from it if it is intact and of the same run, start anew otherwise.
    IfSame,
}

/// How a training ended.
#[derive(Debug)]
pub struct Outcome<T: Training> {
    /// The trained network with its history.
    pub state: StateOf<T>,
    /// What was written.
    pub saved: Option<Saved>,
}

/// Trains, reports on the way, and writes the results.
///
/// A checkpoint in the folder is removed when the results are there. There is one if the training ends early because somebody
/// interrupts it or nobody reads its report.
///
/// # Errors
/// When files cannot be read or written, when another training works in the same folder, when the loss diverges, or as just said.
pub fn run<T: Results>(training: T, data: DataHashes, options: &Options) -> Result<Outcome<T>, TrainError> {
    let identity = &Identity { config: training.config().clone(), data };
    let first = training.ranks().is_none_or(|ranks| ranks.is_first());
    let out = options.out.as_deref();
    // Of processes that share a training the first one alone touches the files.
    let folder = out.filter(|_| first).map(|path| Folder::open::<T>(path, options.force)).transpose()?;
    if let Some(ranks) = training.ranks() {
        agree_on(identity, ranks)?;
    }
    let report = if first { Report::new(&training) } else { Report::silent() };
    let saved = match out {
        Some(out) => resume(out, folder.as_ref(), identity, &training, options.resume, &report)?,
        None => None,
    };
    let mut trainer = Trainer::new(training);
    let mut state = saved.map_or_else(|| trainer.initial(), Ok)?;
    report.start(&state.progress);

    let mut last_saved = Instant::now();
    let stopped = loop {
        if state.progress.epoch == trainer.training().epochs() {
            break None;
        }
        if trainer.training().ranks().is_none() && interrupt::asked() {
            break Some(TrainError::Interrupted(Interrupted));
        }
        let told = if state.progress.step < trainer.training().steps() {
            let logged = state.progress.step.is_multiple_of(options.log_interval);
            state = trainer.step(state)?;
            let loss = if logged { trainer.read_losses(&mut state)? } else { None };
            report.step(&state.progress, loss)
        } else {
            match trainer.finish_epoch(&mut state, &|share| report.judged(share)) {
                Err(interrupted @ TrainError::Interrupted(_)) => break Some(interrupted),
                finished => finished?,
            }
            state.progress.epochs.last().map_or(Ok(()), |epoch| report.epoch(&epoch.test.told()))
        };
        let epoch_ended = state.progress.step == 0;
        let due = folder.is_some() && (epoch_ended || last_saved.elapsed() >= options.checkpoint_interval);
        let mut wishes = Wishes { stop: told.is_err(), save: due };
        if let Some(ranks) = trainer.training().ranks() {
            wishes = ranks.agree(Wishes { stop: wishes.stop || interrupt::asked(), ..wishes });
        }
        if wishes.stop {
            break Some(told.map_or_else(TrainError::from, |()| TrainError::Interrupted(Interrupted)));
        }
        if wishes.save {
            trainer.read_losses(&mut state)?;
            save(folder.as_ref(), identity, trainer.training(), &state)?;
            last_saved = Instant::now();
        }
    };
    report.finish();
    if let Some(reason) = stopped {
        if out.is_some() {
            trainer.read_losses(&mut state)?;
            save(folder.as_ref(), identity, trainer.training(), &state)?;
        }
        return Err(reason);
    }

    let saved = match &folder {
        Some(folder) => {
            let revision = options.revision.as_deref();
            let saved = outputs::write(&folder.path, identity, revision, trainer.training(), &state)?;
            let checkpoint = folder.checkpoint();
            fs::remove_file(&checkpoint).map_err(FileError::new("remove", checkpoint))?;
            Some(saved)
        }
        None => None,
    };
    Ok(Outcome { state, saved })
}

/// Processes that share a training do the same one.
fn agree_on<C: Serialize>(identity: &Identity<C>, ranks: Ranks<'_>) -> Result<(), TrainError> {
    let own = serde_json::to_vec(identity).unwrap_or_default();
    match ranks.broadcast(own.clone()) == own {
        true => Ok(()),
        false => Err(TrainError::OtherRank { rank: ranks.rank() }),
    }
}

/// The state that an interrupted training left in `out`, if it is to be continued and there is one.
fn resume<T: Results>(
    out: &Path,
    folder: Option<&Folder>,
    identity: &Identity<T::Config>,
    training: &T,
    resume: Resume,
    report: &Report,
) -> Result<Option<StateOf<T>>, TrainError> {
    if resume == Resume::No {
        return Ok(None);
    }
    let path = out.join(CHECKPOINT_FILE);
    let mut bytes = folder.map_or(Ok(None), |folder| checkpoint::read(&folder.checkpoint()))?.unwrap_or_default();
    if let Some(ranks) = training.ranks() {
        bytes = ranks.broadcast(bytes);
    }
    let saved = match bytes.is_empty() {
        true => Ok(None),
        false => load(&path, &bytes, identity, training).map(Some),
    };
    let saved = match saved {
        Err(CheckpointError::OtherRun { .. } | CheckpointError::Malformed { .. }) if resume == Resume::IfSame => None,
        result => result?,
    };
    if let (None, Some(folder), Resume::Required) = (&saved, folder, resume) {
        match folder.is_finished() {
            true => return Err(TrainError::Finished { folder: folder.path.clone() }),
            false => report.nothing_to_resume(&folder.path),
        }
    }
    Ok(saved)
}

fn load<T: Training>(
    path: &Path,
    bytes: &[u8],
    identity: &Identity<T::Config>,
    training: &T,
) -> Result<StateOf<T>, CheckpointError> {
    let (progress, tensors) = checkpoint::parse(path, bytes, identity)?;
    match training.restore(tensors) {
        Ok(model) => Ok(State { model, progress }),
        Err(reason) => Err(CheckpointError::Malformed { path: path.to_owned(), reason }),
    }
}

/// Writes a checkpoint, if this process does that; the others have a share in what it holds.
fn save<T: Training>(
    folder: Option<&Folder>,
    identity: &Identity<T::Config>,
    training: &T,
    state: &StateOf<T>,
) -> Result<(), CheckpointError> {
    let tensors = training.tensors(&state.model);
    folder.map_or(Ok(()), |folder| checkpoint::save(&folder.checkpoint(), identity, &state.progress, &tensors))
}

/// A folder for results, held by one training at a time.
struct Folder {
    path: PathBuf,
    /// Released by the operating system when the process ends, however it ends.
    _claim: File,
}

impl Folder {
    fn open<T: Results>(path: &Path, force: bool) -> Result<Self, TrainError> {
        fs::create_dir_all(path).map_err(FileError::new("create", path))?;
        let busy = || TrainError::Busy { folder: path.to_owned() };
        let claim = claim(path, JUST_ENDED)?.ok_or_else(busy)?;
        outputs::check::<T>(path, force)?;
        // A training that was killed while it wrote a file may have left a part of it.
        for file in T::files() {
            artifact::sweep(path.join(file));
        }
        Ok(Self { path: path.to_owned(), _claim: claim })
    }

    fn is_finished(&self) -> bool {
        self.path.join(MODEL_FILE).exists()
    }

    fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT_FILE)
    }
}

impl Options {
    /// As the user says, with results in `out`.
    pub fn of(arguments: &RunArgs, out: &PathBuf) -> Self {
        Self {
            out: arguments.kept(out).cloned(),
            force: arguments.force,
            resume: match (arguments.resume, arguments.in_pipeline) {
                (true, _) => Resume::Required,
                (_, true) => Resume::IfSame,
                _ => Resume::No,
            },
            log_interval: arguments.log_interval,
            checkpoint_interval: Duration::from_secs(arguments.checkpoint_interval),
            revision: arguments.revision.clone(),
        }
    }
}
