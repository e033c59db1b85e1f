//! The side that asks.

use std::ffi::OsString;
use std::io::{BufReader, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use artifact::interrupt::Temporary;
use artifact::process::end_with_this;
use tempfile::TempDir;

use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::fingerprint::Machine;
use crate::runtime::{TELEMETRY_VARIABLE, one_line};
use crate::tensor::NamedTensor;
use crate::usage::Usage;
use crate::worker::complaints::Complaints;
use crate::worker::pipe::PatientPipe;
use crate::worker::{
    Answer, EngineSpec, Loaded, MEMORY_OPTION, NO_SANDBOX_OPTION, Probe, Request, WORKER_COMMAND, surroundings, wire,
};

/// How workers are started.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program that can be a worker for ONNX Runtime and Burn. Those of other engines lie beside it.
    pub program: PathBuf,
    /// How long a worker may take to read a request and to answer it before it counts as hung.
    pub patience: Duration,
    /// The most memory that a worker may hold, in bytes; `None` for as much as there is.
    pub memory: Option<u64>,
    /// Whether workers give up all rights that their engines do not need, where the kernel can take them.
    pub sandbox: bool,
}

/// A worker process. It ends when this is dropped.
#[derive(Debug)]
pub struct Worker {
    name: String,
    child: Child,
    input: Option<BufWriter<PatientPipe>>,
    answers: Receiver<Received>,
    complaints: Option<Complaints>,
    patience: Duration,
    /// The only place where it may write: removed with it.
    _scratch: (TempDir, Temporary),
}

type Received = std::io::Result<Option<(Answer, Vec<NamedTensor>)>>;

/// An engine in a worker process.
#[derive(Debug)]
pub struct RemoteEngine {
    worker: Worker,
    loaded: Loaded,
    launcher: Launcher,
    spec: EngineSpec,
}

/// What a worker is called that is asked about a library.
pub const ASKED: &str = "the library";

/// The time from one look at a process that gives no answer to the next.
const LOOK: Duration = Duration::from_millis(100);

/// How long a process may take to end after its last answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long an engine may take for an answer, unless the user says otherwise: a large network takes minutes to load.
pub const PATIENCE: Duration = Duration::from_secs(600);

impl Launcher {
    /// This program, with ten minutes of patience and the memory that this machine has; workers are confined.
    ///
    /// # Errors
    /// When the system does not tell where this program is.
    pub fn this_program() -> std::io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            patience: PATIENCE,
            memory: Machine::this().memory,
            sandbox: true,
        })
    }

    /// Starts a worker for an engine and loads the network.
    ///
    /// # Errors
    /// When the worker cannot be started, crashes or hangs, or the engine cannot load the network.
    pub fn engine(&self, spec: &EngineSpec) -> Result<RemoteEngine, EngineError> {
        let memory = self.memory.filter(|_| !spec.reserves_addresses());
        let (name, program) = (spec.engine_name(), self.program_of(spec)?);
        let mut worker = self.start(&program, &name, spec.threads(), memory, surroundings::of_engine(spec))?;
        match worker.ask(&Request::Load(spec.clone()), &[])? {
            (Answer::Loaded(loaded), _) => {
                Ok(RemoteEngine { worker, loaded, launcher: self.clone(), spec: spec.clone() })
            }
            _ => Err(worker.confused()),
        }
    }

    /// Asks a worker what a library can do on this machine.
    ///
    /// # Errors
    /// When it cannot be loaded, or crashes.
    pub fn probe(&self, library: &Path) -> Result<Probe, EngineError> {
        let mut worker = self.start(&self.program, ASKED, 1, None, surroundings::of_library(library))?;
        match worker.ask(&Request::Probe(library.to_owned()), &[])? {
            (Answer::Probed(probe), _) => Ok(probe),
            _ => Err(worker.confused()),
        }
    }

    /// The program whose worker runs an engine.
    fn program_of(&self, spec: &EngineSpec) -> Result<PathBuf, EngineError> {
        let Some(name) = spec.program() else { return Ok(self.program.clone()) };
        let program = self.program.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        match program.is_file() {
            true => Ok(program),
            false => Err(EngineError::Worker {
                engine: spec.engine_name(),
                reason: format!("its program is not built (`cargo build --release --package {name}` builds it)"),
            }),
        }
    }

    fn start(
        &self,
        program: &Path,
        name: &str,
        threads: usize,
        memory: Option<u64>,
        surroundings: Vec<(&str, OsString)>,
    ) -> Result<Worker, EngineError> {
        let failed = |source: std::io::Error| EngineError::Worker {
            engine: name.to_owned(),
            reason: format!("its process cannot be started: {source}"),
        };
        let scratch = Temporary::make(tempfile::tempdir, TempDir::path).map_err(failed)?;
        let mut command = Command::new(program);
        let mut child = end_with_this(&mut command)
            .arg(WORKER_COMMAND)
            .args(memory.map(|bytes| format!("{MEMORY_OPTION}={bytes}")))
            .args((!self.sandbox).then_some(NO_SANDBOX_OPTION))
            .env("TMPDIR", scratch.0.path())
            .env(TELEMETRY_VARIABLE, "1")
            // The last line of what it prints is told; it is to be the reason, not a part of the stack.
            .env("RUST_BACKTRACE", "0")
            // oneDNN's threads are OpenMP's, which takes their number from here.
            .env("OMP_NUM_THREADS", threads.to_string())
            .envs(surroundings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (sender, answers) = channel();
        let output = child.stdout.take();
        std::thread::spawn(move || {
            let Some(output) = output else { return };
            let mut output = BufReader::new(output);
            loop {
                let received = wire::receive(&mut output);
                let last = !matches!(received, Ok(Some(_)));
                if sender.send(received).is_err() || last {
                    return;
                }
            }
        });
        let complaints = child.stderr.take().map(Complaints::of);
        let input = child.stdin.take().map(PatientPipe::new);
        let mut worker = Worker {
            name: name.to_owned(),
            child,
            input: None,
            answers,
            complaints,
            patience: self.patience,
            _scratch: scratch,
        };
        worker.input = input.transpose().map_err(failed)?.map(BufWriter::new);
        Ok(worker)
    }
}

