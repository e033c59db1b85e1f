//! ONNX models: the survey of a file, the reader, the check, and the writer, which must give back what was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use onnx_model::{Model, Survey};

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let path = fuzz::file("model.onnx", data);
    fuzz::file("data.bin", &[7; 4096]);
    // It refuses more than the reader, which does not look into functions that nobody calls.
    let _ = Survey::of(&path);
    let Ok(model) = Model::load(&path) else { return };
    let _ = model.to_string();
    let Ok(types) = model.check() else { return };
    for output in model.graph.nodes.iter().flat_map(|node| &node.outputs) {
        let _ = types.get(output).map(ToString::to_string);
    }
    if let Ok(bytes) = model.encode() {
        let again = Model::decode(bytes.clone()).expect("what was written can be read");
        assert_eq!(again.encode().expect("what was read can be written"), bytes, "another model came back");
    }
});
