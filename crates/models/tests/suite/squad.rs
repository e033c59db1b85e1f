//! SQuAD files in every layout, and answers judged as the official scripts judge.

use std::path::Path;

use models::question_answering::squad::{self, Rules, SquadQuestion};
use models::question_answering::{QaTokenizer, WindowLogits, WindowOptions, best_answers, no_answer_total};
use serde::Deserialize;

use crate::support::fixture;

fn squad_file(json: &str) -> Result<Vec<squad::SquadQuestion>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dev.json");
    std::fs::write(&path, json).unwrap();
    squad::read(&path).map_err(|error| error.to_string())
}

#[test]
fn squad_files_are_read_in_order() {
    let json = r#"{"version": "1.1", "data": [
        {"title": "A", "paragraphs": [{"context": "Ccc.", "qas": [
            {"id": "1", "question": "Q1?", "answers": [{"answer_start": 0, "text": "Ccc"}, {"answer_start": 0, "text": "C"}]},
            {"id": "2", "question": "Q2?", "answers": [{"answer_start": 3, "text": "."}]}]}]},
        {"title": "B", "paragraphs": [{"context": "Ddd", "qas": [
            {"id": "3", "question": "Q3?", "answers": [{"answer_start": 0, "text": "Ddd"}]}]}]}]}"#;
    let questions = squad_file(json).unwrap();
    let found: Vec<_> = questions.iter().map(|q| (q.id.as_str(), q.question.as_str(), &*q.context)).collect();
    assert_eq!(found, [("1", "Q1?", "Ccc."), ("2", "Q2?", "Ccc."), ("3", "Q3?", "Ddd")]);
    assert_eq!(questions[0].answers, ["Ccc", "C"]);

    let cases = [
        ("{}", "is not in SQuAD's format: missing field `data`"),
        (r#"{"data": []}"#, "holds no questions"),
        (
            r#"{"data": [{"context": "C", "question": "Q"}]}"#,
            "has neither paragraphs nor context, id, question and answers",
        ),
        (r#"{"data": [{"context""#, "is not in SQuAD's format"),
    ];
    for (json, expected) in cases {
        let text = squad_file(json).unwrap_err();
        assert!(text.contains(expected), "{text}");
    }
    assert!(squad::read(Path::new("no/such.json")).unwrap_err().to_string().starts_with("cannot read no/such.json"));
}

/// Articles are those of the file, or the titles of a flat one; an answer's place is counted in characters, not bytes.
#[test]
fn articles_and_places_of_answers_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.json");
    let labelled = |json: &str| {
        std::fs::write(&path, json).unwrap();
        squad::read_labelled(&path).unwrap()
    };
    let entry = |id: u32, start: &str, text: &str| {
        format!(r#"{{"id": {id}, "question": "Q?", "answers": [{{"text": "{text}"{start}}}]}}"#)
    };
    let places =
        [entry(1, r#", "answer_start": 3"#, "ß d"), entry(2, "", "é"), entry(3, r#", "answer_start": 6"#, "dd")];
    let nested = format!(
        r#"{{"data": [{{"title": "A", "paragraphs": [{{"context": "é ñß d", "qas": [{}]}}]}},
            {{"title": "A", "paragraphs": [{{"context": "b", "qas": [{}]}}]}}]}}"#,
        places.join(","),
        entry(4, r#", "answer_start": 0"#, "b")
    );
    let found = labelled(&nested);
    // é, a space and ñ are five bytes; the second has no place, and the third lies outside.
    let answers: Vec<_> = found.iter().map(|one| one.answer()).collect();
    assert_eq!(answers, [Some(5..9), None, None, Some(0..1)]);
    assert_eq!(&found[0].question.context[5..9], "ß d");
    assert_eq!(found.iter().map(|one| one.article).collect::<Vec<_>>(), [0, 0, 0, 1]);

    let flat = |title: &str, context: &str| {
        format!(
            r#"{{"id": 1, {title}"context": "{context}", "question": "Q", "answers": {{"text": ["c"], "answer_start": [0]}}}}"#
        )
    };
    let articles = |entries: &[String]| {
        labelled(&format!("[{}]", entries.join(","))).iter().map(|one| one.article).collect::<Vec<_>>()
    };
    let (a, b) = (r#""title": "A", "#, r#""title": "B", "#);
    assert_eq!(articles(&[flat(a, "c"), flat(a, "cc"), flat(b, "ccc"), flat(b, "c")]), [0, 0, 1, 1]);
    assert_eq!(articles(&[flat("", "c"), flat("", "c"), flat("", "cc")]), [0, 0, 1]);
}

/// As Hugging Face's data sets and their server give the same questions, and as people number them.
#[test]
fn every_layout_gives_the_same_questions() {
    let answers = r#"{"text": ["Ccc", "C"], "answer_start": [0, 0]}"#;
    let first = format!(r#"{{"id": 1, "title": "A", "context": "Ccc.", "question": "Q1?", "answers": {answers}}}"#);
    let second = r#"{"id": "2", "context": "Ccc.", "question": "Q2?", "answers": [{"text": ".", "answer_start": 3}]}"#;
    let nested = r#"{"data": [{"paragraphs": [{"context": "Ccc.", "qas": [
        {"id": 1, "question": "Q1?", "answers": [{"text": "Ccc"}, {"text": "C"}]},
        {"id": 2, "question": "Q2?", "answers": [{"text": "."}]}]}]}]}"#;
    let expected = squad_file(nested).unwrap();
    assert_eq!(expected.iter().map(|question| question.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    let layouts = [
        format!("[{first}, {second}]"),
        format!(r#"{{"version": "1.1", "data": [{first}, {second}]}}"#),
        format!(r#"{{"features": [], "rows": [{{"row_idx": 0, "row": {first}}}, {{"row_idx": 1, "row": {second}}}]}}"#),
        format!("{first}\n{second}\n"),
        format!("\u{feff}{nested}"),
    ];
    for layout in layouts {
        assert_eq!(squad_file(&layout).unwrap(), expected, "{layout}");
    }
    assert_eq!(squad_file(&first).unwrap(), expected[..1]);
}

#[derive(Deserialize)]
struct Judged {
    prediction: String,
    answers: Vec<String>,
    exact: u8,
    f1: f64,
}

#[test]
fn version_2_is_judged_as_its_official_script_judges() {
    let file = std::fs::read(fixture("squad_version_2.json")).unwrap();
    let judged: Vec<Judged> = serde_json::from_slice(&file).unwrap();
    for Judged { prediction, answers, exact, f1 } in judged {
        let question = SquadQuestion {
            id: "q".to_owned(),
            question: "?".to_owned(),
            context: "c".into(),
            answers,
            rules: Rules::Version2,
        };
        assert_eq!(question.exact_match(&prediction), exact == 1, "{prediction:?} {:?}", question.answers);
        let found = question.f1(&prediction);
        assert!((found - f1).abs() < 1e-12, "{prediction:?} {:?}: {found} instead of {f1}", question.answers);
        if question.answers.is_empty() {
            assert_eq!(squad::exact_match(&prediction, &[]), exact == 1);
            assert_eq!(squad::f1(&prediction, &[]), f1);
        }
    }
}

#[test]
fn questions_without_answers_put_a_file_under_the_rules_of_version_2() {
    let file = |version: &str, answers: &str| {
        let json = format!(
            r#"{{"version": {version}, "data": [{{"paragraphs": [{{"context": "C", "qas": [
                {{"id": "1", "question": "Q?", "is_impossible": false, "answers": [{{"text": "C", "answer_start": 0}}]}},
                {{"id": "2", "question": "R?", "is_impossible": true, "answers": {answers},
                  "plausible_answers": [{{"text": "C", "answer_start": 0}}]}}]}}]}}]}}"#
        );
        squad_file(&json).unwrap()
    };
    let some = r#"[{"text": "C"}]"#;
    assert_eq!(file("\"1.1\"", some)[0].rules, Rules::Version1);
    assert_eq!(file("\"v2.0\"", some)[0].rules, Rules::Version2);
    assert_eq!(file("2", some)[0].rules, Rules::Version2);
    let questions = file("\"1.1\"", "[]");
    assert_eq!(questions[0].rules, Rules::Version2);
    assert!(questions[1].answers.is_empty());
    assert!(questions[1].exact_match("") && !questions[1].exact_match("C"));
}

/// The first token's logits of the window where they are least stand for "no answer".
#[test]
fn no_answer_scores_as_the_least_of_its_windows() {
    let tokenizer = QaTokenizer::open(fixture("question_answering")).unwrap();
    let context = "the cat sat on the mat near the river";
    let windows = tokenizer.windows("who sat", context, &WindowOptions { length: 12, stride: 4 }).unwrap();
    let mut flat = [vec![0.0; 12], vec![0.0; 12]];
    (flat[0][0], flat[1][0]) = (4.0, 1.5);
    let logits = [&flat[0], &flat[1]].map(|values| WindowLogits { start: values, end: values });
    assert_eq!(no_answer_total(&windows, &logits).unwrap(), 3.0);
    let best = &best_answers(context, &windows, &logits, &Default::default()).unwrap()[0];
    assert_eq!(best.total(), 0.0);
    assert!(no_answer_total(&windows, &logits[..1]).is_err());
}
