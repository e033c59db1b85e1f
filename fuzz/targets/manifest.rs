//! Manifests of data sets, and the lock of the pipeline.

#![no_main]

use artifact::manifest::Manifest;
use artifact::pipeline::Lock;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let path = fuzz::file("manifest.toml", data);
    if let Ok(manifest) = Manifest::read(&path) {
        for file in manifest.files_for("linux-x86_64") {
            let place = std::path::Path::new("/data").join(&file.name);
            assert!(place.starts_with("/data") && !file.name.contains(".."), "{} leads elsewhere", file.name);
            let _ = (file.most_bytes(), file.base_name());
        }
        let _: Vec<String> = manifest.sources.iter().map(|source| source.describe()).collect();
    }
    let _ = Lock::read(&path);
});
