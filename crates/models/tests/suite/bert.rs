//! BERT against transformers'.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use models::bert::{
    BertConfig, BertForQuestionAnswering, HiddenAct, InputError, Sequence, TokenBatch, state_dict_name,
};
use models::weights::{Checkpoint, WeightsError, parameter_names, state_dict, to_safetensors};

use crate::support::{difference, fixture, integers, tensors};

/// As in `generate_bert.py`.
const SEED: u64 = 31;

/// The bound for every size. PyTorch's own float32 logits are up to 8.3e-6 from its float64 ones at the tiny size, and
/// 8e-7 at the base size.
const TOLERANCE: f32 = 1e-4;

fn tiny() -> BertConfig {
    BertConfig {
        vocab_size: 101,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        intermediate_size: 48,
        max_position_embeddings: 40,
        type_vocab_size: 3,
        // The deviation that the script gives the tiny network.
        initializer_range: 0.3,
        ..BertConfig::base()
    }
}

/// As `inputs` in `generate_bert.py`.
fn inputs(batch: usize, length: usize, config: &BertConfig) -> TokenBatch {
    let name = format!("{batch}x{length}");
    let ids = integers(SEED, &format!("ids {name}"), batch * length, config.vocab_size as u64);
    let types = integers(SEED, &format!("types {name}"), batch * length, config.type_vocab_size as u64);
    let mask = (0..batch).flat_map(|row| {
        let kept = length - row * length / 9;
        (0..length).map(move |position| i64::from(position < kept))
    });
    TokenBatch::new(ids, mask.collect(), types, length, config).unwrap()
}

/// Start logits of the whole batch, then end logits.
fn logits(network: &BertForQuestionAnswering, batch: &TokenBatch, device: &Device) -> Vec<f32> {
    let [ids, mask, types] = batch.to_tensors(device);
    let (start, end) = network.forward(ids, mask, types);
    let both: Tensor<3> = Tensor::stack(vec![start, end], 0);
    both.try_into_vec_as().unwrap()
}

#[test]
fn parameters_are_transformers() {
    let expected: BTreeMap<String, Vec<usize>> =
        serde_json::from_slice(&std::fs::read(fixture("bert_names.json")).unwrap()).unwrap();
    let network = BertForQuestionAnswering::new(&tiny(), &Device::flex());
    let found: BTreeMap<_, _> = parameter_names(&network, state_dict_name).into_iter().collect();
    assert_eq!(found, expected);
}

#[test]
fn a_tiny_network_gives_the_logits_of_transformers_with_every_activation() {
    let device = Device::flex();
    let expected = tensors("bert_tiny.safetensors");
    let activations = [
        ("gelu", HiddenAct::Gelu),
        ("gelu_new", HiddenAct::GeluTanh),
        ("relu", HiddenAct::Relu),
        ("silu", HiddenAct::Silu),
        ("quick_gelu", HiddenAct::QuickGelu),
        ("tanh", HiddenAct::Tanh),
    ];
    let mut all = Vec::new();
    for (name, hidden_act) in activations {
        let config = BertConfig { hidden_act, layer_norm_eps: 1e-5, ..tiny() };
        let network = BertForQuestionAnswering::random(&config, SEED, &device);
        let found = logits(&network, &inputs(3, 11, &config), &device);
        for reference in [name.to_owned(), format!("{name} exact")] {
            let off = difference(&found, &expected[&reference].values);
            assert!(off <= TOLERANCE, "{reference}: off by {off}");
        }
        all.push(found);
    }
    // No two activations are close enough to be confused at this tolerance.
    for (index, a) in all.iter().enumerate() {
        for b in &all[..index] {
            assert!(difference(a, b) > 10.0 * TOLERANCE);
        }
    }
}

#[test]
fn a_tiny_network_gives_the_logits_of_transformers_at_every_size() {
    let device = Device::flex();
    let expected = tensors("bert_tiny.safetensors");
    let network = BertForQuestionAnswering::random(&tiny(), SEED, &device);
    for batch in [1, 8] {
        for length in [1, 2, 17, 40] {
            let name = format!("{batch}x{length}");
            let found = logits(&network, &inputs(batch, length, &tiny()), &device);
            let off = difference(&found, &expected[&name].values);
            assert!(off <= TOLERANCE, "{name}: off by {off}");
        }
    }
}

#[test]
fn the_base_size_gives_the_logits_of_transformers() {
    let device = Device::flex();
    let config = BertConfig::base();
    let expected = tensors("bert_base.safetensors");
    let network = BertForQuestionAnswering::random(&config, SEED, &device);
    for length in [1, 17, 128, 384, 512] {
        let expected = &expected[&format!("8x{length}")].values;
        let batch = inputs(8, length, &config);
        let off = difference(&logits(&network, &batch, &device), expected);
        assert!(off <= TOLERANCE, "batch 8, length {length}: off by {off}");

        // The first sequence is whole, so it must come out the same alone.
        let first = |ids: &[i64]| ids[..length].to_vec();
        let ids = [batch.input_ids(), batch.attention_mask(), batch.token_type_ids()].map(first);
        let [ids, mask, types] = ids;
        let alone = TokenBatch::new(ids, mask, types, length, &config).unwrap();
        let first = [&expected[..length], &expected[8 * length..9 * length]].concat();
        let off = difference(&logits(&network, &alone, &device), &first);
        assert!(off <= TOLERANCE, "batch 1, length {length}: off by {off}");
    }
}

