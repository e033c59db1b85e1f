//! What is kept of a training: a folder as Hugging Face lays it out.

use burn::module::Module;
use models::bert::state_dict_name;
use models::question_answering::squad::{Rules, SquadQuestion};
use models::weights::{state_dict, to_safetensors};
use serde_json::{Value, json};

use crate::TrainError;
use crate::outputs::Results;
use crate::question_answering::data::Examined;
use crate::question_answering::training::{Model, QuestionTraining};

/// The network's configuration, as `transformers` reads it.
pub const CONFIG_FILE: &str = "config.json";

/// The questions that were held out, in SQuAD's format, for an evaluation by what was not learnt from.
pub const HELD_OUT_FILE: &str = "held-out.json";

impl Results for QuestionTraining<'_> {
    const RECORD: &'static str = "training.json";
    const BESIDE: &'static [&'static str] = &[
        CONFIG_FILE,
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
        HELD_OUT_FILE,
    ];

    fn weights(&self, model: &Model) -> Result<Vec<u8>, TrainError> {
        Ok(to_safetensors(&state_dict(&model.network.valid(), state_dict_name))?)
    }

    fn beside(&self) -> Result<Vec<(&'static str, Vec<u8>)>, TrainError> {
        let mut files = self.encoder.files.clone();
        if self.data.summary.held_out > 0 {
            files.push((HELD_OUT_FILE, held_out(&self.data.exam)));
        }
        Ok(files)
    }

    fn about(&self) -> Value {
        json!({})
    }
}

/// Questions in SQuAD's format: one article, its paragraphs in order.
fn held_out(exam: &[Examined]) -> Vec<u8> {
    let same = |a: &Examined, b: &Examined| a.question.context == b.question.context;
    let paragraphs = exam.chunk_by(same).map(|asked| {
        let entry = |SquadQuestion { id, question, answers, .. }: &SquadQuestion| {
            let answers: Vec<Value> = answers.iter().map(|text| json!({ "text": text })).collect();
            json!({ "id": id, "question": question, "answers": answers })
        };
        let entries: Vec<Value> = asked.iter().map(|one| entry(&one.question)).collect();
        json!({ "context": asked.first().map(|one| &*one.question.context), "qas": entries })
    });
    let version = match exam.first().map(|one| one.question.rules) {
        Some(Rules::Version2) => "v2.0",
        _ => "1.1",
    };
    let paragraphs: Vec<Value> = paragraphs.collect();
    let article = json!({ "title": "held out", "paragraphs": paragraphs });
    (json!({ "version": version, "data": [article] }).to_string() + "\n").into_bytes()
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
