//! What a process may do that opens files from strangers.
//!
//! A parser with a fault in it may do whatever its file says. On Linux the kernel can take away beforehand what the process does not
//! need: Landlock bounds the files that it may read and write, seccomp its calls (no network, no other programs, no rights of
//! others, no attributes of files), and limits what it may take. A process gives these rights up by itself and can never get them
//! back; threads that it starts later have none either.
//!
//! It is the second wall. The first is that files are checked before they are opened, and parsers are no faults of ours.

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod syscalls;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a process needs. Everything else is taken away, as far as the kernel can.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files and folders, with all below, that it reads; those that are not there are left out.
    pub read: Vec<PathBuf>,
    /// The same, that it also writes: devices, and folders for what is temporary.
    pub write: Vec<PathBuf>,
    /// Whether it writes large files there, as compiled networks are.
    pub large_files: bool,
    /// Whether it speaks with other processes of this machine through sockets, as drivers of GPUs do.
    pub local_sockets: bool,
}

/// What was taken away from a process, as the kernel says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Whether it reads and writes nothing but what it needs: the version of Landlock; 0 where the kernel has none.
    pub landlock: u32,
    /// Whether calls for network, programs and the rights of others are refused, by seccomp.
    pub seccomp: bool,
}

/// Confines this thread and all that it starts from now on. To be called while there is no other thread.
///
/// What the kernel lacks is left out: the result says what is in force.
#[cfg(target_os = "linux")]
pub fn confine(needs: &Needs) -> Confinement {
    limits::lower(needs.large_files);
    // The filter comes last, since it refuses further confinement.
    let landlock = files::confine(needs).unwrap_or(0);
    Confinement { landlock, seccomp: syscalls::confine(needs.local_sockets).is_ok() }
}

/// Nothing is taken away on this system.
#[cfg(not(target_os = "linux"))]
pub fn confine(_needs: &Needs) -> Confinement {
    Confinement::default()
}

impl Confinement {
    /// Whether everything is in force that is asked for.
    pub fn is_whole(self) -> bool {
        self.landlock > 0 && self.seccomp
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.landlock, self.seccomp) {
            (0, false) => f.write_str("not confined: this system has neither Landlock nor seccomp"),
            (0, true) => {
                f.write_str("confined in part: no network, no other programs; this kernel has no Landlock for files")
            }
            (version, false) => write!(
                f,
                "confined in part: files only (Landlock {version}); this kernel refuses seccomp for network and programs"
            ),
            (version, true) => {
                write!(f, "confined: writes no files, no network, no other programs (Landlock {version}, seccomp)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let told = |landlock, seccomp| Confinement { landlock, seccomp }.to_string();
        assert!(told(7, true).starts_with("confined: writes no files"));
        assert!(told(0, true).contains("no Landlock") && told(1, false).contains("refuses seccomp"));
        assert!(told(0, false).starts_with("not confined"));
    }
}
