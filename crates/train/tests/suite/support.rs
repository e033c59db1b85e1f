//! A tiny data set, and the program run on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// The first index of the test digits, far from those of the training digits.
const FIRST_TEST_DIGIT: u64 = 1 << 20;

/// The output function of SplitMix64, as in `recipe.py`.
pub fn splitmix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The pixels and the label of a synthetic digit: a bright square whose place tells the label, in front of grey specks.
/// The same as `digits` in `recipe.py`.
pub fn digit(index: u64) -> ([u8; 784], u8) {
    let label = splitmix(index) % 10;
    let (top, left) = (4 + 11 * (label / 5), 2 + 5 * (label % 5));
    let pixels = std::array::from_fn(|pixel| {
        let pixel = pixel as u64;
        let noise = splitmix((index * 784 + pixel).wrapping_add(1 << 32));
        let inside = (top..top + 9).contains(&(pixel / 28)) && (left..left + 5).contains(&(pixel % 28));
        let speck = if (noise >> 8).is_multiple_of(8) { noise % 128 } else { 0 };
        (if inside { 200 + noise % 56 } else { speck }) as u8
    });
    (pixels, label as u8)
}

/// Writes the four files of a data set with these numbers of digits.
pub fn write_digits(folder: &Path, train: u64, test: u64) {
    for (split, first, count) in [("train", 0, train), ("t10k", FIRST_TEST_DIGIT, test)] {
        let count_bytes = (count as u32).to_be_bytes();
        let mut images = [[0, 0, 8, 3], count_bytes, [0, 0, 0, 28], [0, 0, 0, 28]].concat();
        let mut labels = [[0, 0, 8, 1], count_bytes].concat();
        for (pixels, label) in (first..first + count).map(digit) {
            images.extend(pixels);
            labels.push(label);
        }
        std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// A temporary folder with a data set in `data`, and room for results.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// With these numbers of synthetic digits.
    pub fn new(train: u64, test: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        write_digits(&data, train, test);
        Self { folder }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a file in the folder holds.
    pub fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The program with these arguments, at work in the folder: paths in `arguments` are relative to it. The digits are those in
    /// `data`, unless they name others.
    pub fn train(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.current_dir(&self.folder).args(arguments.split_whitespace());
        if !arguments.contains("--data ") && !arguments.starts_with("bert-qa") {
            command.args(["--data", "data"]);
        }
        command
    }

    /// Runs the program to its end, which must be a good one, and returns what it printed.
    pub fn train_well(&self, arguments: &str) -> String {
        let output = self.train(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program to its end, which must be a regular failure, and returns what it said about it.
    pub fn train_badly(&self, arguments: &str) -> String {
        let output = self.train(arguments).output().unwrap();
        // A panic would be 101.
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments}: {output:?}");
        stderr(&output)
    }

    /// The names in a folder, hidden ones too, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The files that a finished training leaves, sorted.
pub const RESULTS: [&str; 4] = ["config.json", "metrics.jsonl", "model.safetensors", "timings.jsonl"];

/// What a program wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A path in the folder of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A fixture in JSON.
pub fn json_fixture<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// A JSON lines file, line by line.
pub fn json_lines(bytes: &[u8]) -> Vec<serde_json::Value> {
    bytes.split_inclusive(|&byte| byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// The float32 tensors of a safetensors file: name, shape and values.
pub fn tensors(bytes: &[u8]) -> std::collections::BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            assert_eq!(view.dtype(), safetensors::Dtype::F32, "{name}");
            let values =
                view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
            (name, (view.shape().to_vec(), values))
        })
        .collect()
}
