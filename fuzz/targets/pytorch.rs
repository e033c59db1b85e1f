//! Weights in PyTorch's own formats: zip, legacy and tar, with a pickle inside.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::weights::Checkpoint;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let Ok(checkpoint) = Checkpoint::open(fuzz::file("weights.pth", data)) else { return };
    for (name, tensor) in checkpoint.tensors() {
        let elements = tensor.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        if elements.is_some_and(|elements| elements <= fuzz::MOST_ELEMENTS) {
            let _ = tensor.to_f32(name);
        }
    }
});
