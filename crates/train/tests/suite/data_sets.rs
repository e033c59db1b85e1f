//! Other data sets in MNIST's format, and files that are not what a manifest declares.

use std::fs;
use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use flate2::Compression;
use flate2::write::GzEncoder;
use models::mnist_cnn::MnistCnn;
use models::weights::Checkpoint;

use crate::support::{Place, RESULTS, digit, tensors};

/// Writes both parts of a data set whose names begin with `prefix` and whose test part is called `test`, packed, with these labels.
fn write_packed(folder: &Path, (prefix, test): (&str, &str), labels: impl Fn(u64) -> u8) {
    for (part, first, count) in [("train", 0, 60_u64), (test, 1 << 20, 20)] {
        let size = (count as u32).to_be_bytes();
        let mut images = [[0, 0, 8, 3], size, [0, 0, 0, 28], [0, 0, 0, 28]].concat();
        let mut marks = [[0, 0, 8, 1], size].concat();
        for index in first..first + count {
            images.extend(digit(index).0);
            marks.push(labels(index));
        }
        for (kind, content) in [("images-idx3", images), ("labels-idx1", marks)] {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&content).unwrap();
            fs::write(folder.join(format!("{prefix}{part}-{kind}-ubyte.gz")), encoder.finish().unwrap()).unwrap();
        }
    }
}

fn config(place: &Place, out: &str) -> serde_json::Value {
    serde_json::from_slice(&place.read(&format!("{out}/config.json"))).unwrap()
}

/// The shape of the last layer's weights.
fn last_layer(place: &Place, out: &str) -> Vec<usize> {
    tensors(&place.read(&format!("{out}/model.safetensors")))["fc2.weight"].0.clone()
}

#[test]
fn the_labels_decide_the_last_layer() {
    let place = Place::new(4, 4);
    let folder = place.path("emnist");
    fs::create_dir(&folder).unwrap();
    write_packed(&folder, ("emnist-letters-", "test"), |index| 1 + (index % 26) as u8);
    write_packed(&folder, ("emnist-balanced-", "test"), |index| (index % 47) as u8);
    let options = "--batch-size 16 --epochs 2 --log-interval 1 --checkpoint-interval 0";
    for (name, classes, first) in [("letters", 26, 1), ("balanced", 47, 0)] {
        place.train_well(&format!("{options} --data emnist/emnist-{name} --out {name}"));
        let config = config(&place, name);
        assert_eq!((&config["config"]["classes"], &config["config"]["first_label"]), (&classes.into(), &first.into()));
        let names: Vec<&String> = config["data"].as_object().unwrap().keys().collect();
        assert_eq!(names[0], &format!("emnist-{name}-test-images-idx3-ubyte"));
        assert_eq!(last_layer(&place, name), [classes, 128]);
        let checkpoint = Checkpoint::open(place.path(&format!("{name}/model.safetensors"))).unwrap();
        let (loaded, _) = MnistCnn::load(&checkpoint, &Device::flex()).unwrap();
        assert_eq!(loaded.classes(), classes);
        assert_eq!(place.names(name), RESULTS);
    }
    let said = place.train_badly(&format!("{options} --data emnist --out several"));
    assert!(said.contains("name one, as emnist/emnist-balanced or emnist/emnist-letters"), "{said}");
}

/// Packed or plain, it is the same run.
#[test]
fn packed_files_are_the_same_data() {
    let place = Place::new(60, 20);
    let folder = place.path("packed");
    fs::create_dir(&folder).unwrap();
    write_packed(&folder, ("", "t10k"), |index| digit(index).1);
    for data in ["data", "packed"] {
        place.train_well(&format!("--data {data} --batch-size 16 --epochs 1 --out {data}-out"));
    }
    for name in ["model.safetensors", "metrics.jsonl", "config.json"] {
        assert!(place.read(&format!("data-out/{name}")) == place.read(&format!("packed-out/{name}")), "{name} differs");
    }
    assert_eq!(config(&place, "packed-out")["config"]["classes"], 10);
}

#[test]
fn data_for_another_network_is_refused() {
    let place = Place::new(8, 4);
    let write = |name: &str, bytes: &[u8]| fs::write(place.path("data").join(name), bytes).unwrap();
    let labels = place.read("data/t10k-labels-idx1-ubyte");
    let mut beyond = labels.clone();
    beyond[9] = 12;
    write("t10k-labels-idx1-ubyte", &beyond);
    let said = place.train_badly("--out out");
    assert!(said.contains("t10k-labels-idx1-ubyte labels image 1 as 12, and the classes are 0 to 9"), "{said}");
    write("t10k-labels-idx1-ubyte", &labels);
    let large = [vec![0, 0, 8, 3, 0, 0, 0, 8, 0, 0, 0, 32, 0, 0, 0, 32], vec![0; 8 * 32 * 32]].concat();
    write("train-images-idx3-ubyte", &large);
    let said = place.train_badly("--out out");
    assert!(said.contains("holds images of 32 x 32 pixels") && said.contains("scale them"), "{said}");
    assert_eq!(place.names("."), ["data"]);
}

#[test]
fn what_a_manifest_declares_is_verified() {
    let place = Place::new(8, 4);
    let manifest = |change: &dyn Fn(&str, String) -> String| {
        let mut text = "title = 'T'\nlicence = 'MIT'\nsource = []\n".to_owned();
        for name in place.names("data") {
            let path = place.path("data").join(&name);
            let (bytes, sha256) = (fs::metadata(&path).unwrap().len(), artifact::sha256_file(&path).unwrap());
            let sha256 = change(&name, sha256.to_string());
            text += &format!("[[file]]\nname = '{name}'\nbytes = {bytes}\nsha256 = '{sha256}'\n");
        }
        fs::write(place.path("data.toml"), text).unwrap();
    };
    let train = |arguments: &str| {
        let output = place.train(&format!("--batch-size 8 --epochs 1 {arguments}")).output().unwrap();
        (output.status.code(), crate::support::stderr(&output))
    };
    let (code, said) = train("--out own");
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "note: no manifest declares data; its files are your own, and are taken as they are\n")
    );

    manifest(&|_, sha256| sha256);
    assert_eq!(train("--out declared"), (Some(0), String::new()));

    manifest(&|name, sha256| if name.starts_with("t10k-labels") { "0".repeat(64) } else { sha256 });
    let (code, said) = train("--out changed");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("data/t10k-labels-idx1-ubyte has SHA-256 ") && said.contains("data.toml declares 000"),
        "{said}"
    );
    assert!(said.contains("`cargo xtask fetch data`") && said.contains("--data"), "{said}");
    fs::write(place.path("data.toml"), "title = 3").unwrap();
    let (code, said) = train("--out changed");
    assert!(code == Some(1) && said.contains("data.toml is not a manifest"), "{said}");
    assert_eq!(place.names("."), ["data", "data.toml", "declared", "own"]);
}
