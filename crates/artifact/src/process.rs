//! Programs that do not outlive the one that started them.

use std::process::{Child, Command};

/// Lets the command's process be killed when the thread that starts it ends, even if its own process is killed. To be started from a
/// thread that stays until it has ended, such as the first one.
///
/// Only Linux can. Elsewhere such a process goes on.
#[cfg(target_os = "linux")]
pub fn end_with_this(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;

    let parent = std::process::id();
    // SAFETY: the closure makes two system calls and allocates nothing, so it may run between fork and exec.
    unsafe { command.pre_exec(move || end_with(parent)) }
}

/// Changes nothing on this platform.
#[cfg(not(target_os = "linux"))]
pub fn end_with_this(command: &mut Command) -> &mut Command {
    command
}

/// Lets this process be killed when the thread that started it ends, even if that process is killed.
///
/// Only Linux can. Elsewhere this process goes on.
#[cfg(target_os = "linux")]
pub fn end_with_parent() {
    let _ = end_with(std::os::unix::process::parent_id());
}

/// Does nothing on this platform.
#[cfg(not(target_os = "linux"))]
pub fn end_with_parent() {}

#[cfg(target_os = "linux")]
fn end_with(parent: u32) -> std::io::Result<()> {
    // SAFETY: the calls set and ask for a number of this process; neither takes a pointer.
    let (set, now) = unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), libc::getppid()) };
    match set {
        // The parent may have ended before it was heard that its end matters.
        0 if u32::try_from(now) == Ok(parent) => Ok(()),
        0 => Err(std::io::ErrorKind::NotFound.into()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Passes on Ctrl-C to a child process, which may end as it likes. That it has ended by itself is as good.
#[cfg(unix)]
pub fn interrupt(child: &mut Child) {
    if let Ok(process) = libc::pid_t::try_from(child.id()) {
        // SAFETY: the call takes two numbers. The child has not been waited for, so that its number is still its own.
        unsafe {
            libc::kill(process, libc::SIGINT);
        }
    }
}

/// Ends a child process at once on this platform.
#[cfg(not(unix))]
pub fn interrupt(child: &mut Child) {
    let _ = child.kill();
}
