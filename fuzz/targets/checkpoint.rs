//! Checkpoints of a training: a file as it is, and a header under the right checksum.

#![no_main]

use std::collections::{BTreeMap, HashMap};

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use models::mnist_cnn::MnistCnn;
use train::checkpoint::{Identity, is_checkpoint, load};
use train::mnist::config::Config;
use train::mnist::evaluation::Evaluation;

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let bytes = match (kind % 2, std::str::from_utf8(rest)) {
        (0, Ok(header)) => {
            let sha256 = artifact::sha256_bytes(header.as_bytes()).to_string();
            let metadata = HashMap::from([("training".to_owned(), header.to_owned()), ("sha256".to_owned(), sha256)]);
            let none: BTreeMap<String, safetensors::tensor::TensorView<'_>> = BTreeMap::new();
            safetensors::serialize(none, Some(metadata)).expect("a header alone can be written")
        }
        _ => rest.to_vec(),
    };
    let path = fuzz::file("checkpoint.safetensors", &bytes);
    let _ = is_checkpoint(&path);
    let identity = Identity { config: Config::article(), data: BTreeMap::new() };
    if let Ok(Some((_, mut tensors))) = load::<Config, Evaluation>(&path, &identity) {
        let network = tensors.take_module("network.", MnistCnn::new(&Device::flex().autodiff()));
        assert!(network.is_err(), "a checkpoint without tensors was taken");
    }
});
