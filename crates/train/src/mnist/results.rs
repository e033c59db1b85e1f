//! What is kept of a training of the MNIST CNN.

use models::digits::{MEAN, STANDARD_DEVIATION};
use models::mnist_cnn::MnistCnn;
use models::weights::{identity_name, state_dict, to_safetensors};
use serde_json::{Value, json};

use crate::TrainError;
use crate::mnist::training::{DigitTraining, Model};
use crate::outputs::Results;

impl Results for DigitTraining<'_> {
    const RECORD: &'static str = "config.json";
    const BESIDE: &'static [&'static str] = &[];

    fn weights(&self, model: &Model) -> Result<Vec<u8>, TrainError> {
        weights(&model.result())
    }

    fn beside(&self) -> Result<Vec<(&'static str, Vec<u8>)>, TrainError> {
        Ok(Vec::new())
    }

    fn about(&self) -> Value {
        json!({ "normalization": { "mean": MEAN, "standard_deviation": STANDARD_DEVIATION } })
    }
}

/// The weights as the bytes of a safetensors file.
///
/// # Errors
/// When they are not float32.
pub fn weights(network: &MnistCnn) -> Result<Vec<u8>, TrainError> {
    Ok(to_safetensors(&state_dict(network, identity_name))?)
}
