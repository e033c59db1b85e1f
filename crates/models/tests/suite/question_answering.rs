//! Question answering against transformers': windows, answers and SQuAD's figures.

use std::ops::Range;

use burn::tensor::Device;
use models::bert::{BertConfig, BertForQuestionAnswering, TokenBatch};
use models::question_answering::{
    LogitsError, QaTokenizer, QuestionError, SpanOptions, TokenizerError, Window, WindowLogits, WindowOptions,
    article_answer, best_answers, squad,
};
use serde::Deserialize;

use crate::support::{difference, fixture};

/// As in `generate_question_answering.py`.
const SEED: u64 = 41;
const WINDOWS: WindowOptions = WindowOptions { length: 40, stride: 8 };
const SPANS: SpanOptions = SpanOptions { max_tokens: 6, count: 5 };

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    cased: Vec<Cased>,
    judged: Vec<Judged>,
}

#[derive(Deserialize)]
struct Case {
    question: String,
    context: String,
    windows: Vec<ExpectedWindow>,
    answers: Vec<ExpectedAnswer>,
    article: ExpectedArticle,
}

#[derive(Deserialize)]
struct ExpectedWindow {
    input_ids: Vec<i64>,
    token_type_ids: Vec<i64>,
    /// In characters.
    offsets: Vec<Option<[usize; 2]>>,
    start_logits: Vec<f32>,
    end_logits: Vec<f32>,
}

#[derive(Deserialize)]
struct ExpectedAnswer {
    start: usize,
    end: usize,
    score: f64,
    text: String,
}

#[derive(Deserialize)]
struct ExpectedArticle {
    start_token: usize,
    end_token: usize,
    text: String,
}

#[derive(Deserialize)]
struct Cased {
    text: String,
    ids: Vec<i64>,
}

#[derive(Deserialize)]
struct Judged {
    prediction: String,
    answers: Vec<String>,
    exact: u8,
    f1: f64,
}

fn folder() -> std::path::PathBuf {
    fixture("question_answering")
}

fn expectations() -> Fixture {
    serde_json::from_slice(&std::fs::read(folder().join("cases.json")).unwrap()).unwrap()
}

/// The tokenizer from `tokenizer.json`, and the same one from `vocab.txt` and `tokenizer_config.json`.
fn tokenizers() -> [QaTokenizer; 2] {
    let apart = tempfile::tempdir().unwrap();
    for name in ["vocab.txt", "tokenizer_config.json"] {
        std::fs::copy(folder().join(name), apart.path().join(name)).unwrap();
    }
    [QaTokenizer::open(folder()).unwrap(), QaTokenizer::open(apart.path()).unwrap()]
}

fn logits(windows: &[ExpectedWindow]) -> Vec<WindowLogits<'_>> {
    windows.iter().map(|window| WindowLogits { start: &window.start_logits, end: &window.end_logits }).collect()
}

#[test]
fn windows_are_those_of_transformers() {
    for tokenizer in tokenizers() {
        assert_eq!(tokenizer.size(), 201);
        for case in expectations().cases {
            let windows = tokenizer.windows(&case.question, &case.context, &WINDOWS).unwrap();
            assert_eq!(windows.len(), case.windows.len(), "{}", case.question);
            for (found, expected) in windows.iter().zip(&case.windows) {
                assert_eq!(found.input_ids(), expected.input_ids, "{}", case.question);
                assert_eq!(found.token_type_ids(), expected.token_type_ids, "{}", case.question);
                let characters =
                    |bytes: &Range<usize>| [bytes.start, bytes.end].map(|byte| case.context[..byte].chars().count());
                let offsets: Vec<_> = found.source().iter().map(|bytes| bytes.as_ref().map(characters)).collect();
                assert_eq!(offsets, expected.offsets, "{}", case.question);
            }
        }
    }
}

