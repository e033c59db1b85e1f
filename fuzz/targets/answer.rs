//! What a worker answers, and what it is asked: the engine in it may be under a hostile model's control.

#![no_main]

use engines::worker::wire::receive;
use engines::worker::{Answer, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    if let Ok(Some((_, tensors))) = receive::<Answer>(data) {
        let bytes: usize = tensors.iter().map(|named| named.tensor.to_f64().len()).sum();
        assert!(bytes <= data.len(), "more elements came than bytes");
    }
    let _ = receive::<Request>(data);
});
