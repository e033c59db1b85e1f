//! Faults that tests ask for at the one place where files are written.
//!
//! What a full disk or a broken one does cannot be tried on every machine. So `KILN_FAULT=rename:2` makes the second renaming of a
//! process fail, as the system would: `write` (no space is left), `short` (half of the bytes, then no space), `sync` and `rename` (an
//! error of the disk). Without the variable nothing here does anything.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that asks for a fault.
pub const VARIABLE: &str = "KILN_FAULT";

/// A step of writing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Write,
    Short,
    Sync,
    Rename,
}

/// The fault that is asked for: the step, and how many of its kind go well before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    step: Step,
    before: u64,
}

impl Fault {
    fn read(text: &str) -> Option<Self> {
        let (step, number) = text.split_once(':')?;
        let step = match step {
            "write" => Step::Write,
            "short" => Step::Short,
            "sync" => Step::Sync,
            "rename" => Step::Rename,
            _ => return None,
        };
        Some(Self { step, before: number.parse::<u64>().ok()?.checked_sub(1)? })
    }
}

/// Whether this step fails. It is counted.
fn fails(step: Step) -> bool {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let fault = *FAULT.get_or_init(|| env::var(VARIABLE).ok().and_then(|text| Fault::read(&text)));
    fault.is_some_and(|fault| fault.step == step && STEPS.fetch_add(1, Ordering::SeqCst) == fault.before)
}

/// The error of a disk that fails, if this step is to.
pub(crate) fn at(step: Step) -> io::Result<()> {
    if fails(step) { Err(io::Error::other("input/output error, as a test asks")) } else { Ok(()) }
}

/// A file that is written: its writes fail where that is asked for.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    full: bool,
}

impl OutputFile {
    pub(crate) fn new(file: File) -> Self {
        Self { file, full: false }
    }

    /// Has the bytes on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        at(Step::Sync)?;
        self.file.sync_all()
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.full || fails(Step::Write) {
            return Err(ErrorKind::StorageFull.into());
        }
        if fails(Step::Short) {
            self.full = true;
            return self.file.write(bytes.get(..bytes.len() / 2).unwrap_or_default());
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_step_and_a_number() {
        assert_eq!(Fault::read("rename:2"), Some(Fault { step: Step::Rename, before: 1 }));
        assert_eq!(Fault::read("short:1"), Some(Fault { step: Step::Short, before: 0 }));
        for text in ["", "rename", "rename:0", "rename:-1", "burn:1"] {
            assert_eq!(Fault::read(text), None, "{text}");
        }
    }

    /// A short write of nothing would be an error of its own kind, `WriteZero`.
    #[test]
    fn a_disk_that_is_full_stays_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = OutputFile::new(File::create(folder.path().join("file")).unwrap());
        file.write_all(b"whole").unwrap();
        file.full = true;
        assert_eq!(file.write_all(b"more").unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
