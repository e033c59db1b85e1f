//! Bundles: manifest, checksums, evaluation, example and Triton's configuration, without the model.

#![no_main]

use bundle::example::{InferenceRequest, InferenceResponse};
use bundle::triton::TritonConfig;
use bundle::verify;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let [manifest, sums, evaluation, example, config] = fuzz::parts(data);
    let folder = fuzz::folder_of(&[
        (bundle::MANIFEST, manifest),
        (bundle::SUMS, sums),
        (bundle::EVIDENCE, evaluation),
        ("model_repository/net/config.pbtxt", config),
    ]);
    let _ = verify::is_bundle(&folder);
    if let Ok(manifest) = verify::manifest(&folder) {
        let _ = verify::is_whole(&folder, &manifest);
        let labels = manifest.labels.as_deref();
        let written = TritonConfig::new(&manifest.name, &manifest.model.signature, manifest.max_batch_size, labels);
        if let (Ok(written), Ok(text)) = (written, std::str::from_utf8(config)) {
            let _ = written.disagreements(text);
            assert_eq!(written.disagreements(&written.text()), [""; 0], "it disagrees with itself");
        }
    }
    if let Ok(text) = std::str::from_utf8(config) {
        let _ = bundle::pbtxt::parse(text);
    }
    for input in serde_json::from_slice(example).map_or(Vec::new(), |request: InferenceRequest| request.inputs) {
        let _ = input.tensor();
    }
    for output in serde_json::from_slice(example).map_or(Vec::new(), |response: InferenceResponse| response.outputs) {
        let _ = output.tensor();
    }
});
