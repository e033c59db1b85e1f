//! A file or folder that one process uses at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::{FileError, interrupt};

/// The time from one try to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// Claims a file or folder by a lock of the operating system, which ends with the process, however that ends. A process that was
/// killed may hold on for a moment, so it is tried for as long as `patience` says; `None` if somebody else holds it still.
///
/// A file system without locks tells nothing of other processes; there the claim is granted.
///
/// # Errors
/// When it cannot be opened or locked, or the program is asked to end.
pub fn claim(path: &Path, patience: Duration) -> Result<Option<File>, FileError> {
    let file = File::open(path).map_err(FileError::new("open", path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", path)(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if interrupt::asked() {
            return Err(FileError::new("lock", path)(io::Error::other(interrupt::Interrupted)));
        }
        if started.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
