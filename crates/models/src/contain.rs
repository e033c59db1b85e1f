//! The border to parsers that we did not write: a panic of theirs becomes an error of ours.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`contain`], where a panic is reported by its error and not on standard error.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `parse`, which calls another's parser; a panic in it is the error, as text.
///
/// Nothing that `parse` touched may be used after a panic: it owns or borrows immutably what it reads. An abort, such as one
/// from a stack that overflows, cannot be contained here.
pub(crate) fn contain<T>(parse: impl FnOnce() -> T) -> Result<T, String> {
    keep_quiet();
    let outer = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(parse));
    QUIET.set(outer);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        format!("the decoder failed: {}", text.as_deref().unwrap_or("it gave no reason"))
    })
}

/// Wraps the hook that reports panics, once in the life of the process.
fn keep_quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                report(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_call_works() {
        let position = 7;
        let bytes = [1, 2, 3];
        let error = contain(|| bytes[..position].len()).unwrap_err();
        assert!(error.starts_with("the decoder failed: ") && error.contains("7"), "{error}");
        assert_eq!(contain(|| bytes.len()), Ok(3));
        assert_eq!(
            contain(|| contain(|| std::panic::panic_any(5))).unwrap().unwrap_err(),
            "the decoder failed: it gave no reason"
        );
    }
}
