//! Weights in safetensors, and the index of several such files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::weights::Checkpoint;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let [index, part] = fuzz::parts(data);
    fuzz::file("part.safetensors", part);
    for (name, bytes) in [("model.safetensors", data), ("model.safetensors.index.json", index)] {
        let Ok(checkpoint) = Checkpoint::open(fuzz::file(name, bytes)) else { continue };
        for (name, tensor) in checkpoint.tensors() {
            let elements = tensor.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
            if elements.is_some_and(|elements| elements <= fuzz::MOST_ELEMENTS) {
                let _ = tensor.to_f32(name);
            }
        }
    }
});
