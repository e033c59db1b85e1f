//! `config.json` of a BERT.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::bert::BertConfig;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    if let Ok(config) = BertConfig::read(&fuzz::file("config.json", data)) {
        assert!(config.parameters() > 0, "a network without parameters");
    }
});
