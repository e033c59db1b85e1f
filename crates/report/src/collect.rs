//! Reading the evaluations that are there.

use std::path::{Path, PathBuf};

use artifact::{FileError, sha256_bytes};
use catalogue::NetworkId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chapter::Chapter;
use crate::reading::chapter;

/// What is known of a network: its evaluation, or why that cannot be read.
pub type Evidence = Result<Chapter, Unreadable>;

/// A file that is no evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{} {reason}", path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing was evaluated.
    #[error("nothing to report: {} holds no evaluation (`cargo xtask run`, or `eval`, makes one)", folder.display())]
    Nothing {
        /// Where they were looked for.
        folder: PathBuf,
    },
}

/// The folder of the report, where evaluations of files from anywhere lie as well.
const REPORT: &str = "report";

/// The evaluation of a file from anywhere, inside [`REPORT`].
const ONNX: &str = "onnx.json";

/// The evaluation of a network, and that of its file of 8-bit integers, in the network's folder.
const EVALUATION: &str = "eval.json";
const OF_INTEGERS: &str = "eval.int8.json";

/// What the name of a network ends in where its file of integers is meant.
const INTEGERS: &str = "-int8";

/// Reads every evaluation below `artifacts`: `<network>/eval.json`, `<network>/eval.int8.json`, and `report/onnx.json`.
///
/// # Errors
/// When there is none, or a file cannot be read. What is read and turns out to be no evaluation is told in its place.
pub fn collect(artifacts: &Path) -> Result<Vec<Evidence>, CollectError> {
    let files = evaluations(artifacts)?;
    if files.is_empty() {
        return Err(CollectError::Nothing { folder: artifacts.to_owned() });
    }
    files.into_iter().map(|(id, path)| Ok(read(&id, &path)?)).collect()
}

/// The evaluations by the names of their networks, in the order of the report.
fn evaluations(artifacts: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(artifacts).map_err(FileError::new("read", artifacts))? {
        let folder = entry.map_err(FileError::new("read", artifacts))?.path();
        let Some(name) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let files = match name.as_str() {
            REPORT => vec![("onnx".to_owned(), ONNX)],
            // What a killed writer left.
            hidden if hidden.starts_with('.') => continue,
            _ => vec![(name.clone(), EVALUATION), (name + INTEGERS, OF_INTEGERS)],
        };
        let files = files.into_iter().map(|(id, file)| (id, folder.join(file)));
        found.extend(files.filter(|(_, file)| file.is_file()));
    }
    let network = |id: &str| NetworkId::named(id.strip_suffix(INTEGERS).unwrap_or(id));
    let rank = |id: &str| network(id).map_or(usize::MAX, |network| network as usize);
    found.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then(a.cmp(b)));
    Ok(found)
}

fn read(id: &str, path: &Path) -> Result<Evidence, FileError> {
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    let source = Source { id, path, bytes: &bytes };
    Ok(chapter(&source).map_err(|reason| Unreadable { path: path.to_owned(), reason }))
}

/// A file with an evaluation.
pub(super) struct Source<'a> {
    /// The network's name, by the folder.
    pub id: &'a str,
    /// The file.
    pub path: &'a Path,
    /// What is in it.
    pub bytes: &'a [u8],
}

impl Source<'_> {
    /// The content as a report of this version.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, String> {
        let again = match self.id.strip_suffix(INTEGERS) {
            _ if self.id == "onnx" => "--onnx FILE".to_owned(),
            Some(network) => format!("{network} --model FILE"),
            None => self.id.to_owned(),
        };
        serde_json::from_slice(self.bytes).map_err(|error| {
            format!("is no evaluation of this version ({error}); `cargo xtask eval {again}` makes it anew")
        })
    }

    /// A chapter with what every evaluation has, to be filled.
    pub(super) fn chapter(&self, title: &str) -> Chapter {
        Chapter {
            id: self.id.to_owned(),
            title: title.to_owned(),
            source: self.path.to_owned(),
            sha256: sha256_bytes(self.bytes),
            date: super::date::written(self.path),
            passed: false,
            criterion: String::new(),
            failures: Vec::new(),
            notes: Vec::new(),
            claims: Vec::new(),
            items: "runs".to_owned(),
            validation: Vec::new(),
            details: Vec::new(),
            remark: None,
            parts: Vec::new(),
            rows: Vec::new(),
            timing: Vec::new(),
            scenarios: Vec::new(),
            compared: None,
            threads: None,
            fingerprint: None,
            recipes: Vec::new(),
        }
    }
}

/// What a reader calls the network.
pub(super) fn title(name: &str) -> String {
    NetworkId::named(name).map_or(name, |network| network.card().title).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_networks_come_first_and_what_is_no_evaluation_is_told_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "zebra/eval.json",
            "bert-qa/eval.json",
            "mnist/eval.int8.json",
            "mnist/eval.json",
            "report/onnx.json",
            "empty/model.onnx",
        ] {
            artifact::write_atomic(folder.path().join(name), "{}").unwrap();
        }
        let found = collect(folder.path()).unwrap();
        let names: Vec<String> = found.iter().map(|one| one.as_ref().unwrap_err().to_string()).collect();
        let order =
            ["mnist/eval.json", "mnist/eval.int8.json", "bert-qa/eval.json", "report/onnx.json", "zebra/eval.json"];
        assert_eq!(names.len(), order.len(), "{names:?}");
        for (name, expected) in names.iter().zip(order) {
            assert!(name.contains(&format!("{expected} is no evaluation of this version")), "{name}");
        }
    }

    #[test]
    fn nothing_to_report_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = collect(folder.path()).unwrap_err().to_string();
        assert!(error.contains("cargo xtask run"), "{error}");
        let error = collect(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
