//! Folders of `export encoder` in the programs that embed texts with them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use models::encoder::{EncoderConfig, EncoderTask, EncoderTokenizer};
use networks::texts::answer::{Answer, Text, TextReader, cosine};
use serde_json::{Map, Value, json};

use crate::environment;
use crate::programs::FASTEMBED;

/// Short and long, in several scripts, and one that is cut off.
const TEXTS: [&str; 7] = [
    "Where was the contract signed?",
    "A dog runs across the snow, and a child laughs.",
    "snow",
    "Käfer überqueren die Straße. 雪が降っている。",
    "It costs $3.50 — or £2.90 (about 15 % less), doesn't it?",
    "[MASK] [SEP] control\u{7}characters\tand  spaces",
    "The committee decided in its last session of the year that the bridge is to be painted once more before winter.",
];

/// How far a cosine may be from one.
const CLOSE: f64 = 1e-6;

/// Exports MiniLM, and tries both ways in which fastembed takes it, and the rules of text-embeddings-inference.
pub(crate) fn check(root: &Path, folder: &Path, runtime: &Runtime) -> Result<()> {
    let source = root.join("datasets/minilm");
    ensure!(source.join("model.safetensors").is_file(), "fetch it first: cargo xtask fetch minilm");
    let texts = folder.join("texts.json");
    artifact::write_atomic(&texts, json!(TEXTS).to_string())?;
    let program = environment::make(&FASTEMBED, root)?;
    let mut expected = Vec::new();
    for (task, way) in [("sentence-embeddings", None), ("feature-extraction", Some("mean"))] {
        let out = folder.join(task);
        let mut export = Command::new(env!("CARGO_BIN_EXE_export"));
        export
            .arg("encoder")
            .arg("--hf-dir")
            .arg(&source)
            .args(["--task", task, "--opset", "17", "--force", "--out"])
            .arg(&out);
        let done = export.current_dir(root).output().context("export cannot be started")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        if way.is_none() {
            expected = embeddings(&out, runtime)?;
        }
        let mut fastembed = program.command()?;
        fastembed
            .arg(&out)
            .arg(&texts)
            .args(way)
            .env("ORT_DYLIB_PATH", runtime.path())
            .env("ORT_DISABLE_TELEMETRY", "1");
        let done = fastembed.output().context("fastembed cannot be started")?;
        ensure!(done.status.success(), "fastembed, {task}: {}", String::from_utf8_lossy(&done.stderr));
        let found: Vec<Vec<f32>> = serde_json::from_slice(&done.stdout).context("fastembed says no vectors")?;
        ensure!(found.len() == expected.len(), "fastembed gives {} vectors", found.len());
        let apart = found.iter().zip(&expected).map(|(found, expected)| 1.0 - cosine(found, expected));
        let apart = apart.fold(0.0, f64::max);
        ensure!(apart < CLOSE, "fastembed, {task}: a cosine with `predict encoder` is 1 - {apart:e}");
        println!("fastembed {}, {task}: {} texts, cosine at least 1 - {apart:.0e}", FASTEMBED.version(), found.len());
        inference_rules(&out)?;
        println!("text-embeddings-inference, {task}: the folder fits its rules");
    }
    Ok(())
}

/// The vectors of `predict encoder`.
fn embeddings(folder: &Path, runtime: &Runtime) -> Result<Vec<Vec<f32>>> {
    let config = EncoderConfig::read_file(&folder.join("config.json"), Some(EncoderTask::SentenceEmbeddings))?;
    let tokenizer = EncoderTokenizer::open(folder, &config)?;
    let reader = TextReader { tokenizer, config, top: 1 };
    let mut session = Session::open(runtime, folder.join("onnx/model.onnx"), SessionOptions::default())?;
    let engine: &mut dyn Engine = &mut session;
    let texts = TEXTS.map(|text| Text { text: text.to_owned(), pair: None });
    let answers = reader.answer_all(engine, &texts, &mut |_| {})?;
    let vector = |answer| match answer {
        Ok(Answer::Embedding(vector)) => Ok(vector),
        Ok(other) => bail!("{other:?} is no vector"),
        Err(error) => Err(anyhow::Error::new(error)),
    };
    answers.into_iter().map(vector).collect()
}

/// What the server reads of a folder before it starts, as its sources say (router and ONNX Runtime's backend); the server itself is in no
/// package registry.
fn inference_rules(folder: &Path) -> Result<()> {
    let object = |name: &str| -> Result<Map<String, Value>> {
        let text = std::fs::read_to_string(folder.join(name)).with_context(|| format!("{name} is not there"))?;
        serde_json::from_str(&text).with_context(|| format!("{name} is no object"))
    };
    let config = object("config.json")?;
    ensure!(config.get("architectures").is_some_and(Value::is_array), "config.json has no architectures");
    ensure!(config.get("model_type").is_some_and(Value::is_string), "config.json has no model_type");
    for number in ["max_position_embeddings", "hidden_size", "num_hidden_layers"] {
        ensure!(config.get(number).is_some_and(Value::is_u64), "config.json has no {number}");
    }
    object("tokenizer.json")?;
    let model = onnx_model::Model::load(folder.join("onnx/model.onnx"))?;
    let names = |values: &[onnx_model::ValueInfo]| values.iter().map(|value| value.name.clone()).collect::<Vec<_>>();
    let (inputs, outputs) = (names(&model.graph.inputs), names(&model.graph.outputs));
    let given = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
    ensure!(inputs.iter().all(|name| given.contains(&name.as_str())), "it is not given {inputs:?}");
    ensure!(given[..2].iter().all(|name| inputs.iter().any(|input| input == name)), "it gives {given:?}");
    let known = ["sentence_embedding", "last_hidden_state", "token_embeddings"];
    ensure!(outputs.iter().any(|name| known.contains(&name.as_str())), "it does not know {outputs:?}");
    // Without a way of pooling in the folder, the user names one with `--pooling`.
    if folder.join("modules.json").is_file() {
        let pooling = object("1_Pooling/config.json")?;
        let switch = |way: &str| pooling.get(&format!("pooling_mode_{way}")).and_then(Value::as_bool);
        let ways = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"].map(switch);
        ensure!(ways.iter().all(Option::is_some), "1_Pooling/config.json lacks a switch");
        ensure!(ways[0] == Some(true) || ways[1] == Some(true), "it pools by `cls` or `mean`");
    }
    if folder.join("sentence_bert_config.json").is_file() {
        let length = object("sentence_bert_config.json")?.get("max_seq_length").and_then(Value::as_u64);
        ensure!(length.is_some(), "sentence_bert_config.json has no max_seq_length");
    }
    Ok(())
}
