//! BERT for question answering as a user meets it: from a Hugging Face folder to an ONNX file, answers and figures.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::{fail, program, root, run, succeed};
use serde_json::Value;

/// A tiny model folder; its answers were found by transformers with the weights of this seed.
const FOLDER: &str = "crates/models/tests/fixtures/question_answering";
const SEED: &str = "41";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn export(folder: &Path) -> PathBuf {
    let model = folder.join("bert-qa.onnx");
    let config = root().join(FOLDER).join("config.json");
    let mut command = program("export");
    command.args(["bert-qa", "--random-init", SEED, "--json", "--config"]).arg(config).arg("--out").arg(&model);
    let report = json(&succeed(&mut command));
    assert_eq!(report["opset"], 11);
    assert_eq!(report["verification"]["passed"], true);
    assert_eq!(report["metadata"]["weights.random_init"], SEED);
    model
}

#[test]
fn answers_are_those_of_transformers_in_burn_and_under_onnx_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let cases = json(&fs::read_to_string(root().join(FOLDER).join("cases.json")).unwrap());
    let questions = folder.path().join("questions.jsonl");
    let single = |case: &&Value| case["windows"].as_array().unwrap().len() == 1;
    let cases: Vec<&Value> = cases["cases"].as_array().unwrap().iter().filter(single).collect();
    let lines = cases
        .iter()
        .map(|case| serde_json::json!({"question": case["question"], "context": case["context"]}).to_string() + "\n");
    fs::write(&questions, lines.collect::<String>()).unwrap();
    let mut command = program("infer");
    command.args(["predict", "bert-qa", "--json", "--top", "1", "--max-answer-tokens", "6", "--hf-dir", FOLDER]);
    command.arg("--model").arg(&model).arg("--jsonl").arg(&questions);
    let report = json(&succeed(&mut command));
    assert_eq!((&report["agree"], &report["random_init"]), (&Value::Bool(true), &Value::from(41)));
    for (case, asked) in cases.iter().zip(report["questions"].as_array().unwrap()) {
        assert_eq!(asked["question"], case["question"]);
        for engine in asked["engines"].as_array().unwrap() {
            let (found, expected) = (&engine["answers"][0], &case["answers"][0]);
            for key in ["text", "start", "end"] {
                assert_eq!(found[key], expected[key], "{} {}", engine["engine"], case["question"]);
            }
            let scores = [found, expected].map(|answer| answer["score"].as_f64().unwrap());
            assert!((scores[0] / scores[1] - 1.0).abs() < 1e-4, "{scores:?}");
        }
    }
    assert_eq!(report["questions"].as_array().unwrap().len(), cases.len());

    // An implementation by others, and a second runtime for the file, give the same answers.
    let mut command = program("infer");
    command.args(["predict", "bert-qa", "--json", "--engine", "candle,burn,tract", "--hf-dir", FOLDER]);
    command.args(["--max-answer-tokens", "6"]).arg("--model").arg(&model).arg("--jsonl").arg(&questions);
    let report = json(&succeed(&mut command));
    assert_eq!((&report["agree"], &report["random_init"]), (&Value::Bool(true), &Value::from(41)));
    for (case, asked) in cases.iter().zip(report["questions"].as_array().unwrap()) {
        let engines = asked["engines"].as_array().unwrap();
        let names: Vec<&str> = engines.iter().map(|engine| engine["engine"].as_str().unwrap()).collect();
        assert_eq!(names, ["candle", "burn", "tract"]);
        assert_eq!(engines[0]["answers"][0]["text"], case["answers"][0]["text"]);
    }

    // The default question, as the article picks the answer.
    let mut command = program("infer");
    command.args(["predict", "bert-qa", "--as-article", "--hf-dir", FOLDER]).arg("--model").arg(&model);
    let text = succeed(&mut command);
    assert!(text.starts_with("RANDOM WEIGHTS (seed 41)"), "{text}");
    assert!(text.contains("Who was Jim Henson ?") && text.contains("tokens 13 to 5"), "{text}");
}

