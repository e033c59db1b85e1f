//! Encoders of every family for every task as files, and `export encoder` as a user runs it; writes the table of `docs/encoders.md`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::tensor::Device;
use burn_export::{OnnxExporter, Opset};
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::signature::require;
use evaluation::verify::Expected;
use models::encoder::{
    Dense, DenseActivation, Encoder, EncoderConfig, EncoderTask, Family, ModernSettings, Pooling, Step,
};
use networks::engine::BurnEngine;
use networks::network::Network as _;
use onnx_model::Model;
use serde_json::{Value, json};

/// The opsets that take turns.
const OPSETS: [i64; 6] = [11, 13, 17, 18, 20, 21];

/// The line behind which the table stands.
const MARK: &str =
    "<!-- From here on written by `UPDATE_DOCS=1 cargo test --release --workspace --test encoders`. -->\n";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A small encoder, with sizes that no two settings share.
fn small(family: Family, task: EncoderTask) -> EncoderConfig {
    let usual = EncoderConfig::published(family, task);
    let layers = if family == Family::ModernBert { 4 } else { 2 };
    let dense =
        Dense { folder: PathBuf::new(), inputs: 32, outputs: 12, bias: true, activation: DenseActivation::Tanh };
    let mut config = EncoderConfig {
        vocab_size: 101,
        hidden_size: 32,
        embedding_size: if usual.embedding_size == usual.hidden_size { 32 } else { 24 },
        num_hidden_layers: layers,
        num_hidden_groups: if family == Family::Albert { 1 } else { layers },
        num_attention_heads: 4,
        intermediate_size: 48,
        max_position_embeddings: 140,
        pad_token_id: usual.pad_token_id.min(1),
        initializer_range: 0.2,
        modern: usual.modern.clone().map(|modern| ModernSettings {
            local: (0..layers).map(|layer| layer % 3 != 0).collect(),
            window: 8,
            ..modern
        }),
        ..usual
    };
    config.sentence.steps = vec![Step::Dense(dense), Step::Normalize];
    config.sentence.poolings = match family {
        Family::Roberta => vec![Pooling::Max],
        Family::Camembert => vec![Pooling::MeanSqrtLength],
        Family::Electra | Family::Mpnet => vec![Pooling::Cls],
        _ => vec![Pooling::Mean],
    };
    config
}

/// Every family for every task, at an opset each in turn, against Burn in float64 at every length and batch with padding on either
/// side; and padding changes no answer.
#[test]
fn every_family_is_exported_for_every_task() {
    let runtime = Runtime::load(&workspace().join("datasets/onnxruntime")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut table =
        String::from("| family | task | lengths | batches | padding | opset tried here |\n|---|---|---|---|---|---|\n");
    for (index, family) in Family::ALL.into_iter().enumerate() {
        for (place, task) in EncoderTask::ALL.into_iter().enumerate() {
            let config = small(family, task);
            let opset = OPSETS[(index + place) % OPSETS.len()];
            let what = format!("{} for {task} at opset {opset}", family.model_type());
            let network = Encoder::random(&config, 7, &Device::flex());
            let exporter = OnnxExporter::new().opset(Opset::try_from(opset).unwrap());
            let model =
                network.export(&config, exporter).unwrap_or_else(|error| panic!("{what}: {error}")).into_model();
            let has = |operator: &str| model.graph.nodes.iter().any(|node| node.op_type == operator);
            assert_eq!(has("LayerNormalization"), opset >= 17, "{what}");
            assert!(opset < 20 || family == Family::Albert || has("Gelu"), "{what}");
            let path = folder.path().join("model.onnx");
            model.save(&path).unwrap();
            let mut session = Session::open(&runtime, &path, SessionOptions::default()).unwrap();
            require(&session, &path, &Encoder::signature(&config), "it").unwrap();
            Encoder::examine(&config, &mut session).unwrap_or_else(|error| panic!("{what}: {error}"));
            let mut native = BurnEngine::new(network.clone(), config.clone(), Device::flex());
            let mut exact = BurnEngine::new(network, config.clone(), Device::flex()).exact();
            let cases = Encoder::cases(&config).unwrap();
            let expected = Expected::of(&mut native, &mut exact, cases, |_| ()).unwrap();
            let verification = expected.judge(&mut session).unwrap();
            assert!(verification.passed, "{what}: {}", verification.failed("ort:cpu").unwrap_or_default());
            let longest = config.longest();
            table += &format!(
                "| {} | {task} | 1, 17, 128, {longest} | 1, 2, 7 | left, right | {opset} |\n",
                family.model_type()
            );
        }
    }
    let path = workspace().join("docs/encoders.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let (above, below) = committed.split_once(MARK).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{above}{MARK}\n{table}")).unwrap();
        return;
    }
    assert!(below.trim() == table.trim(), "docs/encoders.md is out of date: run this test with UPDATE_DOCS=1");
}

