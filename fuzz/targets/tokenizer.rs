//! Tokenizers of model folders, with their settings, and what they make of a question.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::question_answering::{QaTokenizer, SpanOptions, WindowLogits, WindowOptions, best_answers};

const CONTEXT: &str = "Jim Henson was a nice puppeteer. Café naïve: 中国 [SEP]";

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let [tokenizer, settings, special, added, vocabulary] = fuzz::parts(data);
    let folder = fuzz::folder_of(&[
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", settings),
        ("special_tokens_map.json", special),
        ("added_tokens.json", added),
        ("vocab.txt", vocabulary),
    ]);
    let Ok(tokenizer) = QaTokenizer::open(&folder) else { return };
    let _ = (tokenizer.warnings(), tokenizer.size());
    let Ok(windows) = tokenizer.windows("Who was Jim Henson ?", CONTEXT, &WindowOptions::default()) else { return };
    let logits: Vec<Vec<f32>> = windows.iter().map(|window| vec![0.5; window.len()]).collect();
    let logits: Vec<WindowLogits> = logits.iter().map(|logits| WindowLogits { start: logits, end: logits }).collect();
    let _ = best_answers(CONTEXT, &windows, &logits, &SpanOptions::default());
});
