//! Signatures of bundles, under a key that the fuzzer has not: nothing that it makes may pass but what was signed.

#![no_main]

use std::sync::OnceLock;

use bundle::key::PublicKey;
use bundle::signature::{check, is_signature};
use bundle::sums::Sums;
use libfuzzer_sys::fuzz_target;

/// The key of the fixture whose signature is a seed.
const KEY: &str = include_str!("../../crates/bundle/tests/fixtures/signed/public.pem");

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    static KNOWN: OnceLock<PublicKey> = OnceLock::new();
    let key = KNOWN.get_or_init(|| PublicKey::read(&fuzz::file("key.pem", KEY.as_bytes())).expect("the key is one"));
    let _ = is_signature(data);
    // These are not the files of the fixture, and nobody signed them.
    let files = Sums::from([("manifest.json".to_owned(), artifact::sha256_bytes(b"another"))]);
    assert!(check(data, key, &files).is_err(), "a forged signature was taken");
    let _ = PublicKey::read(&fuzz::file("fuzzed.pem", data));
    let _ = bundle::key::PrivateKey::read(&fuzz::file("fuzzed.pem", data));
});
