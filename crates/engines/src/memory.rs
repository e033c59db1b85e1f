//! What fits in memory.
//!
//! A worker that asks for more than the machine has must fail alone. It may not hold more than the machine has, so that
//! its allocation fails where it can say so; and where several together exhaust the machine, the system ends a worker
//! rather than the program that holds the results.

use std::io;

use crate::engine::EngineError;
use crate::fingerprint::Machine;
use crate::tensor::ElementType;

/// How often inputs are in memory at once: with who made them, on their way, and with the engine.
const COPIES: usize = 3;

/// Refuses inputs that this machine cannot hold, before they are made.
///
/// # Errors
/// When they cannot fit; `what` is what the message calls them, such as `batch 8`.
pub fn require_room(what: &str, elements: &[(ElementType, usize)]) -> Result<(), EngineError> {
    let Some(memory) = Machine::this().memory else { return Ok(()) };
    let bytes = elements.iter().fold(0_usize, |sum, (element, count)| {
        sum.saturating_add(count.saturating_mul(element.size()).saturating_mul(COPIES))
    });
    match u64::try_from(bytes) {
        Ok(bytes) if bytes <= memory => Ok(()),
        _ => {
            let gibibytes = |bytes: f64| bytes / f64::from(1 << 30);
            Err(EngineError::Room {
                what: what.to_owned(),
                needed: gibibytes(bytes as f64),
                memory: gibibytes(memory as f64),
            })
        }
    }
}

/// The batch sizes whose inputs this machine can hold, and what is to be said of the others. `elements` tells what the inputs
/// of a batch hold.
pub fn fitting(batches: &[usize], elements: impl Fn(usize) -> Vec<(ElementType, usize)>) -> (Vec<usize>, Vec<String>) {
    let (mut fit, mut unfit) = (Vec::new(), Vec::new());
    for &size in batches {
        match require_room(&format!("batch {size}"), &elements(size)) {
            Ok(()) => fit.push(size),
            Err(error) => unfit.push(terminal::failure::sentence(&error)),
        }
    }
    (fit, unfit)
}

/// Bounds what this process may hold, and makes it the first that the system ends when memory runs out.
///
/// # Errors
/// When the system refuses the bound.
pub fn bound(bytes: u64) -> io::Result<()> {
    // Where there is no such file, the system decides by itself.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the pointer is to a struct of the type that the function reads.
    match unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_cannot_fit_leaves_the_others() {
        let (fit, unfit) = fitting(&[1, usize::MAX, 8], |size| vec![(ElementType::Float, size.saturating_mul(784))]);
        assert_eq!((fit, unfit.len()), (vec![1, 8], 1));
        assert!(unfit[0].contains("does not fit in memory"), "{unfit:?}");
    }

    #[test]
    fn what_cannot_fit_is_refused_in_a_sentence() {
        assert!(require_room("batch 1", &[(ElementType::Float, 784)]).is_ok());
        let message = require_room("batch 9", &[(ElementType::Float, usize::MAX)]).unwrap_err().to_string();
        assert!(message.starts_with("batch 9 does not fit in memory: ") && message.contains("GiB"), "{message}");
        // Three terabytes of bytes.
        assert!(require_room("batch 9", &[(ElementType::Uint8, 1 << 40)]).is_err());
    }
}
