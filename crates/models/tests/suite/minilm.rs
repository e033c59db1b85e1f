//! A real pretrained encoder, which `cargo xtask fetch minilm` brings.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use models::bert::{BertConfig, BertModel, TokenBatch};
use models::question_answering::{QaTokenizer, WindowOptions};
use models::weights::Checkpoint;

use crate::support::{difference, tensors};

/// The hidden states reach 10.5, and PyTorch's own float32 ones are up to 4e-6 from its float64 ones.
const TOLERANCE: f32 = 5e-5;

#[test]
fn a_pretrained_encoder_gives_the_hidden_states_of_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/minilm");
    assert!(folder.join("model.safetensors").is_file(), "no pretrained encoder (`cargo xtask fetch minilm` gets it)");
    let device = Device::flex();
    let config = BertConfig::read(&folder.join("config.json")).unwrap();
    assert_eq!((config.num_hidden_layers, config.hidden_size, config.vocab_size), (6, 384, 30_522));
    let (network, report) = BertModel::load(&config, Checkpoint::open(&folder).unwrap(), &device).unwrap();
    assert_eq!(report.left_aside, ["bert.embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"]);

    let expected = tensors("minilm.safetensors");
    let tokenizer = QaTokenizer::open(&folder).unwrap();
    assert_eq!(tokenizer.size(), config.vocab_size);
    let (question, context) = ("Who was Jim Henson ?", "Jim Henson was a puppeteer");
    let windows = tokenizer.windows(question, context, &WindowOptions::default()).unwrap();
    let batch = TokenBatch::padded(&[windows[0].sequence()], &config).unwrap();
    let ids: Vec<f32> = batch.input_ids().iter().map(|id| *id as f32).collect();
    assert_eq!(ids, expected["input_ids"].values);

    let [ids, mask, types] = batch.to_tensors(&device);
    let states = network.hidden_states(ids.clone(), mask.clone(), types.clone());
    let last: Vec<f32> = network.forward(ids, mask, types).try_into_vec_as().unwrap();
    let states: Vec<f32> = Tensor::cat(states, 0).try_into_vec_as().unwrap();
    let expected = &expected["hidden_states"].values;
    let off = difference(&states, expected);
    assert!(off <= TOLERANCE, "off by {off}");
    assert_eq!(last, states[states.len() - last.len()..]);
}