#[test]
fn padding_does_not_change_the_logits() {
    let device = Device::flex();
    let config = tiny();
    let network = BertForQuestionAnswering::random(&config, SEED, &device);
    let ids = integers(1, "ids", 30, 101);
    let types = vec![1; 30];
    let sequences = [7, 30, 1].map(|length| Sequence { input_ids: &ids[..length], token_type_ids: &types[..length] });
    let together = logits(&network, &TokenBatch::padded(&sequences, &config).unwrap(), &device);
    for (row, sequence) in sequences.iter().enumerate() {
        let length = sequence.input_ids.len();
        let alone = logits(&network, &TokenBatch::padded(&[*sequence], &config).unwrap(), &device);
        let [start, end] = [0, 3].map(|first| &together[(first + row) * 30..][..length]);
        let off = difference(&alone, &[start, end].concat());
        assert!(off <= 1e-5, "{length} tokens: off by {off}");
    }
}

/// The weights of `network` in a file, under other names.
fn file(network: &BertForQuestionAnswering, folder: &Path, rename: impl Fn(&str) -> String) -> PathBuf {
    let tensors = state_dict(network, state_dict_name);
    let tensors = tensors.into_iter().map(|(name, data)| (rename(&name), data)).collect();
    let path = folder.join("model.safetensors");
    std::fs::write(&path, to_safetensors(&tensors).unwrap()).unwrap();
    path
}

#[test]
fn weights_load_under_the_names_of_every_age() {
    let device = Device::flex();
    let config = tiny();
    let network = BertForQuestionAnswering::random(&config, SEED, &device);
    let batch = inputs(3, 11, &config);
    let expected = logits(&network, &batch, &device);
    let folder = tempfile::tempdir().unwrap();
    let old =
        |name: &str| name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    let bare = |name: &str| name.strip_prefix("bert.").unwrap_or(name).to_owned();
    type Rename<'a> = &'a dyn Fn(&str) -> String;
    let renamings: [(&str, Rename); 7] = [
        ("as they are", &str::to_owned),
        ("gamma and beta", &old),
        ("without prefix", &bare),
        ("both", &|name: &str| old(&bare(name))),
        ("in a wrapper", &|name: &str| format!("module.{name}")),
        ("in two wrappers, without prefix", &|name: &str| format!("state_dict.model.{}", old(&bare(name)))),
        ("compiled", &|name: &str| format!("_orig_mod.{name}")),
    ];
    for (what, rename) in renamings {
        let path = file(&network, folder.path(), rename);
        let checkpoint = Checkpoint::open(&path).unwrap();
        let (loaded, report) = BertForQuestionAnswering::load(&config, checkpoint, &device).unwrap();
        assert!(report.left_aside.is_empty(), "{what}: {:?}", report.left_aside);
        assert_eq!(logits(&loaded, &batch, &device), expected, "{what}");
    }
}

#[test]
fn missing_and_unexpected_weights_are_listed() {
    let device = Device::flex();
    let network = BertForQuestionAnswering::random(&tiny(), SEED, &device);
    let folder = tempfile::tempdir().unwrap();
    let path = file(&network, folder.path(), |name| name.replace("qa_outputs", "classifier"));
    let load = |config: &BertConfig| {
        BertForQuestionAnswering::load(config, Checkpoint::open(&path).unwrap(), &device).unwrap_err()
    };
    let error = load(&tiny());
    let WeightsError::Mismatch { missing, misshaped, unexpected, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, &["qa_outputs.weight", "qa_outputs.bias"]);
    assert!(misshaped.is_empty());
    assert_eq!(unexpected, &["classifier.bias", "classifier.weight"]);

    let error = load(&BertConfig { num_hidden_layers: 3, vocab_size: 102, ..tiny() });
    let WeightsError::Mismatch { missing, misshaped, .. } = &error else { panic!("{error}") };
    assert_eq!(missing.len(), 2 + 16);
    assert!(missing.contains(&"bert.encoder.layer.2.attention.self.query.weight".to_owned()), "{missing:?}");
    assert_eq!(misshaped[0].to_string(), "bert.embeddings.word_embeddings.weight [101, 32] instead of [102, 32]");
}