/// Of RoBERTa a runtime would know every shape, and ONNX Runtime takes a slower operator for it; so one size stays open behind each
/// attention. BERT's table of places is cut to the length of the texts, which hides it anyway.
#[test]
fn a_size_stays_open_where_a_runtime_would_know_all() {
    let targets = |family: Family| {
        let config = small(family, EncoderTask::FeatureExtraction);
        let network = Encoder::random(&config, 1, &Device::flex());
        let exporter = OnnxExporter::new().opset(Opset::V17);
        let exported = network.export(&config, exporter).unwrap();
        let graph = &exported.model().graph;
        let reshapes = graph.nodes.iter().filter(|node| node.op_type == "Reshape").map(|node| &node.inputs[1]);
        let constant = |name: &String| graph.initializers.iter().find(|tensor| tensor.name == *name);
        reshapes.filter_map(constant).map(|tensor| tensor.to_i64s().unwrap()).collect::<Vec<_>>()
    };
    let roberta = targets(Family::Roberta);
    assert_eq!(roberta.iter().filter(|target| **target == [0, -1, 32]).count(), 2, "{roberta:?}");
    let bert = targets(Family::Bert);
    assert_eq!(bert.iter().filter(|target| **target == [0, 0, 32]).count(), 2, "{bert:?}");
}

fn export(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_export")).current_dir(workspace()).args(arguments).output().unwrap()
}

