//! What a process may take.

/// The largest file that it writes, in bytes: a runtime's profile has some megabytes.
const LARGEST_FILE: u64 = 1 << 30;

/// Files that it may have open at once.
const OPEN_FILES: u64 = 4096;

/// Lowers the limits: no core dump, which would hold the inputs, no larger file unless `large_files` are needed, no more open files.
/// What the system refuses, since a limit is lower already, stays as it is.
pub fn lower(large_files: bool) {
    let files = (!large_files).then_some((libc::RLIMIT_FSIZE, LARGEST_FILE));
    for (resource, most) in [(libc::RLIMIT_CORE, 0), (libc::RLIMIT_NOFILE, OPEN_FILES)].into_iter().chain(files) {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: the pointer is to a struct of the type that the function reads.
        let _ = unsafe { libc::setrlimit(resource, &raw const limit) };
    }
}
