//! A training that a pipeline started does not outlive it.

/// Asks the operating system to end this process when the one that started it ends, even if that one is killed.
///
/// Only Linux can. Elsewhere a training whose pipeline was killed goes on; the next one finds its folder in use and
/// says so.
#[cfg(target_os = "linux")]
pub fn end_with_parent() {
    // SAFETY: the call only sets the signal of this process; it takes no pointer.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
}

/// Does nothing on this platform.
#[cfg(not(target_os = "linux"))]
pub fn end_with_parent() {}
