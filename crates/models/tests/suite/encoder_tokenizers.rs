//! The tokenizers of encoders against transformers', on hard texts.

use std::collections::BTreeMap;

use models::encoder::{EncoderConfig, EncoderTask, EncoderTokenizer, Family, TextError};
use serde::Deserialize;

use crate::support::fixture;

#[derive(Deserialize)]
struct Fixture {
    texts: Vec<String>,
    pair: [String; 2],
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    family: String,
    size: usize,
    ids: Vec<Vec<i64>>,
    offsets: Option<Vec<usize>>,
    pair: Option<[Vec<i64>; 2]>,
}

fn config(family: &str, vocab_size: usize) -> EncoderConfig {
    let family = Family::ALL.into_iter().find(|known| known.model_type() == family).unwrap();
    EncoderConfig { vocab_size, ..EncoderConfig::published(family, EncoderTask::FeatureExtraction) }
}

/// As the script adds offsets up.
fn sum(offsets: &[(usize, usize)]) -> usize {
    let weighted = offsets.iter().enumerate();
    weighted.map(|(index, (start, end))| (start + 1) * (index + 1) + end * (index + 7)).sum()
}

#[test]
fn hard_texts_have_the_tokens_of_transformers_and_their_places() {
    let folder = fixture("encoder_tokenizers");
    let Fixture { texts, pair, cases } =
        serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    assert_eq!(cases.len(), 10);
    for (name, case) in cases {
        let tokenizer = EncoderTokenizer::open(&folder.join(&name), &config(&case.family, case.size)).unwrap();
        for (index, text) in texts.iter().enumerate() {
            let tokens = tokenizer.encode(text, None).unwrap();
            assert_eq!(tokens.ids, case.ids[index], "{name}: {text:?}");
            if let Some(offsets) = &case.offsets {
                assert_eq!(sum(&tokens.offsets), offsets[index], "{name}: {text:?} {:?}", tokens.offsets);
            }
        }
        if let Some([ids, types]) = case.pair {
            let tokens = tokenizer.encode(&pair[0], Some(&pair[1])).unwrap();
            assert_eq!((tokens.ids, tokens.types), (ids, types), "{name}");
        }
    }
}

#[test]
fn texts_that_cannot_be_used_are_refused_in_a_sentence() {
    let folder = fixture("encoder_tokenizers").join("roberta");
    let tokenizer = EncoderTokenizer::open(&folder, &config("roberta", 420)).unwrap();
    assert_eq!(tokenizer.encode("", None), Err(TextError::Empty));
    let long = "word ".repeat(100_000);
    let error = tokenizer.encode(&long, None).unwrap_err().to_string();
    assert!(error.contains("tokens, and the network takes 510; shorten it, or cut it with --truncate"), "{error}");
    let cut = tokenizer.clone().truncating(true).encode(&long, None).unwrap();
    let whole = tokenizer.encode(&"word ".repeat(100), None).unwrap();
    assert_eq!((cut.len(), cut.truncated), (510, true));
    assert_eq!(cut.ids[..200], whole.ids[..200]);
    assert_eq!(cut.ids.last(), whole.ids.last());

    let error = EncoderTokenizer::open(&folder, &config("roberta", 400)).unwrap_err().to_string();
    assert!(error.contains("and the network knows 400 tokens: they do not belong together"), "{error}");
    let error = EncoderTokenizer::open(folder.parent().unwrap(), &config("roberta", 420)).unwrap_err().to_string();
    assert!(error.contains("holds neither tokenizer.json nor vocab.txt"), "{error}");
}
