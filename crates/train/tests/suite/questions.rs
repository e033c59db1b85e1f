//! The training of BERT for question answering as a user meets it, with a network so small that it takes a second.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use models::bert::{BertConfig, BertForQuestionAnswering, state_dict_name};
use models::question_answering::squad;
use models::weights::{Checkpoint, state_dict, to_safetensors};
use serde_json::{Value, json};

use crate::interruption::{Training, assert_same_files};
use crate::support::{Place, json_lines, splitmix, tensors};

/// The files that a finished training leaves, sorted.
const RESULTS: [&str; 7] = [
    "config.json",
    "held-out.json",
    "metrics.jsonl",
    "model.safetensors",
    "timings.jsonl",
    "training.json",
    "vocab.txt",
];

const SAME_BYTES: [&str; 6] =
    ["config.json", "held-out.json", "metrics.jsonl", "model.safetensors", "training.json", "vocab.txt"];

/// Words without a meaning, of which contexts are made.
const WORDS: u64 = 40;

/// Words that are answers: one in each context.
const ANSWERS: u64 = 8;

/// A tiny encoder in a Hugging Face folder.
fn write_encoder(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let mut vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nwhere\n?\n.\n".to_owned();
    (0..WORDS).for_each(|word| writeln!(vocabulary, "w{word}").unwrap());
    (0..ANSWERS).for_each(|word| writeln!(vocabulary, "a{word}").unwrap());
    let config = json!({
        "model_type": "bert", "architectures": ["BertModel"], "vocab_size": vocabulary.lines().count(), "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 48,
    });
    std::fs::write(folder.join("vocab.txt"), vocabulary).unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let config = BertConfig::read(&folder.join("config.json")).unwrap();
    let network = BertForQuestionAnswering::random(&config, 5, &Device::flex());
    let mut weights = state_dict(&network, state_dict_name);
    weights.retain(|name, _| name.starts_with("bert."));
    std::fs::write(folder.join("model.safetensors"), to_safetensors(&weights).unwrap()).unwrap();
}

/// Questions in SQuAD's format: the answer is the one word of its kind in the context. A third of the contexts takes two windows.
fn file(articles: u64, questions: u64) -> Value {
    let paragraph = |article: u64, number: u64| {
        let seed = splitmix(article * 1000 + number);
        let length = if number.is_multiple_of(3) { 50 } else { 12 };
        let place = seed % length;
        let words: Vec<String> = (0..length)
            .map(|index| match index == place {
                true => format!("a{}", seed / 97 % ANSWERS),
                false => format!("w{}", splitmix(seed + index) % WORDS),
            })
            .collect();
        let start: usize = words.iter().take(place as usize).map(|word| word.len() + 1).sum();
        let answer = json!({ "answer_start": start, "text": words[place as usize] });
        let question = json!({ "id": format!("{article}-{number}"), "question": "where?", "answers": [answer] });
        json!({ "context": words.join(" "), "qas": [question] })
    };
    let article = |article: u64| {
        let paragraphs: Vec<Value> = (0..questions).map(|number| paragraph(article, number)).collect();
        json!({ "title": format!("article {article}"), "paragraphs": paragraphs })
    };
    json!({ "version": "1.1", "data": (0..articles).map(article).collect::<Vec<_>>() })
}

/// A folder with an encoder and questions.
fn place(articles: u64, questions: u64) -> Place {
    let place = Place::new(1, 1);
    write_encoder(&place.path("encoder"));
    std::fs::write(place.path("squad.json"), file(articles, questions).to_string()).unwrap();
    place
}

const ASKED: &str = "bert-qa --squad squad.json --encoder encoder --length 40 --stride 8";

