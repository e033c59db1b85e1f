//! Encoders of every family for every task against transformers and sentence-transformers.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use models::bert::Sequence;
use models::encoder::{Encoder, EncoderConfig, EncoderTask, Family, Outputs, Side, TokenBatch};
use models::weights::{Checkpoint, WeightsError, to_safetensors};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::{Expected, difference, fixture, integers, normal, tensors};

/// As in `generate_encoders.py`.
const SEED: u64 = 47;
const DEVIATION: f64 = 0.2;
const VOCABULARY: u64 = 101;

/// The bound for every number, absolute up to 1 and relative above: the largest logits are about 40.
const TOLERANCE: f32 = 1e-4;

/// A network as `generate_encoders.py` saved it.
#[derive(Deserialize)]
struct Saved {
    config: Map<String, Value>,
    tensors: BTreeMap<String, Vec<usize>>,
    #[serde(default)]
    files: BTreeMap<String, Value>,
    #[serde(default)]
    dense: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    longest: usize,
}

type Fixture = BTreeMap<String, BTreeMap<String, Saved>>;

fn described() -> Fixture {
    serde_json::from_slice(&std::fs::read(fixture("encoders.json")).unwrap()).unwrap()
}

/// Tensors by the formula in a file.
fn write(path: &Path, shapes: &BTreeMap<String, Vec<usize>>, rename: impl Fn(&str) -> String) {
    let tensor = |(name, shape): (&String, &Vec<usize>)| {
        let mean = if name.to_lowercase().contains("norm") && name.ends_with("weight") { 1.0 } else { 0.0 };
        let values = normal(SEED, name, shape.iter().product(), DEVIATION, mean);
        (rename(name), burn::tensor::TensorData::new(values, shape.clone()))
    };
    let tensors = shapes.iter().map(tensor).collect();
    std::fs::write(path, to_safetensors(&tensors).unwrap()).unwrap();
}

impl Saved {
    /// The folder that `save_pretrained` left, with what stands beside it.
    fn folder(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), serde_json::to_vec(&self.config).unwrap()).unwrap();
        write(&folder.path().join("model.safetensors"), &self.tensors, str::to_owned);
        for (name, content) in &self.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, serde_json::to_vec(content).unwrap()).unwrap();
        }
        for (name, shapes) in &self.dense {
            write(&folder.path().join(name).join("model.safetensors"), shapes, str::to_owned);
        }
        folder
    }
}

fn load(folder: &Path) -> (Encoder, EncoderConfig) {
    let config = EncoderConfig::read(folder, None).unwrap();
    let (network, report) = Encoder::load(&config, Checkpoint::open(folder).unwrap(), &Device::flex()).unwrap();
    assert!(report.prefix.is_empty(), "{report:?}");
    (network, config)
}

/// As `inputs` in `generate_encoders.py`, with padding on either side.
fn inputs(batch: usize, length: usize, side: Side, config: &EncoderConfig) -> TokenBatch {
    let name = format!("{batch}x{length}");
    let ids = integers(SEED, &format!("ids {name}"), batch * length, VOCABULARY);
    let types = match config.family.has_types() {
        true => integers(SEED, &format!("types {name}"), batch * length, 2),
        false => vec![0; batch * length],
    };
    let kept = |row: usize| (length - row * length / 9).max(1);
    let sequences: Vec<Sequence> = (0..batch)
        .map(|row| {
            let range = row * length..row * length + kept(row);
            Sequence { input_ids: &ids[range.clone()], token_type_ids: &types[range] }
        })
        .collect();
    TokenBatch::padded(&sequences, side, config).unwrap()
}

/// The outputs by name: shape and numbers.
fn run(network: &Encoder, config: &EncoderConfig, batch: &TokenBatch) -> BTreeMap<&'static str, Expected> {
    let (ids, mask, types) = batch.to_tensors(config, &Device::flex());
    let Outputs { tokens, rows } = network.forward(ids, mask, types);
    let whole = tokens.map(|x| Expected { shape: x.dims().to_vec(), values: x.try_into_vec_as().unwrap() });
    let rows = rows.into_iter().map(|x| Expected { shape: x.dims().to_vec(), values: x.try_into_vec_as().unwrap() });
    config.task.outputs().iter().copied().zip(whole.into_iter().chain(rows)).collect()
}

