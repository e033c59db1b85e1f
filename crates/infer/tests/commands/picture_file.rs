//! `predict`, `eval` and `bundle` of an ONNX file from anywhere that says what a picture shows.
//!
//! The file tells red, green and blue apart: the logits are the means of the normalised colours. Of a plain red picture they are
//! (1 - 0.485) / 0.229, -0.456 / 0.224 and -0.406 / 0.225, so that the softmax of red is 1 / (1 + e^-4.284602 + e^-4.053355) =
//! 0.969801.

use std::path::PathBuf;
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};
use serde_json::Value;

use crate::setting::{Setting, text};

const COLOURS: [(&str, [u8; 3]); 3] = [("blue", [0, 0, 255]), ("green", [0, 255, 0]), ("red", [255, 0, 0])];

/// The places of red, green and blue in a picture, in the order of the classes blue, green, red.
const WEIGHT: [f32; 9] = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];

/// How the file takes pictures and what it gives.
struct Form {
    batch: Dim,
    channels_last: bool,
    softmax: bool,
}

const PLAIN: fn() -> Form = || Form { batch: Dim::from("batch"), channels_last: false, softmax: false };

fn file(setting: &Setting, form: &Form) -> PathBuf {
    let size = || Dim::from(8);
    let shape = match form.channels_last {
        true => [form.batch.clone(), size(), size(), Dim::from(3)],
        false => [form.batch.clone(), Dim::from(3), size(), size()],
    };
    let axes = if form.channels_last { vec![1i64, 2] } else { vec![2, 3] };
    let mean =
        Node::new("ReduceMean").input("pixels").output("mean").attribute("axes", axes).attribute("keepdims", 0i64);
    let mut graph = Graph::new("colours")
        .input(ValueInfo::new("pixels", DataType::F32, shape))
        .initializer(Tensor::from_slice("weight", [3, 3], &WEIGHT).unwrap())
        .node(mean)
        .node(Node::new("MatMul").inputs(["mean", "weight"]).output("scores"));
    let mut output = "scores";
    if form.softmax {
        graph = graph.node(Node::new("Softmax").input("scores").output("shares").attribute("axis", 1i64));
        output = "shares";
    }
    let graph = graph.output(ValueInfo::new(output, DataType::F32, [form.batch.clone(), Dim::from(3)]));
    let path = setting.path("colours.onnx");
    Model::new(11, graph).save(&path).unwrap();
    path
}

/// Three pictures of each colour, of three sizes, in `pictures/COLOUR/`, and the names of the classes in `labels.txt`.
fn pictures(setting: &Setting) -> PathBuf {
    let folder = setting.path("pictures");
    for (name, colour) in COLOURS {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for (width, height) in [(8, 8), (20, 9), (5, 40)] {
            let picture = RgbImage::from_pixel(width, height, Rgb(colour));
            picture.save(folder.join(name).join(format!("{width}.png"))).unwrap();
        }
    }
    std::fs::write(setting.path("labels.txt"), "blue\ngreen\nred\n").unwrap();
    folder
}

fn infer(setting: &Setting, command: &str, options: &[&str]) -> Output {
    let model = setting.path("colours.onnx");
    Command::new(env!("CARGO_BIN_EXE_infer"))
        .current_dir(setting.workspace())
        .args([command, "--onnx", model.to_str().unwrap()])
        .args(options)
        .output()
        .unwrap()
}

