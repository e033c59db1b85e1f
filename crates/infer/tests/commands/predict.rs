//! `infer predict mnist`.

use crate::setting::{Setting, image, network, text};
use burn::tensor::{Device, Tensor, TensorData};
use models::digits::normalize;
use models::mnist_cnn::MnistCnn;
use models::weights::{identity_name, state_dict, to_safetensors};
use serde_json::Value;

fn json(setting: &Setting, options: &[&str]) -> Value {
    let output = setting.infer("predict", &[options, &["--json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_test_image_gets_the_digit_that_the_network_gives() {
    let setting = Setting::new();
    let pixels: Vec<f32> = image(13).into_iter().map(normalize).collect();
    let input = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 28, 28]), &Device::flex());
    let expected: Vec<f32> = network(1).forward(input).exp().try_into_vec_as().unwrap();

    let prediction = json(&setting, &["--index", "13"]);
    assert_eq!((&prediction["label"], &prediction["agree"]), (&3.into(), &true.into()));
    for (reading, engine) in prediction["readings"].as_array().unwrap().iter().zip(["burn", "ort:cpu"]) {
        assert_eq!(reading["engine"], engine);
        let probabilities: Vec<f64> =
            reading["probabilities"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).collect();
        let digit = reading["digit"].as_u64().unwrap() as usize;
        assert!(probabilities.iter().all(|&share| share <= probabilities[digit]));
        for (found, &expected) in probabilities.iter().zip(&expected) {
            // Probabilities near 0.1 in float32, computed in two ways.
            assert!((found - f64::from(expected)).abs() < 1e-6, "{found} {expected}");
        }
    }

    let output = setting.infer("predict", &["--index", "13"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("test image 13, labelled 3") && shown.contains('@'), "{shown}");
    assert!(shown.contains("burn ") && shown.contains("ort:cpu "), "{shown}");
}

#[test]
fn a_picture_file_is_read_like_the_image_that_it_shows() {
    let setting = Setting::new();
    let path = setting.path("digit.png");
    let dark_on_light: Vec<u8> = image(8).iter().map(|pixel| 255 - pixel).collect();
    image::GrayImage::from_raw(28, 28, dark_on_light).unwrap().save(&path).unwrap();
    let from_file = json(&setting, &["--image", path.to_str().unwrap()]);
    let from_index = json(&setting, &["--index", "8"]);
    assert_eq!(from_file["readings"], from_index["readings"]);
    assert_eq!(from_file["label"], Value::Null);
}

#[test]
fn engines_that_disagree_fail() {
    let setting = Setting::new();
    let other = setting.other_weights();
    let disagreeing = (0..40).filter(|index| {
        let options = ["--index", &index.to_string(), "--weights", other.to_str().unwrap()];
        !setting.infer("predict", &options).status.success()
    });
    assert!(disagreeing.take(1).count() > 0, "two random networks agree on everything");
}

#[test]
fn bad_input_is_one_clear_sentence() {
    let setting = Setting::new();
    let failure = |options: &[&str]| setting.failure("predict", options);
    assert!(failure(&["--index", "40"]).contains("--index 40 is beyond the last of the 40 test images, 39"));
    assert!(failure(&[]).contains("--index"));
    assert!(failure(&["--index", "1", "--image", "x.png"]).contains("--image"));
    assert!(failure(&["--image", "no/such.png"]).contains("cannot read no/such.png"));
    let model = setting.model();
    assert!(
        failure(&["--image", model.to_str().unwrap()])
            .contains("mnist.onnx: not a picture in AVIF, BMP, GIF, JPEG, PNG, TIFF or WebP format")
    );
    assert!(
        failure(&["--index", "1", "--engines", "ort:cpu", "--model", "no/such.onnx"])
            .contains("cargo xtask export mnist")
    );
    assert!(
        failure(&["--index", "1", "--engines", "burn", "--weights", model.to_str().unwrap()]).contains("mnist.onnx")
    );
}

#[test]
fn a_missing_library_is_one_sentence() {
    let setting = Setting::new();
    let run = |variable: &str, folder: &std::path::Path| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_infer"))
            .current_dir(folder)
            .env("ORT_DYLIB_PATH", variable)
            .args(["predict", "mnist", "--index", "0", "--data"])
            .arg(setting.folder.path())
            .arg("--weights")
            .arg(setting.weights())
            .arg("--model")
            .arg(setting.model())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), "error: ort:cpu gave no answers; the other results are above\n");
        text(&output.stdout)
    };
    let message = run("no/such.so", setting.folder.path());
    assert_eq!(message.lines().filter(|line| line.starts_with("FAILED: ")).count(), 1, "{message}");
    assert!(message.contains("\nburn "), "{message}");
    assert!(message.contains("ORT_DYLIB_PATH names no/such.so"), "{message}");
    let no_library = setting.weights();
    let message = run(no_library.to_str().unwrap(), setting.folder.path());
    assert!(message.contains("cannot be used as the ONNX Runtime library"), "{message}");
}

/// EMNIST's letters count from 1, and a table says which characters a label stands for.
#[test]
fn letters_are_called_by_their_names() {
    let setting = Setting::new();
    let device = Device::flex();
    let letters = MnistCnn::random_for_classes(26, 1, &device);
    let weights = setting.path("letters.safetensors");
    std::fs::write(&weights, to_safetensors(&state_dict(&letters, identity_name)).unwrap()).unwrap();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 40][..], &[26; 40]].concat();
    std::fs::write(setting.path("t10k-labels-idx1-ubyte"), labels).unwrap();
    let mapping: String = (1..=26u8).map(|label| format!("{label} {} {}\n", 64 + label, 96 + label)).collect();
    std::fs::write(setting.path("mapping.txt"), mapping).unwrap();
    let options = ["--index", "3", "--engine", "burn", "--weights", weights.to_str().unwrap()];
    let shown = setting.infer("predict", &options);
    let shown = text(&shown.stdout) + &text(&shown.stderr);
    assert!(shown.contains("test image 3, labelled Zz"), "{shown}");
    let heading = shown.lines().find(|line| line.starts_with("engine")).unwrap();
    assert!(heading.contains("Aa") && heading.contains("Zz"), "{heading}");
}
