//! AlexNet as a user meets it, without its pretrained weights: export from a seed, then labels for pictures.

use std::path::Path;

use end_to_end::{fail, program, run, succeed};
use serde_json::Value;

const PICTURES: &str = "crates/models/tests/fixtures/pictures";

fn export(out: &Path) -> Value {
    let words = ["alexnet", "--random-init", "21", "--json", "--out"];
    serde_json::from_str(&succeed(program("export").args(words).arg(out))).unwrap()
}

#[test]
fn random_weights_are_exported_verified_and_never_silent() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("alexnet.onnx");
    let report = export(&model);
    assert_eq!(report["opset"], 11);
    assert_eq!(report["parameters"], 61_100_840);
    // torch's own exporter writes 20.
    assert!(report["nodes"].as_array().unwrap().len() <= 20, "{}", report["nodes"]);
    assert_eq!(report["verification"]["passed"], true);
    assert_eq!(report["metadata"]["weights.random_init"], "21");
    assert!(report["notes"][0].as_str().unwrap().contains("means nothing"), "{}", report["notes"]);

    // One file and one folder, as one run; both engines see the same.
    let folder_of_pictures = folder.path().join("pictures");
    std::fs::create_dir(&folder_of_pictures).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PICTURES);
    for name in ["grey.png", "four-inks.jpg"] {
        std::fs::copy(fixtures.join(name), folder_of_pictures.join(name)).unwrap();
    }
    std::fs::write(folder_of_pictures.join("notes.txt"), "no picture").unwrap();
    let predict = |words: &[&str]| {
        let mut command = program("infer");
        command.args(["predict", "alexnet", "--top", "3"]).args(words);
        command.arg("--model").arg(&model).arg("--image").arg(fixtures.join("odd.png"));
        command.arg("--image").arg(&folder_of_pictures);
        succeed(&mut command)
    };
    let report: Value = serde_json::from_str(&predict(&["--json"])).unwrap();
    assert_eq!((&report["agree"], &report["random_init"]), (&Value::Bool(true), &Value::from(21)));
    let pictures = report["pictures"].as_array().unwrap();
    let names: Vec<&str> =
        pictures.iter().map(|picture| picture["image"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["odd.png", "four-inks.jpg", "grey.png"]);
    for picture in pictures {
        let engines = picture["engines"].as_array().unwrap();
        assert_eq!(engines.len(), 2);
        let probabilities = engines.iter().map(|engine| engine["guesses"][0]["probability"].as_f64().unwrap());
        let probabilities: Vec<f64> = probabilities.collect();
        assert!((probabilities[0] - probabilities[1]).abs() < 1e-6, "{probabilities:?}");
        assert_eq!(engines[0]["guesses"].as_array().unwrap().len(), 3);
    }
    let text = predict(&["--engine", "ort:cpu"]);
    assert!(text.starts_with("RANDOM WEIGHTS (seed 21): the results below mean nothing.\n"), "{text}");
    assert!(text.contains("odd.png\nmeaningless label") && text.contains(" %"), "{text}");

    // A file that is no picture costs its own labels only.
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, "no picture").unwrap();
    let mut command = program("infer");
    command.args(["predict", "alexnet", "--json", "--engine", "ort:cpu", "--model"]).arg(&model);
    command.arg("--image").arg(&broken).arg("--image").arg(&folder_of_pictures);
    let ended = run(&mut command);
    assert!(!ended.succeeded && ended.errors.contains("1 of 3 pictures are not labelled by all engines"), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.output).unwrap();
    assert!(report["pictures"][0]["error"].as_str().unwrap().contains("broken.png: not a picture"), "{report}");
    for picture in &report["pictures"].as_array().unwrap()[1..] {
        assert_eq!(picture["engines"][0]["guesses"].as_array().unwrap().len(), 5);
    }

    // The evaluation of the same file: every output against float64, and what each engine sees.
    let out = folder.path().join("eval.json");
    let mut command = program("infer");
    command.args(["eval", "alexnet", "--engines", "ort:cpu,tract", "--batches", "2", "--seconds", "0.01", "--json"]);
    command.arg("--model").arg(&model).arg("--image").arg(&folder_of_pictures).arg("--out").arg(&out);
    let report: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    assert_eq!((&report["passed"], &report["random_init"]), (&Value::Bool(true), &Value::from(21)));
    let engines = report["engines"].as_array().unwrap();
    let names: Vec<&str> = engines.iter().map(|engine| engine["engine"].as_str().unwrap()).collect();
    assert_eq!(names, ["burn", "ort:cpu", "tract"]);
    for engine in &engines[1..] {
        let agreement = &engine["agreement"];
        assert_eq!(
            (&agreement["items"], &agreement["same"], &agreement["also_same"]["same top 5"]),
            (&2.into(), &2.into(), &2.into())
        );
        let cases = engine["verification"]["cases"].as_array().unwrap();
        let labels: Vec<&str> = cases.iter().map(|case| case["label"].as_str().unwrap()).collect();
        assert_eq!(labels, ["batch 1, random", "batch 2, random", "batch 7, random", "batch 32, random", "2 pictures"]);
        for case in cases {
            let output = &case["outputs"][0];
            assert!(output["absolute"].as_f64().unwrap() <= output["limit"].as_f64().unwrap());
            assert!(output["cosine"].as_f64().unwrap() > 0.999_999 && output["not_finite"] == 0, "{output}");
        }
    }
    let batches: Vec<&Value> = report["timing"].as_array().unwrap().iter().map(|entry| &entry["batch"]).collect();
    assert_eq!(batches, [1, 2]);
    let command = report["command"].as_str().unwrap();
    assert!(command.starts_with("cargo xtask eval alexnet --model ") && command.contains(" --image "), "{command}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.pth");
    std::fs::write(&bad, b"\x80\x02junk").unwrap();
    let out = folder.path().join("out.onnx");
    let errors = fail(program("export").args(["alexnet", "--weights"]).arg(&bad).arg("--out").arg(&out));
    assert!(errors.contains("bad.pth is not a usable weight file") && errors.contains("fetch it again"), "{errors}");
    let absent = folder.path().join("absent.pth");
    let errors = fail(program("export").args(["alexnet", "--weights"]).arg(&absent).arg("--out").arg(&out));
    assert!(errors.contains("absent.pth") && errors.contains("--random-init"), "{errors}");
    let other = Path::new("crates/models/tests/fixtures/weights/zip.pth");
    let errors = fail(program("export").args(["alexnet", "--weights"]).arg(other).arg("--out").arg(&out));
    assert!(errors.contains("16 missing tensors (features.0.weight, "), "{errors}");
    assert!(!out.exists());
    let errors = fail(program("infer").args(["predict", "alexnet", "--engine", "torch", "--image", "x.png"]));
    assert!(errors.contains("there is no engine `torch`; there are burn, candle, tract, ort:cpu"), "{errors}");
    let errors = fail(program("export").args(["mnist", "--hf-dir", ".", "--task", "question-answering"]));
    assert!(errors.contains("--hf-dir is for networks with a configuration"), "{errors}");
}
