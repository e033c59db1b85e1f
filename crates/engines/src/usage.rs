//! What a process has used.

use serde::{Deserialize, Serialize};

/// Memory and time of a process since its start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The most memory that it held at once, in bytes.
    pub peak_memory: u64,
    /// The memory that it holds now, in bytes; `None` if the system does not tell.
    #[serde(default)]
    pub resident_memory: Option<u64>,
    /// Seconds of CPU time, all threads together.
    pub cpu_seconds: f64,
}

impl Usage {
    /// Of this process; `None` if the system does not tell.
    pub fn of_this_process() -> Option<Self> {
        Self::of(libc::RUSAGE_SELF)
    }

    /// Of the processes that this one started and that have ended: the memory of the largest, the CPU time of all; `None` if
    /// the system does not tell.
    pub fn of_children() -> Option<Self> {
        Self::of(libc::RUSAGE_CHILDREN)
    }

    fn of(who: libc::c_int) -> Option<Self> {
        // SAFETY: all fields of the C struct are numbers, for which zero is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a struct of the type that the function fills.
        let status = unsafe { libc::getrusage(who, &raw mut usage) };
        if status != 0 {
            return None;
        }
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
        // Linux counts in KiB, macOS in bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        let this = who == libc::RUSAGE_SELF;
        Some(Self {
            peak_memory: match peak_memory().filter(|_| this) {
                Some(peak) => peak,
                None => u64::try_from(usage.ru_maxrss).ok()? * unit,
            },
            resident_memory: if this { resident_memory() } else { None },
            cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        })
    }
}

/// The most memory that this program held since it was started, from Linux's `VmHWM`. What `getrusage` tells is no less than
/// what the process that started it held at that moment, since a child begins as its parent.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The pages of this process that are in memory, from the second number of Linux's `statm`.
fn resident_memory() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: the function takes a number and gives one.
    let size = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    pages.checked_mul(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_touched_is_counted() {
        let before = Usage::of_this_process().unwrap();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = Usage::of_this_process().unwrap();
        assert!(after.peak_memory >= (64 << 20) && after.peak_memory >= before.peak_memory);
        assert!(after.cpu_seconds >= before.cpu_seconds);
        if let Some(held) = after.resident_memory {
            assert!(held >= (64 << 20) && held <= after.peak_memory + (1 << 20), "{held} {}", after.peak_memory);
        }
        drop(block);
    }
}