/// The bytes of any run of tokens lead back to them, and what a window does not hold whole is not in it.
#[test]
fn the_tokens_of_an_answer_are_found_in_the_windows_that_hold_it() {
    let [tokenizer, _] = tokenizers();
    let (mut found, mut beyond) = (0, 0);
    for case in expectations().cases {
        let windows = tokenizer.windows(&case.question, &case.context, &WINDOWS).unwrap();
        for window in &windows {
            let tokens: Vec<(usize, &Range<usize>)> = window
                .source()
                .iter()
                .enumerate()
                .filter_map(|(index, bytes)| Some((index, bytes.as_ref()?)))
                .collect();
            for run in tokens.windows(3) {
                let [(first, start), _, (last, end)] = run else { unreachable!() };
                assert_eq!(window.tokens_of(start.start..end.end), Some((*first, *last)), "{}", case.question);
                found += 1;
            }
            let (_, end) = tokens.last().unwrap();
            if end.end < case.context.len() {
                assert_eq!(window.tokens_of(end.start..end.end + 1), None, "{}", case.question);
                beyond += 1;
            }
        }
    }
    assert!(found > 50 && beyond > 0, "{found} {beyond}");
}

#[test]
fn a_cased_vocabulary_keeps_case_and_accents() {
    let tokenizer = QaTokenizer::open(folder().join("cased")).unwrap();
    for case in expectations().cased {
        let options = WindowOptions { length: 1000, stride: 0 };
        let [window] = &tokenizer.windows("?", &case.text, &options).unwrap()[..] else { panic!("several windows") };
        // [CLS] ? [SEP] … [SEP]
        assert_eq!(&window.input_ids()[3..window.len() - 1], case.ids, "{}", case.text);
    }
}

#[test]
fn answers_are_those_of_transformers() {
    let [tokenizer, _] = tokenizers();
    for case in expectations().cases {
        let windows = tokenizer.windows(&case.question, &case.context, &WINDOWS).unwrap();
        let logits = logits(&case.windows);
        let answers = best_answers(&case.context, &windows, &logits, &SPANS).unwrap();
        assert_eq!(answers.len(), case.answers.len(), "{}", case.question);
        for (found, expected) in answers.iter().zip(&case.answers) {
            assert_eq!((found.start, found.end), (expected.start, expected.end), "{}", case.question);
            assert_eq!(found.text, expected.text);
            // Rust adds float32 logits in float64, as the script does.
            assert!((found.score / expected.score - 1.0).abs() < 1e-9, "{} {}", found.score, expected.score);
        }
        let one = best_answers(&case.context, &windows, &logits, &SpanOptions { count: 1, ..SPANS }).unwrap();
        assert_eq!(one, answers[..1]);

        let article = article_answer(&tokenizer, &windows[0], &logits[0]).unwrap();
        let expected = case.article;
        assert_eq!((article.start_token, article.end_token), (expected.start_token, expected.end_token));
        assert_eq!(article.text, expected.text);
    }
}

#[test]
fn a_model_folder_gives_the_logits_of_transformers() {
    let device = Device::flex();
    let config = BertConfig::read(&folder().join("config.json")).unwrap();
    let network = BertForQuestionAnswering::random(&config, SEED, &device);
    let [tokenizer, _] = tokenizers();
    for case in expectations().cases {
        let windows = tokenizer.windows(&case.question, &case.context, &WINDOWS).unwrap();
        let sequences: Vec<_> = windows.iter().map(Window::sequence).collect();
        let batch = TokenBatch::padded(&sequences, &config).unwrap();
        let [ids, mask, types] = batch.to_tensors(&device);
        let (start, end) = network.forward(ids, mask, types);
        let [start, end]: [Vec<f32>; 2] = [start, end].map(|logits| logits.try_into_vec_as().unwrap());
        for (row, expected) in case.windows.iter().enumerate() {
            let length = expected.input_ids.len();
            for (found, expected) in [(&start, &expected.start_logits), (&end, &expected.end_logits)] {
                let off = difference(&found[row * batch.sequence()..][..length], expected);
                assert!(off <= 1e-4, "{}: off by {off}", case.question);
            }
        }
    }
}

