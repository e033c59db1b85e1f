//! What is kept of a training: a folder as Hugging Face lays it out.

use burn::module::Module;
use models::bert::state_dict_name;
use models::weights::{state_dict, to_safetensors};
use serde_json::{Value, json};

use crate::TrainError;
use crate::outputs::Results;
use crate::question_answering::training::{Model, QuestionTraining};

/// The network's configuration, as `transformers` reads it.
pub const CONFIG_FILE: &str = "config.json";

impl Results for QuestionTraining<'_> {
    const RECORD: &'static str = "training.json";
    const BESIDE: &'static [&'static str] = &[
        CONFIG_FILE,
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
    ];

    fn weights(&self, model: &Model) -> Result<Vec<u8>, TrainError> {
        Ok(to_safetensors(&state_dict(&model.network.valid(), state_dict_name))?)
    }

    fn beside(&self) -> Result<Vec<(&'static str, Vec<u8>)>, TrainError> {
        Ok(self.encoder.files.clone())
    }

    fn about(&self) -> Value {
        json!({})
    }
}

/// The configuration of an encoder as that of the network that is made of it; `None` if it is no JSON object.
pub fn network_config(encoder: &[u8]) -> Option<Vec<u8>> {
    let mut config: serde_json::Map<String, Value> = serde_json::from_slice(encoder).ok()?;
    config.remove("_name_or_path");
    config.remove("torch_dtype");
    config.insert("architectures".to_owned(), json!(["BertForQuestionAnswering"]));
    config.insert("model_type".to_owned(), json!("bert"));
    config.insert("dtype".to_owned(), json!("float32"));
    Some(serde_json::to_string_pretty(&config).ok()?.into_bytes())
}