/// The numbers of an output without those of padding.
fn real(output: &Expected, batch: &TokenBatch, config: &EncoderConfig) -> Vec<f32> {
    if output.shape[..2] != [batch.batch(), batch.sequence()] {
        return output.values.clone();
    }
    let mask = batch.lists(config).find(|(name, _)| *name == "attention_mask").unwrap().1;
    let width = output.shape.get(2).copied().unwrap_or(1);
    let rows = output.values.chunks(width).zip(mask).filter(|(_, mask)| **mask == 1);
    rows.flat_map(|(row, _)| row.iter().copied()).collect()
}

fn off(a: &[f32], b: &[f32]) -> f32 {
    let size = b.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    difference(a, b) / size
}

#[test]
fn every_family_gives_for_every_task_what_transformers_gives() {
    let expected = tensors("encoders.safetensors");
    let mut compared = 0;
    for (family, tasks) in described() {
        for (task, saved) in tasks {
            let folder = saved.folder();
            let (network, config) = load(folder.path());
            assert_eq!((config.family.model_type(), config.task.name()), (family.as_str(), task.as_str()));
            assert_eq!(config.longest(), saved.longest);
            for (batch, length) in [(1, 1), (2, 1), (7, 17), (1, 17), (2, 128), (1, saved.longest), (7, saved.longest)]
            {
                let right = inputs(batch, length, Side::Right, &config);
                let left = inputs(batch, length, Side::Left, &config);
                let found = run(&network, &config, &right);
                let mirrored = run(&network, &config, &left);
                for (name, output) in &found {
                    let name = format!("{family} {task} {name} {batch}x{length}");
                    let numbers = real(output, &right, &config);
                    let places = integers(SEED, &format!("drawn {name}"), 48, numbers.len() as u64);
                    let drawn: Vec<f32> = places.iter().map(|place| numbers[*place as usize]).collect();
                    let apart = off(&drawn, &expected[&name].values);
                    assert!(apart <= TOLERANCE, "{name}: off by {apart}");
                    compared += 1;
                }
                for (name, output) in &mirrored {
                    let apart = off(&real(output, &left, &config), &real(&found[name], &right, &config));
                    assert!(apart <= TOLERANCE, "{family} {task} {name} {batch}x{length}, padded left: off by {apart}");
                }
            }
        }
    }
    assert_eq!(compared, expected.len());
}

#[test]
fn parameters_are_transformers_but_for_what_takes_no_part() {
    for (family, tasks) in described() {
        for (task, saved) in tasks {
            let folder = saved.folder();
            let (network, _) = load(folder.path());
            let mut rest = saved.tensors.clone();
            for (name, shape) in network.parameter_names() {
                let bare = name.split_once('.').map_or(name.as_str(), |(_, rest)| rest);
                let stored = rest.remove(&name).or_else(|| rest.remove(bare));
                assert_eq!(stored, Some(shape), "{family} {task}: {name}");
            }
            // The pooler, and the second bias of a head for masks that has a matrix of its own.
            let idle = |name: &String| name.contains("pooler") || name.ends_with("decoder.bias");
            assert!(rest.keys().all(idle), "{family} {task}: {:?}", rest.keys());
        }
    }
}

#[test]
fn weights_load_under_the_names_of_every_age() {
    let described = described();
    type Rename<'a> = &'a dyn Fn(&str) -> String;
    for family in Family::ALL {
        let saved = &described[family.model_type()]["fill-mask"];
        let folder = saved.folder();
        let (network, config) = load(folder.path());
        let batch = inputs(2, 17, Side::Right, &config);
        let expected = run(&network, &config, &batch).remove("logits").unwrap().values;
        let bare = |name: &str| {
            let base = ["bert.", "distilbert.", "roberta.", "electra.", "mpnet.", "albert.", "model."];
            base.iter().find_map(|base| name.strip_prefix(base)).unwrap_or(name).to_owned()
        };
        let old = |name: &str| {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        };
        let renamings: [(&str, Rename); 4] = [
            ("gamma and beta", &old),
            ("without the name of the encoder", &bare),
            ("in a wrapper", &|name: &str| format!("module.{name}")),
            ("in two wrappers", &|name: &str| format!("state_dict.net.{}", old(name))),
        ];
        for (what, rename) in renamings {
            write(&folder.path().join("model.safetensors"), &saved.tensors, rename);
            let (loaded, _) =
                Encoder::load(&config, Checkpoint::open(folder.path()).unwrap(), &Device::flex()).unwrap();
            let found = run(&loaded, &config, &batch).remove("logits").unwrap().values;
            assert_eq!(found, expected, "{} {what}", family.model_type());
        }
    }
}

