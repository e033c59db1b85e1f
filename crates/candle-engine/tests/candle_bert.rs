//! candle-transformers' BERT against transformers' logits, and against Burn's.
//!
//! The fixtures are those of `crates/models`, made by `generate_bert.py` there: weights and inputs come from a formula.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use candle_engine::CandleBert;
use engines::engine::Engine;
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::Weights;
use models::bert::{BertConfig, BertForQuestionAnswering, HiddenAct, TokenBatch, state_dict_name};
use models::weights::{state_dict, to_safetensors};
use networks::engine::BurnEngine;
use networks::questions::{inputs, signature};
use safetensors::SafeTensors;

/// As in `generate_bert.py`.
const SEED: u64 = 31;

/// PyTorch's own float32 logits are up to 8.3e-6 from its float64 ones at the tiny size.
const TOLERANCE: f64 = 1e-4;

fn tiny() -> BertConfig {
    BertConfig {
        vocab_size: 101,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        intermediate_size: 48,
        max_position_embeddings: 40,
        type_vocab_size: 3,
        initializer_range: 0.3,
        ..BertConfig::base()
    }
}

/// The logits of transformers, `[2, batch, sequence]`, by name.
fn fixture(name: &str) -> BTreeMap<String, Vec<f64>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures").join(name);
    let file = std::fs::read(path).unwrap();
    let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let values = view.data().as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
        (name, values.collect())
    };
    SafeTensors::deserialize(&file).unwrap().tensors().into_iter().map(read).collect()
}

/// As `formula_weights.integers`.
fn integers(name: &str, count: usize, below: u64) -> Vec<i64> {
    let mix = |z: u64| {
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let start = mix(SEED) ^ name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    let numbers = (1..=count as u64).map(|index| mix(start.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    numbers.map(|bits| (bits % below) as i64).collect()
}

/// As `inputs` in `generate_bert.py`: each sequence but the first ends in padding.
fn tokens(batch: usize, length: usize, config: &BertConfig) -> Vec<NamedTensor> {
    let name = format!("{batch}x{length}");
    let ids = integers(&format!("ids {name}"), batch * length, config.vocab_size as u64);
    let types = integers(&format!("types {name}"), batch * length, config.type_vocab_size as u64);
    let mask = (0..batch).flat_map(|row| {
        let kept = length - row * length / 9;
        (0..length).map(move |position| i64::from(position < kept))
    });
    inputs(&TokenBatch::new(ids, mask.collect(), types, length, config).unwrap()).unwrap()
}

/// Start logits of the whole batch, then end logits.
fn logits(engine: &mut dyn Engine, inputs: &[NamedTensor]) -> Vec<f64> {
    engine.run(inputs).unwrap().iter().flat_map(|output| output.tensor.to_f64()).collect()
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |most, next| if next <= most { most } else { next })
}

fn candle(config: &BertConfig) -> CandleBert {
    CandleBert::load(config.clone(), &Weights::Random(SEED)).unwrap()
}

#[test]
fn a_tiny_network_gives_the_logits_of_transformers() {
    let expected = fixture("bert_tiny.safetensors");
    let activations = [("gelu", HiddenAct::Gelu), ("gelu_new", HiddenAct::GeluTanh), ("relu", HiddenAct::Relu)];
    for (name, hidden_act) in activations {
        let config = BertConfig { hidden_act, layer_norm_eps: 1e-5, ..tiny() };
        let found = logits(&mut candle(&config), &tokens(3, 11, &config));
        let off = difference(&found, &expected[&format!("{name} exact")]);
        assert!(off <= TOLERANCE, "{name}: off by {off}");
    }
    let mut engine = candle(&tiny());
    assert_eq!((engine.name(), engine.signature()), ("candle", &signature()));
    for batch in [1, 8] {
        for length in [1, 2, 17, 40] {
            let name = format!("{batch}x{length}");
            let off = difference(&logits(&mut engine, &tokens(batch, length, &tiny())), &expected[&name]);
            assert!(off <= TOLERANCE, "{name}: off by {off}");
        }
    }
}

#[test]
fn the_base_size_gives_the_logits_of_transformers_and_of_burn() {
    let config = BertConfig::base();
    let expected = fixture("bert_base.safetensors");
    let device = Device::flex();
    let network = BertForQuestionAnswering::random(&config, SEED, &device);
    let (mut candle, mut burn) = (candle(&config), BurnEngine::new(network, config.clone(), device));
    for length in [1, 17, 128] {
        let tokens = tokens(8, length, &config);
        let found = logits(&mut candle, &tokens);
        let off = difference(&found, &expected[&format!("8x{length}")]);
        assert!(off <= TOLERANCE, "length {length}: off by {off} from transformers");
        let off = difference(&found, &logits(&mut burn, &tokens));
        assert!(off <= TOLERANCE, "length {length}: off by {off} from Burn");
    }
}

/// A model folder with the weights of `SEED` under other names.
fn folder(rename: impl Fn(&str) -> String) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let network = BertForQuestionAnswering::random(&tiny(), SEED, &Device::flex());
    let tensors = state_dict(&network, state_dict_name).into_iter().map(|(name, data)| (rename(&name), data)).collect();
    std::fs::write(folder.path().join("model.safetensors"), to_safetensors(&tensors).unwrap()).unwrap();
    let config = r#"{"model_type": "bert", "vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 40, "type_vocab_size": 3,
        "initializer_range": 0.3}"#;
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

#[test]
fn weights_load_from_a_folder_under_the_names_of_every_age() {
    let tokens = tokens(3, 11, &tiny());
    let expected = logits(&mut candle(&tiny()), &tokens);
    let old = |name: &str| {
        let name = name.strip_prefix("bert.").unwrap_or(name);
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    };
    let renamings: [&dyn Fn(&str) -> String; 2] = [&str::to_owned, &old];
    for rename in renamings {
        let (_kept, path) = folder(rename);
        let mut engine = CandleBert::open(&path, &Weights::At(path.clone())).unwrap();
        assert_eq!(logits(&mut engine, &tokens), expected);
    }
}

#[test]
fn what_candle_cannot_do_is_named() {
    let load = |config: BertConfig| CandleBert::load(config, &Weights::Random(1)).err().unwrap().to_string();
    let text = load(BertConfig { hidden_act: HiddenAct::QuickGelu, ..tiny() });
    assert!(text.contains("candle-transformers has no BERT with the activation QuickGelu"), "{text}");

    let (_kept, path) = folder(|name| name.replace("qa_outputs", "classifier"));
    let text = CandleBert::open(&path, &Weights::At(path.clone())).err().unwrap().to_string();
    assert!(text.contains("2 missing tensors (qa_outputs.weight, qa_outputs.bias)"), "{text}");

    let mut engine = candle(&tiny());
    let mut wrong = tokens(1, 3, &tiny());
    wrong[0] = NamedTensor::new("input_ids", Tensor::new([1, 3], vec![1_i64, 2, 101]).unwrap());
    let text = engine.run(&wrong).unwrap_err().to_string();
    assert!(text.contains("input_ids holds 101 at sequence 0, position 2; valid are 0 to 100"), "{text}");
    let text = engine.run(&[]).unwrap_err().to_string();
    assert_eq!(text, "candle refuses the input `input_ids`: it is missing");
}