/// Parts begin at lines, wherever those are, and a question that cannot be asked costs its own answer only.
#[test]
fn parts_of_a_file_of_questions_are_together_what_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let questions = folder.path().join("questions.jsonl");
    let lines = (0..9).map(|index| {
        let context = "Jim Henson was a puppeteer. ".repeat(1 + index % 4);
        serde_json::json!({"question": "Who was Jim Henson ?", "context": context}).to_string()
    });
    let text = lines.chain(["{\"question\": 1}".to_owned(), String::new()]).collect::<Vec<_>>().join("\n");
    fs::write(&questions, "\u{feff}".to_owned() + &text).unwrap();
    let merged = |count: u32| {
        let parts = folder.path().join(format!("parts-{count}"));
        for index in 0..count {
            let mut command = program("infer");
            command.args(["predict", "bert-qa", "--hf-dir", FOLDER, "--shard", &format!("{index}/{count}")]);
            let said = run(command.arg("--model").arg(&model).arg("--jsonl").arg(&questions).arg("--out").arg(&parts));
            assert!(said.succeeded && said.errors.contains("RANDOM WEIGHTS (seed 41)"), "{said:?}");
        }
        let ended = run(program("infer").args(["predict", "--merge"]).arg(&parts));
        assert!(!ended.succeeded && ended.errors.contains("1 of 10 items got no answer"), "{ended:?}");
        fs::read_to_string(parts.join("predictions.jsonl")).unwrap()
    };
    let one = merged(1);
    // More parts than lines: some are empty.
    for count in [3, 17] {
        assert_eq!(merged(count), one, "{count}");
    }
    let lines: Vec<Value> = one.lines().map(json).collect();
    assert_eq!((lines.len(), &lines[1]["offset"], &lines[11]["items"]), (12, &Value::from(0), &Value::from(10)));
    let text = "\u{feff}".to_owned() + &text;
    for line in &lines[1..11] {
        let begins = line["offset"].as_u64().unwrap() as usize;
        assert!(begins == 0 || text[..begins].ends_with('\n'), "{line}");
        assert_eq!(line["error"].is_string(), begins > 0 && text[begins..].starts_with("{\"question\": 1}"), "{line}");
    }
}

/// The file's path and line stand before what is wrong with each.
#[test]
fn a_bad_question_costs_its_own_answer_only() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let questions = folder.path().join("mixed.jsonl");
    let good = r#"{"question": "Who was Jim Henson ?", "context": "Jim Henson was a puppeteer"}"#;
    let mut lines =
        format!("{good}\n{{\"question\": 1}}\n\n{{\"question\": \"Who ?\", \"context\": \"\"}}\n").into_bytes();
    lines.extend(b"{\"question\": \"caf\xe9\", \"context\": \"x\"}\n");
    lines.extend(good.as_bytes());
    fs::write(&questions, lines).unwrap();
    let mut command = program("infer");
    command.args(["predict", "bert-qa", "--json", "--engine", "burn,tract", "--hf-dir", FOLDER]);
    command.arg("--model").arg(&model).arg("--jsonl").arg(&questions);
    let ended = run(&mut command);
    assert!(!ended.succeeded && ended.errors.contains("3 of 5 questions are not answered by all engines"), "{ended:?}");
    let report = json(&ended.output);
    let asked = report["questions"].as_array().unwrap();
    for place in [0, 4] {
        assert_eq!(asked[place]["engines"].as_array().unwrap().len(), 2);
        assert!(asked[place]["engines"][1]["answers"][0]["score"].as_f64().unwrap() > 0.0);
    }
    for (place, line, reason) in [(1, 2, "is not {"), (2, 4, "the context is empty"), (3, 5, "is not UTF-8 text")] {
        let error = asked[place]["error"].as_str().unwrap();
        assert!(error.contains(reason) && asked[place]["line"] == line, "{report}");
    }
    assert!(ended.errors.contains("mixed.jsonl line 2: it is not {"), "{ended:?}");

    // The one that works answers for itself, and a byte order mark is no part of the first line.
    fs::write(&questions, format!("\u{feff}{good}\n")).unwrap();
    let mut command = program("infer");
    command.args(["predict", "bert-qa", "--json", "--engine", "ort:cpu,tract", "--hf-dir", FOLDER]);
    command.arg("--model").arg(&model).arg("--jsonl").arg(&questions);
    let ended = run(command.env("ORT_DYLIB_PATH", "no/such.so"));
    assert!(!ended.succeeded && ended.errors.contains("ort:cpu gave no answers"), "{ended:?}");
    let report = json(&ended.output);
    assert!(report["failed"][0]["error"].as_str().unwrap().contains("no/such.so"), "{report}");
    assert_eq!(report["questions"][0]["engines"].as_array().unwrap().len(), 1);
}