#[test]
fn tokens_that_do_not_suit_the_network_are_refused() {
    let config = tiny();
    let sequence = |input_ids: &[i64], token_type_ids: &[i64]| {
        TokenBatch::padded(&[Sequence { input_ids, token_type_ids }], &config)
    };
    assert_eq!(sequence(&[], &[]).unwrap_err(), InputError::Empty);
    assert_eq!(TokenBatch::padded(&[], &config).unwrap_err(), InputError::Empty);
    let text = sequence(&[1, 2], &[0]).unwrap_err().to_string();
    assert_eq!(text, "token_type_ids has 1 elements where input_ids has 2");
    let text = sequence(&[1; 41], &[0; 41]).unwrap_err().to_string();
    assert_eq!(text, "41 tokens are more than the model's 40 positions");
    for id in [-1, 101, i64::MAX] {
        let text = sequence(&[1, 2, id], &[0; 3]).unwrap_err().to_string();
        assert_eq!(text, format!("input_ids holds {id} at sequence 0, position 2; valid are 0 to 100"));
    }
    let text = sequence(&[1, 2], &[0, 3]).unwrap_err().to_string();
    assert_eq!(text, "token_type_ids holds 3 at sequence 0, position 1; valid are 0 to 2");
    let text = TokenBatch::new(vec![1; 4], vec![1, 1, 2, 1], vec![0; 4], 2, &config).unwrap_err().to_string();
    assert_eq!(text, "attention_mask holds 2 at sequence 1, position 0; valid are 0 to 1");
    assert!(TokenBatch::new(vec![1; 4], vec![1; 4], vec![0; 4], 0, &config).is_err());
    assert!(TokenBatch::new(vec![1; 4], vec![1; 4], vec![0; 4], 3, &config).is_err());
}

fn config(json: &str) -> Result<BertConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, json).unwrap();
    BertConfig::read(&path).map_err(|error| error.to_string())
}

#[test]
fn a_configuration_is_read_with_the_defaults_of_transformers() {
    assert_eq!(config(r#"{"model_type": "bert"}"#).unwrap(), BertConfig::base());
    // Older files have no `model_type`, and bear a byte-order mark where an editor put one.
    assert_eq!(config("\u{feff}{\"architectures\": [\"BertForQuestionAnswering\"]}").unwrap(), BertConfig::base());
    assert_eq!(config(r#"{"architectures": ["BertForMaskedLM"], "model_type": "bert"}"#).unwrap(), BertConfig::base());
    let large = r#"{"architectures": ["BertForQuestionAnswering"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 4096, "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512, "num_attention_heads": 16, "num_hidden_layers": 24, "pad_token_id": 0,
        "type_vocab_size": 2, "vocab_size": 30522, "attention_probs_dropout_prob": 0.1}"#;
    assert_eq!(config(large).unwrap(), BertConfig::large());
    assert_eq!(BertConfig::large().head_size(), 64);
    let other = config(r#"{"model_type": "bert", "hidden_act": "gelu_new", "layer_norm_eps": 1e-5}"#).unwrap();
    assert_eq!((other.hidden_act, other.layer_norm_eps), (HiddenAct::GeluTanh, 1e-5));
}

#[test]
fn a_configuration_that_is_not_supported_is_named() {
    let cases = [
        ("{", "is not a model configuration"),
        ("[1, 2]", "is not a model configuration"),
        ("{}", "the model type is \"\", and only \"bert\" is supported"),
        (r#"{"architectures": ["RobertaModel"]}"#, "the model type is \"RobertaModel\""),
        (r#"{"architectures": []}"#, "the model type is \"\", and only"),
        (
            r#"{"model_type": "bert", "architectures": ["BertForSequenceClassification"]}"#,
            "it is of BertForSequenceClassification, which does not answer questions",
        ),
        (r#"{"architectures": ["BertForTokenClassification"]}"#, "it is of BertForTokenClassification"),
        (r#"{"model_type": "distilbert"}"#, "the model type is \"distilbert\""),
        (r#"{"model_type": "bert", "hidden_act": "mish"}"#, "hidden_act = mish is not supported; supported: gelu, "),
        (
            r#"{"model_type": "bert", "position_embedding_type": "relative_key"}"#,
            "position_embedding_type = relative_key is not supported; supported: absolute",
        ),
        (r#"{"model_type": "bert", "is_decoder": true}"#, "is_decoder = true is not supported"),
        (
            r#"{"model_type": "bert", "hidden_size": 30}"#,
            "hidden_size = 30 cannot be shared by num_attention_heads = 12",
        ),
        (r#"{"model_type": "bert", "num_hidden_layers": 0}"#, "num_hidden_layers = 0 is not a size"),
        (r#"{"model_type": "bert", "vocab_size": -5}"#, "is not a model configuration"),
        (r#"{"model_type": "bert", "layer_norm_eps": 0.0}"#, "layer_norm_eps = 0 is not positive"),
    ];
    for (json, expected) in cases {
        let text = config(json).unwrap_err();
        assert!(text.contains(expected), "{json}: {text}");
    }
    let text = BertConfig::read(Path::new("no/such/config.json")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read no/such/config.json: "), "{text}");
}
