//! A real pretrained encoder, which `cargo xtask fetch minilm` brings.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use models::bert::{BertConfig, BertModel, TokenBatch};
use models::encoder::{self, Encoder, EncoderConfig, EncoderTask, EncoderTokenizer, Side};
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

/// As in `generate_minilm_sentences.py`.
fn sentences() -> Vec<String> {
    let who = ["A man", "The old queen", "Nobody", "My neighbour's cat", "中国人", "Zoë"];
    let does = ["is playing", "never forgot", "paints, slowly and with care,", "sold", "cannot find"];
    let what = ["the guitar.", "a café in Zürich!", "e\u{301}tudes", "3.14 % of it", "what was lost 🤗"];
    let mut sentences = Vec::new();
    for who in who {
        for does in does {
            sentences.extend(what.map(|what| format!("{who} {does} {what}")));
        }
    }
    sentences.push("A very long sentence that goes on. ".repeat(60));
    sentences
}

#[test]
fn sentences_have_the_vectors_of_sentence_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/minilm");
    let device = Device::flex();
    let config = EncoderConfig::read(&folder, None).unwrap();
    assert_eq!((config.task, config.sentence.max_seq_length), (EncoderTask::SentenceEmbeddings, Some(256)));
    let (network, _) = Encoder::load(&config, Checkpoint::open(&folder).unwrap(), &device).unwrap();
    let tokenizer = EncoderTokenizer::open(&folder, &config).unwrap();
    let sentences = sentences();
    let tokens: Vec<_> = sentences.iter().map(|text| tokenizer.encode(text, None).unwrap()).collect();
    assert_eq!((tokens.last().unwrap().len(), tokens.last().unwrap().truncated), (256, true));
    let mut vectors: Vec<f32> = Vec::new();
    for chunk in tokens.chunks(30) {
        let sequences: Vec<_> = chunk.iter().map(|tokens| tokens.sequence()).collect();
        let batch = encoder::TokenBatch::padded(&sequences, Side::Left, &config).unwrap();
        let (ids, mask, types) = batch.to_tensors(&config, &device);
        let rows = network.forward(ids, mask, types).rows.remove(0);
        vectors.extend(rows.try_into_vec_as::<f32>().unwrap());
    }
    let expected = tensors("minilm_sentences.safetensors");
    let first = &expected["first"].values;
    for (found, expected) in vectors.chunks(384).zip(first.chunks(384)) {
        // Both have the length 1.
        let cosine: f64 = found.iter().zip(expected).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        assert!(cosine >= 1.0 - 1e-5, "{cosine}");
    }
    let some: Vec<f32> = vectors.iter().copied().step_by(24).collect();
    assert_eq!(expected["some"].shape, [sentences.len(), 16]);
    let off = difference(&some, &expected["some"].values);
    assert!(off <= 1e-5, "off by {off}");
}