#[test]
fn a_span_stays_in_the_context_of_one_window_and_below_its_limit() {
    let [tokenizer, _] = tokenizers();
    let context = "the cat sat on the mat near the river";
    let options = WindowOptions { length: 12, stride: 4 };
    let windows = tokenizer.windows("who sat", context, &options).unwrap();
    // [CLS] who sat [SEP] and [SEP] leave 7 of 12; 9 tokens need two windows that share 4.
    assert_eq!(windows.iter().map(Window::len).collect::<Vec<_>>(), [12, 11]);

    // The question is the best span by far, an end before a start the second, a whole window the third.
    let flat = vec![0.0; 12];
    let peak = |position: usize, height: f32| {
        let mut logits = flat.clone();
        logits[position] = height;
        logits
    };
    let (start, end) = (peak(1, 90.0), peak(2, 90.0));
    let logits = [WindowLogits { start: &start, end: &end }, WindowLogits { start: &flat, end: &flat }];
    let options = SpanOptions { max_tokens: 3, count: 100 };
    let answers = best_answers(context, &windows, &logits, &options).unwrap();
    assert!(answers.iter().all(|answer| answer.text.split(' ').count() <= 3 && answer.start_logit == 0.0));
    // Every run of one to three of nine words lies in one of the windows, and is there once.
    assert_eq!(answers.len(), 9 + 8 + 7);

    // Start and end are chosen together: the end at token 4 cannot serve the start at token 9.
    let (start, end) = (peak(9, 5.0), peak(4, 8.0));
    let logits = [WindowLogits { start: &start, end: &end }, WindowLogits { start: &flat, end: &flat }];
    let best = &best_answers(context, &windows, &logits, &SpanOptions { count: 1, ..options }).unwrap()[0];
    assert_eq!((best.text.as_str(), best.start_logit, best.end_logit), ("the", 0.0, 8.0));
    assert_eq!((best.start, best.end), (0, 3));

    // A better sum in a later window wins, though its own window is less sure.
    let (start, end) = (vec![6.0; 12], vec![6.0; 12]);
    let first = WindowLogits { start: &peak(4, 5.0), end: &peak(4, 5.0) };
    let answers = best_answers(context, &windows, &[first, WindowLogits { start: &start, end: &end }], &options);
    assert_eq!(answers.unwrap()[0].start_logit, 6.0);
}

#[test]
fn logits_that_do_not_belong_to_the_windows_are_refused() {
    let [tokenizer, _] = tokenizers();
    let windows = tokenizer.windows("who", "the cat", &WINDOWS).unwrap();
    let length = windows[0].len();
    let good = vec![0.0; length];
    let search = |logits: &[WindowLogits]| best_answers("the cat", &windows, logits, &SPANS).unwrap_err();
    assert_eq!(search(&[]), LogitsError::Windows { found: 0, expected: 1 });
    let short = WindowLogits { start: &good, end: &good[1..] };
    assert_eq!(search(&[short]), LogitsError::Tokens { window: 0, found: length - 1, expected: length });
    let mut bad = good.clone();
    bad[3] = f32::NAN;
    let bad = WindowLogits { start: &bad, end: &good };
    assert_eq!(search(&[bad]), LogitsError::NotANumber { window: 0, position: 3 });
    assert!(article_answer(&tokenizer, &windows[0], &bad).is_err());
    assert!(article_answer(&tokenizer, &windows[0], &short).is_err());
}

