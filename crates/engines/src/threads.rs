//! The threads that Burn and candle compute on.

use crate::engine::EngineError;
use crate::worker::FrameworkSpec;

/// Makes this thread and `count - 1` new ones the workers of everything that Burn or candle computes from this thread on.
///
/// For the start of a program: it can be done once, and must be done before the framework is used. With one thread nothing is
/// handed to another.
///
/// # Errors
/// When the threads have been started already, or cannot be.
pub fn limit(count: usize) -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(count).use_current_thread().build_global()
}

/// [`limit`] for the worker of a framework.
///
/// # Errors
/// As [`limit`].
pub fn limit_for(spec: &FrameworkSpec) -> Result<(), EngineError> {
    limit(spec.threads)
        .map_err(|error| EngineError::Run { engine: spec.engine_name().to_owned(), reason: error.to_string() })
}