/// Axes at one, two, a prime and the longest; random tokens with padding, and the article's question.
#[test]
fn every_output_is_compared_with_float64_and_timed() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let out = folder.path().join("eval.json");
    let evaluate = |words: &[&str]| {
        let mut command = program("infer");
        command.args(["eval", "bert-qa", "--hf-dir", FOLDER, "--seconds", "0.01", "--batches", "2"]);
        command.args(words).arg("--model").arg(&model).arg("--out").arg(&out);
        command
    };
    let text = succeed(&mut evaluate(&["--engines", "ort:cpu,tract", "--sequence", "24"]));
    assert!(text.starts_with("RANDOM WEIGHTS (seed 41): ") && text.contains("Passed. No engine deviates"), "{text}");
    let report = json(&fs::read_to_string(&out).unwrap());
    assert_eq!((&report["network"], &report["passed"]), (&"bert-qa".into(), &true.into()));
    for engine in &report["engines"].as_array().unwrap()[1..] {
        let cases = engine["verification"]["cases"].as_array().unwrap();
        for label in ["1 x 1 tokens", "1 x 2 tokens", "1 x 17 tokens", "7 x 16 tokens"] {
            let case = cases.iter().find(|case| case["label"] == label).unwrap_or_else(|| panic!("{label}"));
            let outputs: Vec<&Value> =
                case["outputs"].as_array().unwrap().iter().map(|output| &output["output"]).collect();
            assert_eq!(outputs, ["start_logits", "end_logits"]);
        }
        assert_eq!((&engine["agreement"]["items"], &engine["agreement"]["same"]), (&2.into(), &2.into()));
    }
    let errors = fail(&mut evaluate(&["--sequence", "100000"]));
    assert!(errors.contains("--sequence 100000 is more than the"), "{errors}");
    let errors = fail(&mut evaluate(&["--limit", "3"]));
    assert!(errors.contains("--squad"), "{errors}");
}

/// One weight inside the network is another than Burn's. That is told, and beside a right file the node is named.
#[test]
fn the_node_where_a_file_departs_is_named() {
    const WEIGHT: &str = "bert.encoder.layer.1.intermediate.dense.weight";
    let folder = tempfile::tempdir().unwrap();
    let good = export(folder.path());
    let mut model = onnx_model::Model::load(&good).unwrap();
    let weight = model.graph.initializers.iter_mut().find(|tensor| tensor.name == WEIGHT).unwrap();
    let mut values = weight.to_vec::<f32>().unwrap();
    values[0] += 0.5;
    *weight = onnx_model::Tensor::from_slice(WEIGHT, weight.dims.clone(), &values).unwrap();
    let (changed, out) = (folder.path().join("changed.onnx"), folder.path().join("eval.json"));
    fs::write(&changed, model.encode().unwrap()).unwrap();
    let evaluate = |against: Option<&Path>| {
        let mut command = program("infer");
        command.args(["eval", "bert-qa", "--hf-dir", FOLDER, "--seconds", "0.01", "--batches", "1", "--bisect"]);
        command.arg("--model").arg(&changed).arg("--out").arg(&out);
        command.args(against.iter().flat_map(|path| [Path::new("--against"), path]));
        let ended = run(&mut command);
        assert!(!ended.succeeded, "{ended:?}");
        (json(&fs::read_to_string(&out).unwrap()), ended.output)
    };
    let (report, text) = evaluate(None);
    assert_eq!(report["engines"][1]["departure"], Value::Null);
    assert!(text.contains("changed.onnx deviates by ") && text.contains("--bisect --against OTHER"), "{text}");
    let (report, text) = evaluate(Some(&good));
    let departure = &report["engines"][1]["departure"];
    assert!(departure["name"].as_str().unwrap().contains("layer/1/intermediate"), "{text}");
    // One token of one sequence shows it.
    assert_eq!(departure["sizes"], serde_json::json!({"batch": 1, "sequence": 1}));
}