/// The one line that a failed command writes.
fn failure(arguments: &[&str]) -> String {
    let output = export(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
    message
}

/// A Hugging Face folder with the weights of a small network.
fn folder(config: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let read = EncoderConfig::read(folder.path(), None).unwrap();
    let network = Encoder::random(&read, 1, &Device::flex());
    let tensors = network.state_dict();
    std::fs::write(folder.path().join("model.safetensors"), models::weights::to_safetensors(&tensors).unwrap())
        .unwrap();
    let tokenizer = workspace().join("crates/models/tests/fixtures/encoder_tokenizers/bert-uncased/tokenizer.json");
    std::fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();
    folder
}

fn distilbert() -> Value {
    json!({"model_type": "distilbert", "architectures": ["DistilBertForSequenceClassification"], "vocab_size": 330, "dim": 16,
        "n_layers": 1, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 40, "id2label": {"0": "bad", "1": "good"}})
}

#[test]
fn a_folder_becomes_a_folder_that_other_programs_take() {
    let source = folder(&distilbert());
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("out");
    let (from, to) = (source.path().to_str().unwrap(), target.to_str().unwrap());
    let output = export(&["encoder", "--hf-dir", from, "--out", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = Model::load(target.join("onnx/model.onnx")).unwrap();
    assert_eq!(model.metadata.get("encoder.task").map(String::as_str), Some("text-classification"));
    assert_eq!(
        model.graph.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(),
        ["input_ids", "attention_mask"]
    );
    for name in ["config.json", "tokenizer.json"] {
        assert_eq!(
            std::fs::read(target.join(name)).unwrap(),
            std::fs::read(source.path().join(name)).unwrap(),
            "{name}"
        );
    }
    // For another task the configuration says so, and a folder without modules gets those of the mean.
    let output = export(&["encoder", "--hf-dir", from, "--task", "sentence-embeddings", "--out", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&std::fs::read(target.join("config.json")).unwrap()).unwrap();
    assert_eq!(said["architectures"], json!(["DistilBertModel"]));
    assert_eq!(EncoderConfig::read(&target, None).unwrap().task, EncoderTask::SentenceEmbeddings);
    let object = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(target.join(name)).unwrap()).unwrap() };
    let switches = |on: &str| {
        let pooling = object("1_Pooling/config.json");
        for way in ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"] {
            assert_eq!(pooling[format!("pooling_mode_{way}")], json!(way == on), "{pooling}");
        }
    };
    switches("mean_tokens");
    // The way of pooling as sentence-transformers 6 writes it, and the special tokens as transformers 5 does.
    let modules = json!([{"path": "", "type": "a.Transformer"}, {"path": "1_Pooling", "type": "a.Pooling"}]);
    std::fs::create_dir(source.path().join("1_Pooling")).unwrap();
    let write = |name: &str, value: &Value| std::fs::write(source.path().join(name), value.to_string()).unwrap();
    write("modules.json", &modules);
    write("1_Pooling/config.json", &json!({"embedding_dimension": 16, "pooling_mode": "cls"}));
    write(
        "tokenizer_config.json",
        &json!({"pad_token": "[PAD]", "cls_token": {"content": "[CLS]"}, "model_max_length": 40}),
    );
    let output = export(&["encoder", "--hf-dir", from, "--out", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    switches("cls_token");
    assert_eq!(object("1_Pooling/config.json")["pooling_mode"], "cls");
    assert_eq!(object("special_tokens_map.json"), json!({"pad_token": "[PAD]", "cls_token": {"content": "[CLS]"}}));
    // Without a network the folder decides.
    let output = export(&["--hf-dir", from, "--out", out.path().join("alone.onnx").to_str().unwrap(), "--opset", "17"]);
    assert!(output.status.success() && out.path().join("alone.onnx").is_file());
}

#[test]
fn what_cannot_be_exported_is_a_sentence_and_leaves_nothing() {
    let source = folder(&distilbert());
    let from = source.path().to_str().unwrap();
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("out");
    let to = out.to_str().unwrap();
    let with = |config: Value| std::fs::write(source.path().join("config.json"), config.to_string()).unwrap();
    let refused = |expected: &str| {
        let message = failure(&["encoder", "--hf-dir", from, "--out", to]);
        assert!(message.contains(expected), "{message}");
        assert!(!out.exists());
    };
    assert!(failure(&["encoder"]).contains("name a Hugging Face folder with --hf-dir FOLDER"));
    with(json!({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}));
    refused("the model type is \"gpt2\", which is no encoder here; supported: bert, distilbert");
    let mut changed = distilbert();
    changed["activation"] = json!("mish");
    with(changed.clone());
    refused("hidden_act = mish is not supported; supported: gelu");
    changed = distilbert();
    changed["n_layers"] = json!(2);
    with(changed);
    refused("distilbert.transformer.layer.1.");
    with(distilbert());
    let mut few = distilbert();
    few["vocab_size"] = json!(300);
    let few = folder(&few);
    let message = failure(&["encoder", "--hf-dir", few.path().to_str().unwrap(), "--out", to]);
    assert!(message.contains("and the network knows 300 tokens: they do not belong together"), "{message}");
    assert!(!out.exists());
    // An index that names a file which is not there.
    std::fs::rename(source.path().join("model.safetensors"), source.path().join("kept")).unwrap();
    let index =
        json!({"weight_map": {"distilbert.embeddings.word_embeddings.weight": "model-00001-of-00002.safetensors"}});
    std::fs::write(source.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    refused("model-00001-of-00002.safetensors");
    std::fs::remove_file(source.path().join("model.safetensors.index.json")).unwrap();
    std::fs::rename(source.path().join("kept"), source.path().join("model.safetensors")).unwrap();
    // The folder that it comes from, and one with somebody's files.
    let message = failure(&["encoder", "--hf-dir", from, "--out", from]);
    assert!(message.contains("it has no onnx/model.onnx, so no export wrote it"), "{message}");
    assert!(
        failure(&["bert-qa", "--hf-dir", from, "--axes", "optimum"]).contains("--axes is for encoders of any family")
    );
}
