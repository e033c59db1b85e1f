//! The worker's side.

use std::any::Any;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use onnx_model::{Survey, SurveyError};

use crate::engine::EngineError;
use crate::identity::identify;
use crate::memory::bound;
use crate::provider::Provider;
use crate::runtime::one_line;
use crate::session::{SessionOptions, built_in, try_provider};
use crate::tensor::NamedTensor;
use crate::usage::Usage;
use crate::worker::sandbox::Sandbox;
use crate::worker::{
    Answer, EngineSpec, Loaded, MEMORY_OPTION, NO_SANDBOX_OPTION, Opened, Probe, ProbedProvider, Request,
    WORKER_COMMAND, describe, load_library, open_ort, wire,
};

/// What opens an engine that is no session of ONNX Runtime. It may set the process up for that engine.
pub type Open = dyn Fn(&EngineSpec) -> Result<Opened, EngineError>;

/// What a worker may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// What it may hold, in bytes; `None` for as much as there is.
    pub memory: Option<u64>,
    /// Whether it gives up all that its engine does not need.
    pub sandbox: bool,
}

impl Rights {
    /// From the words behind [`WORKER_COMMAND`]; `None` for others than [`Launcher`](super::remote::Launcher) gives.
    fn read(words: impl Iterator<Item = String>) -> Option<Self> {
        let mut rights = Self { memory: None, sandbox: true };
        for word in words {
            match word.split_once('=') {
                Some((MEMORY_OPTION, bytes)) => rights.memory = Some(bytes.parse().ok()?),
                None if word == NO_SANDBOX_OPTION => rights.sandbox = false,
                _ => return None,
            }
        }
        Some(rights)
    }
}

/// The whole of a program that is a worker for engines of its own, and nothing else.
pub fn program(open: &Open) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let is_worker = arguments.next().is_some_and(|command| command == WORKER_COMMAND);
    let Some(rights) = is_worker.then(|| Rights::read(arguments)).flatten() else {
        eprintln!(
            "error: this program runs an engine for other programs of its workspace, which start it by themselves"
        );
        return ExitCode::FAILURE;
    };
    match serve(rights, open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers requests until there are no more. For the start of a program, which has one thread. `open` opens what is not a session of
/// ONNX Runtime.
///
/// # Errors
/// When the other side is gone.
pub fn serve(rights: Rights, open: &Open) -> io::Result<()> {
    rights.memory.map(bound).transpose()?;
    let mut output = BufWriter::new(claim_output()?);
    let mut input = BufReader::new(io::stdin().lock());
    let mut state = State { wanted: rights.sandbox, ..State::default() };
    while let Some((request, tensors)) = wire::receive(&mut input)? {
        let answered = catch_unwind(AssertUnwindSafe(|| state.answer(request, tensors, open)));
        let (answer, outputs) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => (Answer::Failed(terminal::failure::sentence(&error)), Vec::new()),
            Err(panic) => {
                // What it left behind is not trusted any more.
                state = State { wanted: rights.sandbox, ..State::default() };
                (Answer::Failed(format!("it panicked: {}", words(panic.as_ref()))), Vec::new())
            }
        };
        wire::send(&mut output, &answer, &outputs)?;
    }
    Ok(())
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(|| "without a word".to_owned(), one_line)
}

/// Takes standard output for the answers alone: what a library prints goes to standard error from now on.
fn claim_output() -> io::Result<File> {
    // SAFETY: both descriptors are open from the start of the program; no other thread runs yet that could close them.
    let (copy, redirected) =
        unsafe { (libc::dup(libc::STDOUT_FILENO), libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO)) };
    if copy < 0 || redirected < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `copy` was just made, and nothing else knows of it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(copy) }))
}

#[derive(Default)]
struct State {
    engine: Option<Opened>,
    prepared: Vec<NamedTensor>,
    /// Whether to be confined.
    wanted: bool,
}