impl Worker {
    fn ask(&mut self, request: &Request, tensors: &[NamedTensor]) -> Result<(Answer, Vec<NamedTensor>), EngineError> {
        // Later than any clock shows is as good as never.
        let until = Instant::now().checked_add(self.patience);
        let sent = match &mut self.input {
            Some(input) => {
                input.get_mut().wait_until(until);
                wire::send(input, request, tensors)
            }
            None => Err(ErrorKind::BrokenPipe.into()),
        };
        match sent {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(self.hung("did not read its inputs")),
            Err(_) => return Err(self.ended()),
        }
        match self.receive(until) {
            Ok(Ok(Some((Answer::Failed(reason), _)))) => Err(EngineError::Worker { engine: self.name.clone(), reason }),
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None) | Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
            Err(RecvTimeoutError::Timeout) => Err(self.hung("gave no answer")),
        }
    }

    /// The next answer. A process that has ended gives none, even if something that it started holds the pipe open.
    fn receive(&mut self, until: Option<Instant>) -> Result<Received, RecvTimeoutError> {
        loop {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()).min(LOOK));
            match self.answers.recv_timeout(left) {
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(RecvTimeoutError::Timeout),
                Err(RecvTimeoutError::Timeout) if !matches!(self.child.try_wait(), Ok(None)) => {
                    // What it said at last may be on its way still.
                    return self.answers.recv_timeout(LOOK).map_err(|_| RecvTimeoutError::Disconnected);
                }
                Err(RecvTimeoutError::Timeout) => {}
                received => return received,
            }
        }
    }

    /// Ends a worker that did not do `what` in time.
    fn hung(&mut self, what: &str) -> EngineError {
        self.end();
        let reason = format!("it {what} within {} s and was ended", self.patience.as_secs_f64());
        EngineError::Gone { engine: self.name.clone(), reason, hung: true }
    }

    /// Why there is no answer, from a worker that is gone, or answers what cannot be understood and has to go.
    fn ended(&mut self) -> EngineError {
        self.input = None;
        let status = self.wait_or_kill();
        let words = self.complaints.take().map(Complaints::last_words).unwrap_or_default();
        let telling = |line: &&str| !line.trim().is_empty() && !line.starts_with("note: ");
        let last = words.lines().rev().find(telling).map(one_line);
        let how = status.map_or_else(|error| error.to_string(), |status| ending(&status));
        EngineError::Gone {
            engine: self.name.clone(),
            reason: match last {
                Some(last) => format!("its process {how}: {last}"),
                None => format!("its process {how}"),
            },
            hung: false,
        }
    }

    /// Gives a process whose input is closed a moment to end by itself.
    fn wait_or_kill(&mut self) -> std::io::Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < FAREWELL {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill()?;
        self.child.wait()
    }

    fn confused(&self) -> EngineError {
        EngineError::Worker { engine: self.name.clone(), reason: "it answered another question".to_owned() }
    }

    fn end(&mut self) {
        self.input = None;
        // That it has ended by itself is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn ending(status: &ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

impl RemoteEngine {
    /// What was loaded.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The same engine in a new process, for when this one is gone.
    ///
    /// # Errors
    /// As [`Launcher::engine`].
    pub fn restarted(&self) -> Result<Self, EngineError> {
        self.launcher.engine(&self.spec)
    }

    /// Keeps inputs in the worker for [`block`](Self::block).
    ///
    /// # Errors
    /// When the worker crashes or hangs.
    pub fn prepare(&mut self, inputs: &[NamedTensor]) -> Result<(), EngineError> {
        match self.worker.ask(&Request::Prepare, inputs)? {
            (Answer::Prepared, _) => Ok(()),
            _ => Err(self.worker.confused()),
        }
    }

    /// Runs the prepared inputs `runs` times and gives the seconds that each run took.
    ///
    /// # Errors
    /// When the engine fails, or its worker crashes or hangs.
    pub fn block(&mut self, runs: usize) -> Result<Vec<f64>, EngineError> {
        match self.worker.ask(&Request::Block(runs), &[])? {
            (Answer::Block(times), _) => Ok(times),
            _ => Err(self.worker.confused()),
        }
    }

    /// What the worker has used so far; `None` if the system does not tell.
    ///
    /// # Errors
    /// When the worker crashes or hangs.
    pub fn usage(&mut self) -> Result<Option<Usage>, EngineError> {
        match self.worker.ask(&Request::Usage, &[])? {
            (Answer::Usage(usage), _) => Ok(usage),
            _ => Err(self.worker.confused()),
        }
    }
}

impl Engine for RemoteEngine {
    fn name(&self) -> &str {
        &self.loaded.name
    }

    fn signature(&self) -> &Signature {
        &self.loaded.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        match self.worker.ask(&Request::Run, inputs)? {
            (Answer::Outputs, outputs) => Ok(outputs),
            _ => Err(self.worker.confused()),
        }
    }

    fn placement(&mut self, inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        match self.worker.ask(&Request::Placement, inputs)? {
            (Answer::Placement(placement), _) => Ok(placement),
            _ => Err(self.worker.confused()),
        }
    }
}
