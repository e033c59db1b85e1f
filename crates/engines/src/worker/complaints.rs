//! What a worker prints on standard error, for the case that it crashes.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The end of what is printed that is kept.
const KEPT: usize = 4096;

/// How long the last words of a process that has ended are waited for: what it started may hold the other end for ever.
const WAIT: Duration = Duration::from_millis(500);

/// A thread that reads what a worker prints.
#[derive(Debug)]
pub struct Complaints {
    thread: JoinHandle<()>,
    words: Arc<Mutex<Vec<u8>>>,
}

impl Complaints {
    /// Begins to read.
    pub fn of(mut errors: impl Read + Send + 'static) -> Self {
        let words = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&words);
        let thread = std::thread::spawn(move || {
            let mut piece = [0; KEPT];
            while let Ok(count @ 1..) = errors.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(piece.get(..count).unwrap_or_default());
                let surplus = kept.len().saturating_sub(KEPT);
                kept.drain(..surplus);
            }
        });
        Self { thread, words }
    }

    /// The end of what was printed, once the process has ended.
    pub fn last_words(self) -> String {
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < WAIT {
            std::thread::sleep(Duration::from_millis(2));
        }
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&words).into_owned()
    }
}