impl State {
    fn answer(
        &mut self,
        request: Request,
        tensors: Vec<NamedTensor>,
        open: &Open,
    ) -> Result<(Answer, Vec<NamedTensor>), EngineError> {
        let alone = |answer: Answer| Ok((answer, Vec::new()));
        match request {
            Request::Load(spec) => {
                // Its manifest lies elsewhere than what the worker may read later. Hashing is not loading, and not in its time.
                if let EngineSpec::Ort { library, .. } = &spec {
                    identify(library)?;
                }
                let sandbox = Sandbox::enter(&spec, self.wanted);
                look_over(&spec)?;
                let start = Instant::now();
                let opened = match &spec {
                    EngineSpec::Ort { library, model, options } => open_ort(library, model, options)?,
                    EngineSpec::Tract { .. } | EngineSpec::Framework(_) => open(&spec)?,
                };
                let load_ms = start.elapsed().as_secs_f64() * 1e3;
                let loaded = Loaded {
                    name: opened.engine.name().to_owned(),
                    signature: opened.engine.signature().clone(),
                    library: Some(opened.origin.describe()?),
                    metadata: opened.metadata.clone(),
                    load_ms,
                    sandbox,
                };
                self.engine = Some(opened);
                alone(Answer::Loaded(loaded))
            }
            Request::Run => Ok((Answer::Outputs, self.engine()?.engine.run(&tensors)?)),
            Request::Placement => alone(Answer::Placement(self.engine()?.engine.placement(&tensors)?)),
            Request::Prepare => {
                self.prepared = tensors;
                alone(Answer::Prepared)
            }
            Request::Block(runs) => {
                let prepared = std::mem::take(&mut self.prepared);
                let times = self.engine().and_then(|opened| block(opened, &prepared, runs));
                self.prepared = prepared;
                alone(Answer::Block(times?))
            }
            Request::Usage => alone(Answer::Usage(Usage::of_this_process())),
            Request::Probe(library) => alone(Answer::Probed(probe(&library)?)),
        }
    }

    fn engine(&mut self) -> Result<&mut Opened, EngineError> {
        self.engine.as_mut().ok_or_else(|| EngineError::Run {
            engine: "the worker".to_owned(),
            reason: "it was asked to run before an engine was loaded".to_owned(),
        })
    }
}

/// Looks at a model before any runtime does. One that leads out of its folder, or is not sound, is not opened.
fn look_over(spec: &EngineSpec) -> Result<(), EngineError> {
    let (EngineSpec::Ort { model, .. } | EngineSpec::Tract { model }) = spec else { return Ok(()) };
    match Survey::of(model) {
        Ok(_) => Ok(()),
        Err(SurveyError::File(error)) => Err(error.into()),
        Err(error) => {
            let reason = terminal::failure::sentence(&error);
            Err(EngineError::Load { engine: spec.engine_name(), path: model.clone(), reason })
        }
    }
}

fn block(opened: &mut Opened, inputs: &[NamedTensor], runs: usize) -> Result<Vec<f64>, EngineError> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let outputs = opened.engine.run(inputs)?;
        times.push(start.elapsed().as_secs_f64());
        drop(outputs);
    }
    Ok(times)
}

fn probe(path: &Path) -> Result<Probe, EngineError> {
    let runtime = load_library(path)?;
    let mut providers = Vec::new();
    for name in built_in(&runtime)? {
        let Ok(provider) = Provider::try_from(name) else { continue };
        let options = SessionOptions { provider: provider.clone(), ..SessionOptions::default() };
        let failure = try_provider(&runtime, &options).err().map(|error| terminal::failure::sentence(&error));
        providers.push(ProbedProvider { provider, failure });
    }
    // Nothing of a stranger's was opened, and this thread does nothing more.
    let confinement = confine::confine(&confine::Needs::default());
    Ok(Probe { library: describe(&runtime), providers, confinement })
}