#[test]
fn squad_is_judged_alike_in_both_engines() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let context = "Jim Henson was a puppeteer. The iron tower of Paris was built in 1889.";
    let entry = |id: &str, question: &str| serde_json::json!({"id": id, "question": question, "answers": [{"text": "Puppeteer.", "answer_start": 17}]});
    let questions = [entry("a", "Who was Jim ?"), entry("b", "What was built ?"), entry("c", "Where ?")];
    let paragraphs = serde_json::json!([{"context": context, "qas": questions}]);
    let squad = folder.path().join("dev.json");
    fs::write(&squad, serde_json::json!({"data": [{"paragraphs": paragraphs}]}).to_string()).unwrap();
    let predictions = folder.path().join("predictions.json");
    let out = folder.path().join("eval.json");
    let mut command = program("infer");
    command.args(["eval", "bert-qa", "--json", "--engine", "burn,ort:cpu", "--hf-dir", FOLDER]);
    command.args(["--seconds", "0.01", "--batches", "1"]);
    command.arg("--model").arg(&model).arg("--squad").arg(&squad);
    command.arg("--out").arg(&out).arg("--predictions").arg(&predictions);
    let printed = json(&succeed(&mut command));
    assert_eq!(printed, json(&fs::read_to_string(&out).unwrap()));
    assert_eq!(printed["random_init"], 41);
    let engines = printed["engines"].as_array().unwrap();
    assert_eq!(engines.len(), 2);
    assert_eq!((&engines[1]["agreement"]["items"], &engines[1]["agreement"]["same"]), (&3.into(), &3.into()));
    for engine in engines {
        for (metric, name) in engine["metrics"].as_array().unwrap().iter().zip(["exact match", "F1"]) {
            assert_eq!(metric["name"], name);
            assert!((0.0..=100.0).contains(&metric["value"].as_f64().unwrap()), "{engine}");
        }
    }
    let answers = printed["predictions"].as_object().unwrap();
    assert_eq!(answers.len(), 3);
    for answer in answers.values() {
        assert!(context.contains(answer.as_str().unwrap()), "{answer}");
    }
    assert_eq!(json(&fs::read_to_string(&predictions).unwrap()), printed["predictions"]);
}

