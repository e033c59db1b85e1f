//! The worker's side.

use std::any::Any;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::engine::EngineError;
use crate::identity::identify;
use crate::memory::confine;
use crate::provider::Provider;
use crate::runtime::one_line;
use crate::session::{SessionOptions, built_in, try_provider};
use crate::tensor::NamedTensor;
use crate::usage::Usage;
use crate::worker::{
    Answer, EngineSpec, Loaded, MEMORY_OPTION, Opened, Probe, ProbedProvider, Request, WORKER_COMMAND, describe,
    load_library, open_ort, wire,
};

/// What opens an engine that is no session of ONNX Runtime. It may set the process up for that engine.
pub type Open = dyn Fn(&EngineSpec) -> Result<Opened, EngineError>;

/// The whole of a program that is a worker for engines of its own, and nothing else.
pub fn program(open: &Open) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let memory = match arguments.as_slice() {
        [command] if command == WORKER_COMMAND => Ok(None),
        [command, memory] if command == WORKER_COMMAND => {
            let bytes = memory.strip_prefix(MEMORY_OPTION).and_then(|rest| rest.strip_prefix('='));
            bytes.and_then(|bytes| bytes.parse().ok()).map(Some).ok_or(())
        }
        _ => Err(()),
    };
    let Ok(memory) = memory else {
        eprintln!(
            "error: this program runs an engine for other programs of its workspace, which start it by themselves"
        );
        return ExitCode::FAILURE;
    };
    match serve(memory, open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers requests until there are no more. For the start of a program. `memory` bounds what it may hold, in bytes; `open`
/// opens what is not a session of ONNX Runtime.
///
/// # Errors
/// When the other side is gone.
pub fn serve(memory: Option<u64>, open: &Open) -> io::Result<()> {
    memory.map(confine).transpose()?;
    let mut output = BufWriter::new(claim_output()?);
    let mut input = BufReader::new(io::stdin().lock());
    let mut state = State::default();
    while let Some((request, tensors)) = wire::receive(&mut input)? {
        let answered = catch_unwind(AssertUnwindSafe(|| state.answer(request, tensors, open)));
        let (answer, outputs) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => (Answer::Failed(terminal::failure::sentence(&error)), Vec::new()),
            Err(panic) => {
                // What it left behind is not trusted any more.
                state = State::default();
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
                // The time is that of loading, not of hashing.
                if let EngineSpec::Ort { library, .. } = &spec {
                    identify(library)?;
                }
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
    Ok(Probe { library: describe(&runtime), providers })
}
