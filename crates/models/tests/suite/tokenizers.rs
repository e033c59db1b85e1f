//! Tokenizers of model folders whose files disagree, against transformers'.

use std::path::Path;

use models::question_answering::{QaTokenizer, TokenizerError, WindowOptions};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::fixture;

#[derive(Deserialize)]
struct Fixture {
    question: String,
    text: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    changes: Option<Map<String, Value>>,
    files: Map<String, Value>,
    ids: Vec<i64>,
}

/// A folder as `generate_tokenizers.py` makes it.
fn write(folder: &Path, changes: Option<&Map<String, Value>>, files: &Map<String, Value>) {
    let base = fixture("question_answering");
    match changes {
        None => drop(std::fs::copy(base.join("vocab.txt"), folder.join("vocab.txt")).unwrap()),
        Some(changes) => {
            let saved = std::fs::read(base.join("tokenizer.json")).unwrap();
            let mut saved: Map<String, Value> = serde_json::from_slice(&saved).unwrap();
            saved.extend(changes.clone());
            std::fs::write(folder.join("tokenizer.json"), serde_json::to_vec(&saved).unwrap()).unwrap();
        }
    }
    for (name, content) in files {
        std::fs::write(folder.join(name), serde_json::to_vec(content).unwrap()).unwrap();
    }
}

fn ids(tokenizer: &QaTokenizer, question: &str, text: &str) -> Vec<i64> {
    let windows = tokenizer.windows(question, text, &WindowOptions { length: 1000, stride: 0 }).unwrap();
    let [window] = &windows[..] else { panic!("{} windows", windows.len()) };
    window.input_ids().to_vec()
}

#[test]
fn folders_are_read_as_transformers_reads_them() {
    let expected: Fixture = serde_json::from_slice(&std::fs::read(fixture("tokenizers.json")).unwrap()).unwrap();
    for case in &expected.cases {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), case.changes.as_ref(), &case.files);
        let tokenizer = QaTokenizer::open(folder.path()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(ids(&tokenizer, &expected.question, &expected.text), case.ids, "{}", case.name);
        let warns = case.name == "another normalizer";
        assert_eq!(!tokenizer.warnings().is_empty(), warns, "{}: {:?}", case.name, tokenizer.warnings());
    }
    assert_eq!(expected.cases.len(), 16);
}

/// transformers lowercases a cased `tokenizer.json` when `tokenizer_config.json` is silent, which nobody means.
#[test]
fn a_cased_file_stays_cased_where_nothing_is_stated_and_a_warning_says_so() {
    let expected: Fixture = serde_json::from_slice(&std::fs::read(fixture("tokenizers.json")).unwrap()).unwrap();
    let cased = json!({"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": false}});
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), cased.as_object(), &Map::new());
    let tokenizer = QaTokenizer::open(folder.path()).unwrap();
    let kept = expected.cases.iter().find(|case| case.name == "config keeps case").unwrap();
    assert_eq!(ids(&tokenizer, &expected.question, &expected.text), kept.ids);
    let [warning] = tokenizer.warnings() else { panic!("{:?}", tokenizer.warnings()) };
    assert!(warning.contains("says do_lower_case = false, and tokenizer_config.json does not"), "{warning}");
    assert!(warning.contains("transformers 5 takes true then"), "{warning}");
}

#[test]
fn what_is_not_followed_is_refused_by_name() {
    let cases = [
        (json!({"tokenizer_class": "RobertaTokenizer"}), "tokenizer_class = RobertaTokenizer is not followed"),
        (json!({"padding_side": "left"}), "padding_side = left is not followed; supported: right"),
        (json!({"truncation_side": "left"}), "truncation_side = left is not followed; supported: right"),
        (json!({"do_lower_case": "no"}), "do_lower_case is \"no\", not true or false"),
        (json!({"added_tokens_decoder": {"x": "<new>"}}), "\"x\" in added_tokens_decoder is no token id"),
        (json!({"cls_token": "<s>"}), "it lacks the token <s>"),
    ];
    for (config, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let files = json!({"tokenizer_config.json": config});
        write(folder.path(), Some(&Map::new()), files.as_object().unwrap());
        let text = QaTokenizer::open(folder.path()).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let bytes = json!({"model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}});
    write(folder.path(), bytes.as_object(), &Map::new());
    let error = QaTokenizer::open(folder.path()).unwrap_err();
    assert!(matches!(error, TokenizerError::Unsupported { setting: "model.type", .. }), "{error}");
}

#[test]
fn every_file_that_counts_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let files = json!({"tokenizer_config.json": {}, "added_tokens.json": {}, "config.json": {}});
    write(folder.path(), None, files.as_object().unwrap());
    let files = QaTokenizer::files(folder.path());
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["tokenizer_config.json", "added_tokens.json", "vocab.txt"]);
}

/// As Windows' editors write JSON.
#[test]
fn byte_order_marks_are_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), Some(&Map::new()), &Map::new());
    let path = folder.path().join("tokenizer.json");
    let marked = [&[0xef, 0xbb, 0xbf], std::fs::read(&path).unwrap().as_slice()].concat();
    std::fs::write(&path, marked).unwrap();
    let text = "{\"do_lower_case\": false}";
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    std::fs::write(folder.path().join("tokenizer_config.json"), wide).unwrap();
    let tokenizer = QaTokenizer::open(folder.path()).unwrap();
    assert_ne!(ids(&tokenizer, "?", "CAT"), ids(&tokenizer, "?", "cat"));
}