#[test]
fn questions_that_cannot_be_asked_are_refused() {
    let [tokenizer, _] = tokenizers();
    let ask = |question: &str, context: &str| tokenizer.windows(question, context, &WINDOWS).unwrap_err();
    assert_eq!(ask("", "cat"), QuestionError::EmptyQuestion);
    assert_eq!(ask(" \n\t", "cat"), QuestionError::EmptyQuestion);
    assert_eq!(ask("who", ""), QuestionError::EmptyContext);
    assert_eq!(ask("who", "\u{200b}\u{0}"), QuestionError::EmptyContext);
    assert_eq!(ask(&"who ".repeat(37), "cat"), QuestionError::QuestionTooLong { tokens: 37, length: 40 });
    assert_eq!(ask(&"who ".repeat(5000), "cat"), QuestionError::QuestionTooLong { tokens: 5000, length: 40 });
    // One token of room is enough.
    let windows = tokenizer.windows(&"who ".repeat(36), "the cat sat", &WINDOWS).unwrap();
    assert_eq!(windows.len(), 3);
}

#[test]
fn a_hundred_thousand_words_are_searched_to_the_last() {
    let [tokenizer, _] = tokenizers();
    let context = "cat ".repeat(99_999) + "puppet";
    let options = WindowOptions::default();
    let windows = tokenizer.windows("who was jim", &context, &options).unwrap();
    // 384 less [CLS], three words and two [SEP] are 378 tokens, and each further window brings 250 more.
    assert_eq!(windows.len(), 1 + (100_000_usize - 378).div_ceil(250));
    let logits: Vec<Vec<f32>> = windows.iter().map(|window| vec![0.0; window.len()]).collect();
    let mut start: Vec<_> = logits.clone();
    let last = start.last_mut().unwrap();
    let puppet = last.len() - 2;
    last[puppet] = 9.0;
    let both: Vec<_> = start.iter().map(|values| WindowLogits { start: values, end: values }).collect();
    let best = &best_answers(&context, &windows, &both, &SpanOptions::default()).unwrap()[0];
    assert_eq!((best.text.as_str(), best.start, best.end), ("puppet", 399_996, 400_002));
}

#[test]
fn unusable_tokenizers_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = || QaTokenizer::open(folder.path()).unwrap_err();
    assert!(matches!(open(), TokenizerError::Missing { .. }));
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("vocab.txt", "a\nb\n");
    assert!(open().to_string().contains("vocab.txt is not a usable tokenizer file: it lacks the token [UNK]"));
    write("vocab.txt", "[UNK]\n[SEP]\n[CLS]\na\n");
    write("tokenizer_config.json", "nonsense");
    assert!(open().to_string().contains("tokenizer_config.json is not a usable tokenizer file"));
    write("tokenizer_config.json", r#"{"sep_token": {"content": "</s>", "lstrip": false}}"#);
    assert!(open().to_string().contains("it lacks the token </s>"));
    write("tokenizer_config.json", "{}");
    assert_eq!(QaTokenizer::open(folder.path()).unwrap().size(), 4);
    write("tokenizer.json", "{}");
    assert!(open().to_string().contains("tokenizer.json is not a usable tokenizer file"));
    let model = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": null, "model": {"type": "WordPiece",
        "unk_token": "[UNK]", "continuing_subword_prefix": "\#\#", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0}}}"#;
    write("tokenizer.json", &model.replace("\\#", "#"));
    assert!(open().to_string().contains("tokenizer.json is not a usable tokenizer file: it lacks the token [SEP]"));
    write("tokenizer_config.json", r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#);
    assert!(open().to_string().contains("does not say how a question and a context are joined"));
}

#[test]
fn answers_are_judged_as_the_official_script_judges() {
    for case in expectations().judged {
        let Judged { prediction, answers, exact, f1 } = case;
        assert_eq!(squad::exact_match(&prediction, &answers), exact == 1, "{prediction:?} {answers:?}");
        let found = squad::f1(&prediction, &answers);
        assert!((found - f1).abs() < 1e-12, "{prediction:?} {answers:?}: {found} instead of {f1}");
    }
    // By version 1.1's script, nothing but articles has no word in common with anything; later versions differ.
    let the = ["the".to_owned()];
    assert!(squad::exact_match("A", &the));
    assert_eq!(squad::f1("A", &the), 0.0);
}
