//! Inputs and outputs of the user's, as safetensors and as the files of ONNX's own tests.

#![no_main]

use engines::engine::{Dimension, Signature, TensorInfo};
use engines::tensor::ElementType;
use evaluation::onnx_file::given;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let info = |name: &str, element| TensorInfo::new(name, element, [Dimension::Named("batch".to_owned()), Dimension::Fixed(2)]);
    let signature = Signature {
        inputs: vec![info("x", ElementType::Float), info("n", ElementType::Int64)],
        outputs: vec![info("y", ElementType::Float16)],
    };
    let whole = fuzz::file("given.safetensors", data);
    let _ = (given::inputs(&whole, &signature), given::outputs(&whole, &signature));
    let [first, second, result] = fuzz::parts(data);
    let folder = fuzz::folder_of(&[("input_0.pb", first), ("input_1.pb", second), ("output_0.pb", result)]);
    let _ = (given::inputs(&folder, &signature), given::outputs(&folder, &signature));
});