#[test]
fn a_head_that_is_missing_is_named_with_what_the_file_has() {
    let saved = &described()["bert"]["fill-mask"];
    let folder = saved.folder();
    let config = EncoderConfig::read(folder.path(), Some(EncoderTask::TokenClassification)).unwrap();
    let error = Encoder::load(&config, Checkpoint::open(folder.path()).unwrap(), &Device::flex()).unwrap_err();
    let WeightsError::Mismatch { missing, unexpected, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, &["classifier.weight", "classifier.bias"]);
    assert!(unexpected.contains(&"cls.predictions.bias".to_owned()), "{unexpected:?}");
    // For its hidden states no head is needed.
    let config = EncoderConfig::read(folder.path(), Some(EncoderTask::FeatureExtraction)).unwrap();
    let loaded = Encoder::load(&config, Checkpoint::open(folder.path()).unwrap(), &Device::flex());
    assert_eq!(loaded.unwrap().1.left_aside.len(), 7);
}

fn refusal(config: &Value, modules: Option<&Value>) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    if let Some(modules) = modules {
        std::fs::write(folder.path().join("modules.json"), modules.to_string()).unwrap();
    }
    let text = EncoderConfig::read(folder.path(), None).unwrap_err().to_string();
    text.replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn what_is_not_supported_is_named() {
    let with = |key: &str, value: Value| json!({"model_type": "bert", "architectures": ["BertModel"], key: value});
    let of =
        |family: &str, key: &str, value: Value| json!({"model_type": family, "architectures": ["XModel"], key: value});
    let cases = [
        (
            json!({"model_type": "gpt2"}),
            "FOLDER/config.json: the model type is \"gpt2\", which is no encoder here; supported: bert,",
        ),
        (json!({"model_type": "vit", "architectures": ["ViTModel"]}), "the model type is \"vit\""),
        (json!({"architectures": ["LlamaForCausalLM"]}), "the model type is \"LlamaForCausalLM\""),
        (json!({}), "the model type is \"\""),
        (json!([1]), "FOLDER/config.json is not a usable configuration"),
        (
            json!({"model_type": "bert", "architectures": ["BertForNextSentencePrediction"]}),
            "architectures = \"BertForNextSentencePrediction\" names no task that is supported; say with --task",
        ),
        (with("hidden_act", json!("mish")), "hidden_act = mish is not supported; supported: gelu, "),
        (with("position_embedding_type", json!("relative_key")), "position_embedding_type = relative_key"),
        (with("is_decoder", json!(true)), "is_decoder = true is not supported"),
        (with("hidden_size", json!(30)), "hidden_size = 30 cannot be shared by num_attention_heads = 12"),
        (with("num_hidden_layers", json!(0)), "num_hidden_layers = 0 is not a size"),
        (with("pad_token_id", json!(40_000)), "pad_token_id = 40000 is outside the vocabulary of 30522 tokens"),
        (with("problem_type", json!("ranking")), "problem_type = ranking is not supported"),
        (of("albert", "inner_group_num", json!(2)), "inner_group_num = 2 is not supported; supported: 1"),
        (of("mpnet", "relative_attention_num_buckets", json!(64)), "relative_attention_num_buckets = 64"),
        (of("modernbert", "rope_scaling", json!({"type": "linear"})), "rope_scaling = some is not supported"),
        (
            of("modernbert", "layer_types", json!(["full_attention"])),
            "layer_types names 1 layers, and num_hidden_layers = 22",
        ),
        (of("modernbert", "classifier_pooling", json!("last")), "classifier_pooling = last is not supported"),
    ];
    for (config, expected) in cases {
        let text = refusal(&config, None);
        assert!(text.contains(expected), "{config}: {text}");
    }
    let plain = with("x", json!(0));
    let module = |index: u32, path: &str, class: &str| json!({"idx": index, "name": "", "path": path, "type": class});
    let encoder = module(0, "", "sentence_transformers.models.Transformer");
    let text = refusal(&plain, Some(&json!([encoder, module(1, "1_LSTM", "sentence_transformers.models.LSTM")])));
    assert!(text.contains("modules.json: type = sentence_transformers.models.LSTM is not supported"), "{text}");
    let text = refusal(&plain, Some(&json!([encoder, module(1, "../x", "sentence_transformers.models.Pooling")])));
    assert!(text.contains("\"../x\" is no folder inside"), "{text}");
    let text = refusal(&plain, Some(&json!([encoder])));
    assert!(text.contains("type = no Pooling is not supported"), "{text}");
}
