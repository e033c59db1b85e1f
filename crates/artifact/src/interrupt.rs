//! Ctrl-C (SIGINT), and the signal by which others ask a program to end (SIGTERM).
//!
//! A program says once, at its start, how it ends: [`exit_at_once`] for one that has nothing to finish, [`exit_in_turn`] for one
//! that looks at [`asked`] on its way and ends by itself. In both cases the process is gone within a second, with the exit
//! status 128 + signal (130 for Ctrl-C), after one line that says how to go on, and every [`Temporary`] is removed. Without
//! either the system ends the process as ever.
//!
//! Files are safe in any case: what is at its place is whole. On systems other than Unix nothing here does anything.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::FileError;

/// The signal that came, or 0.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Whether the program knows: then it is ending, and may take longer.
static NOTICED: AtomicBool = AtomicBool::new(false);

/// How to go on, in a line.
static ADVICE: OnceLock<String> = OnceLock::new();

/// The variable that keeps a program from saying how to go on: the one that started it does.
pub const SILENT_VARIABLE: &str = "KILN_ENDS_SILENTLY";

/// What is removed when the process ends.
static TEMPORARIES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The program was asked to end, and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Ends the process as soon as it is asked to; `advice` is printed then, as in `interrupted: the same command starts
/// anew`; nothing if it is empty.
///
/// To be called once, before there are temporary files.
pub fn exit_at_once(advice: impl Into<String>) {
    handle(advice.into(), false);
}

/// Lets the program end by itself when it is asked to. It has to look at [`asked`] or [`check`] several times a second. A
/// process that has not noticed within a second is ended, and so is one that has and is still there ten seconds later, or is
/// asked once more.
pub fn exit_in_turn(advice: impl Into<String>) {
    handle(advice.into(), true);
}

/// Whether the program is to end. Once it has seen that, it has ten seconds.
pub fn asked() -> bool {
    let asked = SIGNAL.load(Ordering::SeqCst) != 0;
    if asked {
        NOTICED.store(true, Ordering::SeqCst);
    }
    asked
}

/// An error if the program is to end.
///
/// # Errors
/// When [`asked`].
pub fn check() -> Result<(), Interrupted> {
    match asked() {
        true => Err(Interrupted),
        false => Ok(()),
    }
}

/// The exit status of a program that ends because it was asked to, after it has said how to go on; `None` for any other.
pub fn farewell() -> Option<ExitCode> {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => None,
        signal => {
            if let Some(line) = advice() {
                // Nobody may be listening any more.
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
            Some(ExitCode::from(status(signal)))
        }
    }
}

/// A temporary file or folder, removed with all that it holds when the process is interrupted. Dropping this only ends that: the owner
/// removes or renames it as ever.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Makes a temporary file or folder, whose place `path` tells. No interruption falls between its making and its registration.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make<T, E>(create: impl FnOnce() -> Result<T, E>, path: impl FnOnce(&T) -> &Path) -> Result<(T, Self), E> {
        let mut temporaries = temporaries();
        let made = create()?;
        let path = path(&made).to_path_buf();
        temporaries.insert(path.clone());
        Ok((made, Self { path }))
    }
}

/// A temporary folder of the system's: removed with all that it holds when dropped, and when the process is interrupted.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    _registered: Temporary,
}

impl TemporaryFolder {
    /// An empty one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self, FileError> {
        let made = Temporary::make(tempfile::tempdir, TempDir::path);
        let (folder, registered) = made.map_err(FileError::new("make a folder in", std::env::temp_dir()))?;
        Ok(Self { folder, _registered: registered })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        temporaries().remove(&self.path);
    }
}

/// Does what must not be cut in two by an interruption, such as two renames. It waits; a kill does not.
pub fn undivided<T>(work: impl FnOnce() -> T) -> T {
    let _temporaries = temporaries();
    work()
}

/// A panic while the lock was held leaves a set that is as good as before.
fn temporaries() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// The line that says how to go on, unless that is left to the program that started this one.
fn advice() -> Option<String> {
    let advice = ADVICE.get().filter(|advice| !advice.is_empty())?;
    std::env::var_os(SILENT_VARIABLE).is_none().then(|| format!("interrupted: {advice}\n"))
}

/// Removes what is temporary and ends the process, without waiting for anybody in it.
#[cfg(unix)]
fn leave(signal: i32) -> ! {
    let temporaries = temporaries();
    for path in temporaries.iter() {
        // What cannot be removed is left to the next writer.
        let _ = match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        };
    }
    let advice = advice().unwrap_or_default();
    let mut terminal = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: `poll` gets one entry, `write` as many bytes as the line has, and `_exit` a number; it does not return. Another
    // thread may be at standard error and wait for a reader who has stopped reading: so the line is written past its lock, and
    // only where there is room. Destructors of libraries, which `_exit` leaves out, could wait for threads. The lock on what is
    // temporary is held to the end, so that no other thread makes anything anew.
    unsafe {
        if libc::poll(&mut terminal, 1, 100) == 1 {
            libc::write(libc::STDERR_FILENO, advice.as_ptr().cast(), advice.len());
        }
        libc::_exit(status(signal).into())
    }
}

#[cfg(unix)]
fn handle(advice: String, in_turn: bool) {
    use std::time::{Duration, Instant};

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// How long a program may take to notice.
    const NOTICE: Duration = Duration::from_millis(800);
    /// How long it may then take.
    const FINISH: Duration = Duration::from_secs(10);
    /// A terminal and a parent process may both pass on the same wish.
    const SAME: Duration = Duration::from_millis(500);
    const LOOK: Duration = Duration::from_millis(20);

    if ADVICE.set(advice).is_err() {
        return;
    }
    // Where signals cannot be handled, the system's own way is left.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        if !in_turn {
            leave(signal);
        }
        SIGNAL.store(signal, Ordering::SeqCst);
        let started = Instant::now();
        loop {
            std::thread::sleep(LOOK);
            let waited = started.elapsed();
            let patience = if NOTICED.load(Ordering::SeqCst) { FINISH } else { NOTICE };
            if waited >= patience || (signals.pending().next().is_some() && waited >= SAME) {
                leave(signal);
            }
        }
    });
}

#[cfg(not(unix))]
fn handle(advice: String, _in_turn: bool) {
    let _ = ADVICE.set(advice);
}
