//! What a training prints and leaves.

use artifact::sha256_file;

use crate::support::{Place, RESULTS, json_lines, tensors};

#[test]
fn a_training_leaves_model_metrics_timings_and_configuration() {
    let place = Place::new(50, 20);
    let arguments =
        "--limit 40 --batch-size 16 --epochs 2 --lr 0.5 --seed 9 --log-interval 2 --revision abc123 --out runs/nine";
    let said = place.train_well(arguments);

    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    let [first, second, test, .., saved] = lines[..] else { panic!("{said}") };
    assert!(first.starts_with("Train Epoch: 1 [0/40 (0%)]\tLoss: "), "{first}");
    // The last batch holds 8 images: PyTorch's example multiplies by its length too.
    assert!(second.starts_with("Train Epoch: 1 [16/40 (67%)]\tLoss: "), "{second}");
    assert!(test.starts_with("Test set: Average loss: ") && test.contains("/20 ("), "{test}");
    assert_eq!(lines.len(), 7, "{said}");

    assert_eq!(place.names("runs/nine"), RESULTS);
    let metrics = json_lines(&place.read("runs/nine/metrics.jsonl"));
    assert_eq!(metrics.len(), 2);
    for (index, line) in metrics.iter().enumerate() {
        let number = |name: &str| line[name].as_f64().unwrap();
        assert_eq!(line["epoch"], index + 1);
        assert_eq!(number("learning_rate"), [0.5, 0.5 * 0.7][index]);
        assert_eq!(line["test_total"], 20);
        assert_eq!(number("test_accuracy"), number("test_correct") / 20.0);
        assert!(number("train_loss") > 0.0 && number("test_loss") > 0.0, "{line}");
    }
    assert!(test.contains(&format!("Average loss: {:.4}", metrics[0]["test_loss"].as_f64().unwrap())), "{test}");

    let timings = json_lines(&place.read("runs/nine/timings.jsonl"));
    assert_eq!(timings.len(), 2);
    for line in timings {
        let (seconds, speed) = (line["seconds"].as_f64().unwrap(), line["images_per_second"].as_f64().unwrap());
        assert!(seconds > 0.0 && (speed * seconds - 40.0).abs() < 1e-6, "{line}");
    }

    let config: serde_json::Value = serde_json::from_slice(&place.read("runs/nine/config.json")).unwrap();
    let expected: [(&str, serde_json::Value); 11] = [
        ("seed", 9.into()),
        ("epochs", 2.into()),
        ("batch_size", 16.into()),
        ("test_batch_size", 1000.into()),
        ("learning_rate", 0.5.into()),
        ("schedule", serde_json::json!({"kind": "step", "gamma": 0.7})),
        ("augmentation", serde_json::Value::Null),
        ("averaging", serde_json::Value::Null),
        ("limit", 40.into()),
        ("dry_run", false.into()),
        ("device", "flex".into()),
    ];
    for (name, value) in expected {
        let found = &config["config"][name];
        assert_eq!(*found, value, "{name}");
    }
    let optimizer = &config["config"]["optimizer"];
    assert_eq!((&optimizer["rho"], &optimizer["epsilon"]), (&0.9.into(), &1e-6.into()));
    assert_eq!(config["revision"], "abc123");
    for name in place.names("data") {
        let digest = sha256_file(place.path("data").join(&name)).unwrap();
        assert_eq!(config["data"][&name], digest.to_string(), "{name}");
    }
    let digest = sha256_file(place.path("runs/nine/model.safetensors")).unwrap();
    assert_eq!(config["weights"]["sha256"], digest.to_string());
    assert!(saved.ends_with(&format!("model.safetensors (SHA-256 {digest})")), "{saved}");
}

/// Names and shapes of PyTorch's `state_dict`.
#[test]
fn the_weights_have_the_names_and_shapes_of_the_state_dict() {
    let place = Place::new(4, 1);
    place.train_well("--epochs 1 --out out");
    let shapes: Vec<(String, Vec<usize>)> =
        tensors(&place.read("out/model.safetensors")).into_iter().map(|(name, (shape, _))| (name, shape)).collect();
    let expected: [(&str, &[usize]); 8] = [
        ("conv1.bias", &[32]),
        ("conv1.weight", &[32, 1, 3, 3]),
        ("conv2.bias", &[64]),
        ("conv2.weight", &[64, 32, 3, 3]),
        ("fc1.bias", &[128]),
        ("fc1.weight", &[128, 9216]),
        ("fc2.bias", &[10]),
        ("fc2.weight", &[10, 128]),
    ];
    assert!(shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).eq(expected), "{shapes:?}");
}

#[test]
fn a_dry_run_takes_one_step_in_each_epoch() {
    let place = Place::new(40, 10);
    let said = place.train_well("--dry-run --batch-size 8 --epochs 2 --log-interval 1 --out out");
    let steps: Vec<&str> = said.lines().filter(|line| line.starts_with("Train Epoch")).collect();
    let [first, second] = steps[..] else { panic!("{said}") };
    assert!(first.starts_with("Train Epoch: 1 [0/40 (0%)]"), "{first}");
    assert!(second.starts_with("Train Epoch: 2 [0/40 (0%)]"), "{second}");
    assert_eq!(said.matches("Test set:").count(), 2, "{said}");
    assert_eq!(place.names("out"), RESULTS);
}

#[test]
fn without_saving_nothing_is_left() {
    let place = Place::new(20, 10);
    let said = place.train_well("--no-save-model --batch-size 8 --epochs 1 --checkpoint-interval 0");
    assert!(said.contains("Test set:") && !said.contains("Saved"), "{said}");
    assert_eq!(place.names("."), ["data"]);
    // The last of two contrary options holds, as in a shell alias that is overridden.
    place.train_well("--no-save-model --save-model --batch-size 8 --epochs 1 --out out");
    assert_eq!(place.names("out"), RESULTS);
}

/// Equal options give equal bytes whatever the number of worker threads; only the timings may differ.
#[test]
fn the_number_of_threads_changes_no_byte() {
    // Batches of 32 and a rest of 7, so that images do not divide evenly among the threads.
    let place = Place::new(71, 30);
    let train = |recipe: &str, threads: usize| {
        let out = format!("{recipe}{threads}");
        place.train_well(&format!("--recipe {recipe} --threads {threads} --batch-size 32 --epochs 2 --out {out}"));
        ["model.safetensors", "metrics.jsonl", "config.json"].map(|name| place.read(&format!("{out}/{name}")))
    };
    for recipe in ["article", "modern"] {
        let alone = train(recipe, 1);
        for threads in [2, 3, 4] {
            assert!(train(recipe, threads) == alone, "{recipe}: {threads} threads give other bytes than one");
        }
        // Without the option, all cores.
        place.train_well(&format!("--recipe {recipe} --batch-size 32 --epochs 2 --out default"));
        assert!(place.read("default/model.safetensors") == alone[0]);
        place.train_well(&format!("--recipe {recipe} --seed 2 --batch-size 32 --epochs 2 --out other"));
        assert!(place.read("other/model.safetensors") != alone[0], "another seed gives the same weights");
    }
}