#[test]
fn it_learns_and_leaves_a_folder_as_hugging_face_lays_it_out() {
    let place = place(20, 12);
    let options = "--lr 5e-3 --epochs 6 --batch-size 8 --dropout 0.05 --log-interval 20 --revision abc --out out";
    let said = place.train_well(&format!("{ASKED} {options}"));
    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    let first =
        "To learn from: 192 questions in 256 windows; to judge by: 48 questions of the 4 articles that are held out";
    assert_eq!(lines[0], first);
    assert!(lines[1].starts_with("Train Epoch: 1 [0/256 (0%)]\tLoss: ") && lines[1].contains(" windows/s\t"), "{said}");
    assert_eq!(place.names("out"), RESULTS);

    let metrics = json_lines(&place.read("out/metrics.jsonl"));
    assert_eq!(metrics.len(), 6);
    let last = &metrics[5];
    let number = |line: &Value, name: &str| line[name].as_f64().unwrap();
    assert!(number(last, "train_loss") < 0.2 * number(&metrics[0], "train_loss"), "{metrics:#?}");
    assert!(number(last, "f1") > 90.0 && number(last, "exact_match") > 90.0, "{metrics:#?}");
    assert_eq!(last["questions"], 48);
    // The curve has a point for each twentieth of an epoch, and the mean of an epoch's losses is the loss of the epoch.
    let curve: Vec<f64> = last["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
    assert_eq!(curve.len(), 20);
    let held_out =
        format!("Held out: exact match {:.1}, F1 {:.1}, of 48", number(last, "exact_match"), number(last, "f1"));
    assert!(said.contains(&held_out), "{held_out}: {said}");

    let config: Value = serde_json::from_slice(&place.read("out/config.json")).unwrap();
    assert_eq!((&config["architectures"][0], &config["hidden_size"]), (&"BertForQuestionAnswering".into(), &32.into()));
    let record: Value = serde_json::from_slice(&place.read("out/training.json")).unwrap();
    assert_eq!((&record["revision"], &record["config"]["hold_out"]), (&"abc".into(), &0.2.into()));
    assert_eq!(record["data"]["squad"], artifact::sha256_file(place.path("squad.json")).unwrap().to_string());
    assert_eq!(
        record["weights"]["sha256"],
        artifact::sha256_file(place.path("out/model.safetensors")).unwrap().to_string()
    );
    let config = BertConfig::read(&place.path("out/config.json")).unwrap();
    let weights = Checkpoint::open(place.path("out")).unwrap();
    let (_, report) = BertForQuestionAnswering::load(&config, weights, &Device::flex()).unwrap();
    assert_eq!(report, models::weights::LoadReport::default());
    // Every fifth article is what an evaluation can ask.
    let all = squad::read_labelled(&place.path("squad.json")).unwrap();
    let expected: Vec<_> = all.into_iter().filter(|one| one.article % 5 == 4).map(|one| one.question).collect();
    assert_eq!(squad::read(&place.path("out/held-out.json")).unwrap(), expected);
    // What was trained can be trained further, with its head.
    let more = place.train_well(
        "bert-qa --squad squad.json --encoder out --length 40 --stride 8 --epochs 1 --lr 1e-6 --no-save-model",
    );
    let loss = more.split("Loss: ").nth(1).and_then(|rest| rest.split('\t').next()).unwrap();
    assert!(loss.parse::<f64>().unwrap() < 1.0, "{more}");
}

/// Killed at several moments, with other numbers of threads, it ends with the bytes of an uninterrupted run.
#[test]
fn killed_again_and_again_it_ends_with_the_same_bytes() {
    let place = place(10, 8);
    let options = format!("{ASKED} --epochs 3 --batch-size 8 --log-interval 1 --checkpoint-interval 0");
    place.train_well(&format!("{options} --threads 1 --out whole"));
    for (threads, start, lines, delay) in
        [(2, "Train Epoch: 1", 1, 0), (1, "Train Epoch: 1", 2, 3), (3, "Held out", 1, 0), (2, "Train Epoch: 2", 1, 5)]
    {
        let mut training = Training::start(&place, &format!("{options} --threads {threads} --resume --out killed"));
        training.wait_for(start, lines);
        assert!(training.kill(delay), "it ended before it could be killed");
    }
    place.train_well(&format!("{options} --resume --out killed"));
    assert_eq!(place.names("killed"), RESULTS);
    assert_same_files(&place, "whole", "killed", &SAME_BYTES);
    // Another seed is another network.
    place.train_well(&format!("{options} --seed 2 --out other"));
    assert!(place.read("whole/model.safetensors") != place.read("other/model.safetensors"));
}

#[test]
fn what_cannot_be_learnt_from_is_refused_in_a_sentence() {
    let place = place(3, 3);
    let write = |name: &str, value: &Value| std::fs::write(place.path(name), value.to_string()).unwrap();
    let mut unlabelled = file(1, 2);
    for paragraph in unlabelled["data"][0]["paragraphs"].as_array_mut().unwrap() {
        paragraph["qas"][0]["answers"][0].as_object_mut().unwrap().remove("answer_start");
    }
    write("unlabelled.json", &unlabelled);
    write("empty.json", &json!({ "data": [] }));
    let with = |options: &str| format!("bert-qa --encoder encoder --epochs 1 --no-save-model {options}");
    let cases: [(String, &str); 7] = [
        (with(""), "`cargo xtask fetch squad` gets SQuAD 1.1 from its public home; otherwise name a file"),
        (with("--squad none.json"), "none.json"),
        (with("--squad empty.json"), "empty.json holds no questions"),
        (with("--squad unlabelled.json"), "unlabelled.json does not say where its answers start"),
        (with("--squad squad.json --hold-out 0.1"), "of 3 articles, a share of 0.1 is none to judge by"),
        (with("--squad squad.json --hold-out 1"), "less than 1"),
        ("bert-qa --squad squad.json --encoder nowhere".to_owned(), "no usable encoder in nowhere"),
    ];
    for (arguments, expected) in cases {
        let said = place.train_badly(&arguments);
        assert!(said.contains(expected) && said.trim().lines().count() <= 4, "{arguments}: {said}");
    }
}

/// Without a name, the network is the MNIST CNN.
#[test]
fn a_network_has_its_name_and_the_first_one_needs_none() {
    let place = Place::new(24, 10);
    place.train_well("--epochs 1 --out plain");
    place.train_well("mnist --epochs 1 --out named");
    assert!(place.read("plain/model.safetensors") == place.read("named/model.safetensors"));
    assert_eq!(place.train_well("--probe"), "flex works\n");
    let said = place.train_badly("--device wgpu --probe");
    assert!(said.contains("this program was built without wgpu: `cargo xtask train --device wgpu`"), "{said}");
    let said = place.train_badly("--epochs 1 bert-qa");
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn a_dry_run_a_limit_and_a_file_to_judge_by() {
    let place = place(5, 6);
    std::fs::write(place.path("dev.json"), file(2, 3).to_string()).unwrap();
    let said = place.train_well(&format!("{ASKED} --dev dev.json --limit 4 --dry-run --out dry"));
    assert!(said.starts_with("To learn from: 4 questions in 6 windows; to judge by: 4 questions\n"), "{said}");
    let metrics = json_lines(&place.read("dry/metrics.jsonl"));
    assert_eq!((metrics.len(), &metrics[0]["questions"]), (2, &4.into()));
    assert!(!tensors(&place.read("dry/model.safetensors")).is_empty());
    let said = place.train_well(&format!("{ASKED} --hold-out 0 --dry-run --epochs 1 --no-save-model"));
    assert!(said.contains("to judge by: 0 questions") && said.contains("Nothing to judge by"), "{said}");
    // A folder that holds something else is left as it is.
    let encoder: PathBuf = place.path("encoder");
    let said = place.train_badly(&format!("{ASKED} --out {}", encoder.display()));
    assert!(said.contains("--force"), "{said}");
}