fn predicted(setting: &Setting, options: &[&str]) -> Value {
    let (picture, labels) = (setting.path("pictures/red"), setting.path("labels.txt"));
    let words = ["--task", "image-classification", "--json", "--image", picture.to_str().unwrap(), "--labels"];
    let output = infer(setting, "predict", &[&words[..], &[labels.to_str().unwrap()], options].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn pictures_are_labelled_however_the_file_takes_them() {
    let setting = Setting::new();
    pictures(&setting);
    let forms = [
        PLAIN(),
        Form { channels_last: true, ..PLAIN() },
        Form { softmax: true, ..PLAIN() },
        // Three pictures in batches of two, the last of which is filled.
        Form { batch: Dim::from(2), channels_last: true, softmax: true },
    ];
    for (index, form) in forms.iter().enumerate() {
        file(&setting, form);
        let found = predicted(&setting, &["--engine", "ort:cpu,tract"]);
        assert_eq!(found["pictures"].as_array().unwrap().len(), 3, "form {index}");
        for engine in found["pictures"].as_array().unwrap().iter().flat_map(|one| one["engines"].as_array().unwrap()) {
            let guess = &engine["guesses"][0];
            assert_eq!(
                (guess["label"].as_str(), guess["class"].as_u64()),
                (Some("red"), Some(2)),
                "form {index}: {engine}"
            );
            let probability = guess["probability"].as_f64().unwrap();
            assert!((probability - 0.969_801).abs() < 1e-5, "form {index}: {probability}");
        }
    }
    // With bytes as they are and neither mean nor deviation the logits are 255, 0 and 0.
    file(&setting, &PLAIN());
    let found = predicted(&setting, &["--scale", "1", "--mean", "0,0,0", "--std", "1,1,1", "--resize", "central:2"]);
    let probability = found["pictures"][0]["engines"][0]["guesses"][0]["probability"].as_f64().unwrap();
    assert!((probability - 1.0).abs() < 1e-12, "{probability}");
}

#[test]
fn a_folder_of_labelled_pictures_is_scored_and_the_file_bundled() {
    let setting = Setting::new();
    let pictures = pictures(&setting);
    // A picture in the wrong folder: eight of nine are right then.
    std::fs::rename(pictures.join("red/8.png"), pictures.join("blue/9.png")).unwrap();
    file(&setting, &PLAIN());
    let (labels, report) = (setting.path("labels.txt"), setting.path("eval.json"));
    let (labels, report) = (labels.to_str().unwrap(), report.to_str().unwrap());
    let task = ["--task", "image-classification", "--labels", labels];
    let words =
        ["--data", pictures.to_str().unwrap(), "--seconds", "0.05", "--out", report, "--engines", "ort:cpu,tract"];
    let output = infer(&setting, "eval", &[&task[..], &words].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let found: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!((&found["items"], &found["passed"]), (&"pictures".into(), &true.into()));
    for engine in found["engines"].as_array().unwrap() {
        let metric = &engine["metrics"][0];
        assert_eq!(metric, &serde_json::json!({"name": "top-1", "value": 8.0, "of": 9}), "{engine}");
    }
    assert_eq!(found["engines"][1]["agreement"]["same"], 9);
    let counts = serde_json::json!([[3, 0, 1], [0, 3, 0], [0, 0, 2]]);
    assert_eq!(found["figures"][0]["counts"], counts);
    assert_eq!(found["figures"][1]["total"], 1);

    let out = setting.path("shipped");
    let words = ["--evaluation", report, "--out", out.to_str().unwrap(), "--image"];
    let picture = pictures.join("green/8.png");
    let output = infer(&setting, "bundle", &[&task[..], &words, &[picture.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let shipped = std::fs::read_to_string(out.join("model_repository/colours/labels.txt")).unwrap();
    assert_eq!(shipped, "blue\ngreen\nred\n");
    let checked = Command::new(env!("CARGO_BIN_EXE_infer"))
        .current_dir(setting.workspace())
        .args(["bundle", "--verify"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stdout));
}

#[test]
fn what_does_not_suit_is_refused_with_what_to_do() {
    let setting = Setting::new();
    let pictures = pictures(&setting);
    let pictures = pictures.to_str().unwrap();
    file(&setting, &PLAIN());
    std::fs::create_dir(setting.path("pictures/violet")).unwrap();
    let labels = setting.path("labels.txt");
    std::fs::write(setting.path("two.txt"), "blue\ngreen\n").unwrap();
    let two = setting.path("two.txt");
    let image = setting.path("pictures/red/8.png");
    let image = image.to_str().unwrap();
    let task = ["--task", "image-classification"];
    for (command, options, expected) in [
        ("predict", vec!["--image", image], "--task"),
        ("predict", vec![task[0], task[1]], "--image"),
        ("predict", vec![task[0], task[1], "--image", image, "--size", "9"], "8 x 8"),
        ("predict", vec![task[0], task[1], "--image", image, "--mean", "1,2"], "R,G,B"),
        ("predict", vec![task[0], task[1], "--image", image, "--engine", "burn"], "burn runs networks that it knows"),
        ("predict", vec![task[0], task[1], "--image", image, "--labels", two.to_str().unwrap()], "2 labels, not 3"),
        ("predict", vec![task[0], task[1], "--image", image, "--question", "Who?"], "--question is for questions"),
        ("eval", vec![task[0], task[1]], "--data"),
        ("eval", vec!["--image", image], "--task"),
        ("eval", vec!["--limit", "3"], "--limit"),
        (
            "eval",
            vec![task[0], task[1], "--data", pictures, "--labels", labels.to_str().unwrap()],
            "`violet` is no class",
        ),
        ("bundle", vec![], "NETWORK"),
    ] {
        let output = infer(&setting, command, &options);
        let complaint = text(&output.stderr);
        assert!(!output.status.success() && complaint.contains(expected), "{command} {options:?}: {complaint}");
    }
    // What no picture can be made for.
    for (batch, size) in [(1, 1 << 20), (1, 1 << 32), (1_u64 << 40, 8)] {
        let shape = [Dim::Known(batch), Dim::from(3), Dim::Known(size), Dim::Known(size)];
        let graph = Graph::new("huge")
            .input(ValueInfo::new("x", DataType::F32, shape))
            .node(
                Node::new("ReduceMean")
                    .input("x")
                    .output("y")
                    .attribute("axes", vec![2i64, 3])
                    .attribute("keepdims", 0i64),
            )
            .output(ValueInfo::new("y", DataType::F32, [Dim::Known(batch), Dim::from(3)]));
        Model::new(11, graph).save(setting.path("colours.onnx")).unwrap();
        let output = infer(&setting, "predict", &[task[0], task[1], "--image", image]);
        assert!(text(&output.stderr).contains("8192 x 8192 in all is the most"), "{}", text(&output.stderr));
    }
    for resize in ["central:18446744073709551615", "70000"] {
        let output = infer(&setting, "predict", &[task[0], task[1], "--image", image, "--resize", resize]);
        assert!(text(&output.stderr).contains("it must be at most 65536"), "{}", text(&output.stderr));
    }
    // A file that takes something else.
    let graph = Graph::new("rows")
        .input(ValueInfo::new("x", DataType::F32, [Dim::from("batch"), Dim::from(3)]))
        .node(Node::new("Relu").input("x").output("y"))
        .output(ValueInfo::new("y", DataType::F32, [Dim::from("batch"), Dim::from(3)]));
    Model::new(11, graph).save(setting.path("colours.onnx")).unwrap();
    let output = infer(&setting, "predict", &[task[0], task[1], "--image", image]);
    assert!(text(&output.stderr).contains("`x` is no batch of pictures in three colours"), "{}", text(&output.stderr));
}