/// The sequence has 40 tokens, so 60 words of question leave no room. No library is found under the name that is given, so
/// `ort:cpu` fails.
#[test]
fn bad_questions_and_failing_engines_do_not_stop_squad() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let entry = |id: &str, question: &str| serde_json::json!({"id": id, "question": question, "answers": [{"text": "Puppeteer.", "answer_start": 17}]});
    let asked = [entry("good", "Who was Jim ?"), entry("empty", " "), entry("long", &"who ".repeat(60))];
    let paragraphs = serde_json::json!([
        {"context": "Jim Henson was a puppeteer.", "qas": asked},
        {"context": "", "qas": [entry("nowhere", "Where ?")]},
    ]);
    let squad = folder.path().join("dev.json");
    fs::write(&squad, serde_json::json!({"data": [{"paragraphs": paragraphs}]}).to_string()).unwrap();
    let out = folder.path().join("squad.json");
    let evaluate = |engines: &str| {
        let mut command = program("infer");
        command.args([
            "eval",
            "bert-qa",
            "--hf-dir",
            FOLDER,
            "--engine",
            engines,
            "--seconds",
            "0.01",
            "--batches",
            "1",
        ]);
        command.arg("--model").arg(&model).arg("--squad").arg(&squad).arg("--out").arg(&out);
        command
    };
    let text = succeed(&mut evaluate("burn,tract"));
    assert!(text.contains("F1"), "{text}");
    let report = json(&fs::read_to_string(&out).unwrap());
    let refused = &report["figures"][0];
    assert_eq!((&refused["kind"], &refused["total"]), (&"list".into(), &3.into()));
    let refused: Vec<&str> = refused["items"].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
    assert_eq!((refused[0], refused[2]), ("empty: the question is empty", "nowhere: the context is empty"));
    assert!(refused[1].starts_with("long: ") && refused[1].contains("60 tokens"), "{refused:?}");
    let predictions: Vec<&String> = report["predictions"].as_object().unwrap().keys().collect();
    assert_eq!(predictions, ["good"]);
    for engine in report["engines"].as_array().unwrap() {
        // At most one of four is right.
        assert!(engine["metrics"][1]["value"].as_f64().unwrap() <= 25.0, "{engine}");
    }

    let predictions = folder.path().join("predictions.json");
    let mut command = evaluate("ort:cpu,tract");
    let ended = run(command.env("ORT_DYLIB_PATH", "no/such.so").arg("--predictions").arg(&predictions));
    assert!(!ended.succeeded && ended.errors.contains("no/such.so"), "{ended:?}");
    assert!(!predictions.exists());
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = export(folder.path());
    let ask = |words: &[&str]| {
        let mut command = program("infer");
        command.args(["predict", "bert-qa", "--hf-dir", FOLDER]).args(words).arg("--model").arg(&model);
        fail(&mut command)
    };
    let text = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    assert!(ask(&["--question", ""]).contains("the question is empty"));
    assert!(ask(&["--context-file", &text("empty.txt", b" \n")]).contains("the context is empty"));
    let errors = ask(&["--context-file", &text("latin.txt", b"caf\xe9")]);
    assert!(errors.contains("latin.txt is not UTF-8 text: the bytes from 3 on"), "{errors}");
    let errors =
        ask(&["--jsonl", &text("bad.jsonl", b"{\"question\": \"a\", \"context\": \"b\"}\n{\"question\": 1}\n")]);
    assert!(errors.contains("bad.jsonl line 2: it is not {"), "{errors}");
    let errors = ask(&["--as-article", "--context", &"cat ".repeat(100)]);
    assert!(errors.contains("the article's way of picking takes one sequence of 40 tokens"), "{errors}");
    let errors = ask(&["--engine", "tpu"]);
    assert!(errors.contains("there is no engine `tpu`"), "{errors}");

    let out = folder.path().join("out.onnx");
    let hf = |directory: &Path| {
        let mut command = program("export");
        command.args(["--task", "question-answering", "--hf-dir"]).arg(directory).arg("--out").arg(&out);
        fail(&mut command)
    };
    // Without weights the three ways on are named.
    let errors = hf(&root().join(FOLDER));
    assert!(errors.contains("holds none of model.safetensors"), "{errors}");
    assert!(["--weights", "--hf-dir", "--random-init"].iter().all(|way| errors.contains(way)), "{errors}");
    fs::write(folder.path().join("config.json"), r#"{"model_type": "gpt2"}"#).unwrap();
    let errors = hf(folder.path());
    assert!(errors.contains("the model type is \"gpt2\", which is no encoder here; supported: bert,"), "{errors}");
    assert!(!out.exists());
}
