//! The threads that Burn and candle compute on.

/// Makes this thread and `count - 1` new ones the workers of everything that Burn computes from this thread on.
///
/// For the start of a program: it can be done once, and must be done before Burn is used. With one thread nothing is
/// handed to another.
///
/// # Errors
/// When Burn's threads have been started already, or cannot be.
pub fn limit(count: usize) -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(count).use_current_thread().build_global()
}
