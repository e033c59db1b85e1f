//! Sizes that are written as arithmetic, as models from elsewhere call their axes.

#![no_main]

use evaluation::onnx_file::expression::{evaluate, is_derived};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::contain(), |text: &str| {
    let sizes = [("batch".to_owned(), 3), ("sequence".to_owned(), usize::MAX / 2), ("s0".to_owned(), 0)].into();
    let _ = evaluate(text, &sizes);
    let _ = is_derived(text, &["batch", "sequence", "s0"]);
});
