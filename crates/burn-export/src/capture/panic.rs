//! Panics of `forward`: caught, with their message and place, and said once, in the error.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread records, and where it panicked.
    static RECORDING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A caught panic.
pub(crate) struct Panic {
    pub(crate) message: String,
    /// `src/net.rs:12:9`.
    pub(crate) place: String,
}

/// Runs `record`; a panic on this thread is not printed.
pub(crate) fn caught<T>(record: impl FnOnce() -> T) -> Result<T, Panic> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            let place =
                info.location().map_or_else(|| "an unknown line".to_string(), |place| short(&place.to_string()));
            let quiet = RECORDING.try_with(|recording| match recording.try_borrow_mut() {
                Ok(mut recording) if recording.is_some() => {
                    *recording = Some(place);
                    true
                }
                _ => false,
            });
            if !quiet.unwrap_or(false) {
                others(info);
            }
        }));
    });
    RECORDING.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(record));
    let place = RECORDING.take().filter(|place| !place.is_empty());
    result.map_err(|panic| Panic {
        message: one_line(&message_of(panic.as_ref())),
        place: place.unwrap_or_else(|| "an unknown line".to_string()),
    })
}

/// The place of a line in a library without where the library is kept on this machine.
fn short(place: &str) -> String {
    let within = place.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    within.map_or(place, |(_, library)| library).to_string()
}

/// Burn frames its messages and numbers their reasons.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("==="));
    lines.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_string()
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()))
        .unwrap_or_else(|| "no message".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_message_and_place() {
        let caught = caught(|| -> () { panic!("=== Error ===\n no more than {} rows.\n", 512) });
        let Err(panic) = caught else { panic!("nothing was caught") };
        assert_eq!(panic.message, "no more than 512 rows");
        assert!(panic.place.contains("panic.rs:"), "{}", panic.place);
        let library = short("/Users/someone/.cargo/registry/src/a-registry/burn-tensor-0.22.1/src/check.rs:1:2");
        assert_eq!(library, "burn-tensor-0.22.1/src/check.rs:1:2");
    }
}
