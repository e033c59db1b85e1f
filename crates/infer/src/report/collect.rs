//! Reading the evaluations that are there.

use std::path::{Path, PathBuf};

use artifact::{FileError, sha256_bytes};
use models::mnist_digits::Digits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::report::chapter::Chapter;
use crate::report::{mnist, network, other};

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
    #[error("nothing to report: {} holds no evaluation (`cargo xtask run` or `cargo xtask eval mnist` makes one)", folder.display())]
    Nothing {
        /// Where they were looked for.
        folder: PathBuf,
    },
}

/// The networks that come first, in their order.
const ORDER: [&str; 3] = ["mnist", "alexnet", "bert-qa"];

/// The folder of the report, where evaluations of files from anywhere lie as well.
const REPORT: &str = "report";

/// The evaluation of a file from anywhere, inside [`REPORT`].
const ONNX: &str = "onnx.json";

/// Reads every evaluation below `artifacts`: `<network>/eval.json`, or `squad.json` where only that is there, and
/// `report/onnx.json`. `digits` are MNIST's test images, for the pictures, if they are here.
///
/// # Errors
/// When there is none, or a file cannot be read. What is read and turns out to be no evaluation is told in its place.
pub fn collect(artifacts: &Path, digits: Option<&Digits>) -> Result<Vec<Evidence>, CollectError> {
    let files = evaluations(artifacts)?;
    if files.is_empty() {
        return Err(CollectError::Nothing { folder: artifacts.to_owned() });
    }
    files.into_iter().map(|(id, path)| Ok(read(&id, &path, digits)?)).collect()
}

/// The evaluations by the names of their networks, in the order of the report.
fn evaluations(artifacts: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(artifacts).map_err(FileError::new("read", artifacts))? {
        let folder = entry.map_err(FileError::new("read", artifacts))?.path();
        let Some(name) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let (id, files): (String, &[&str]) = match name.as_str() {
            REPORT => ("onnx".to_owned(), &[ONNX]),
            // What a killed writer left.
            hidden if hidden.starts_with('.') => continue,
            // SQuAD's figures stand in the chapter of the evaluation; they are one where that is not there.
            _ => (name, &["eval.json", "squad.json"]),
        };
        let file = files.iter().map(|file| folder.join(file)).find(|file| file.is_file());
        found.extend(file.map(|file| (id, file)));
    }
    let rank = |id: &str| ORDER.iter().position(|known| *known == id).unwrap_or(ORDER.len());
    found.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then(a.cmp(b)));
    Ok(found)
}

fn read(id: &str, path: &Path, digits: Option<&Digits>) -> Result<Evidence, FileError> {
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    let source = Source { id, path, bytes: &bytes };
    Ok(chapter(&source, digits).map_err(|reason| Unreadable { path: path.to_owned(), reason }))
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
        let again = if self.id == "onnx" { "--onnx FILE" } else { self.id };
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
            threads: None,
            fingerprint: None,
            recipes: Vec::new(),
        }
    }
}

fn chapter(source: &Source<'_>, digits: Option<&Digits>) -> Result<Chapter, String> {
    let value: Value = source.parse()?;
    match value.get("network").and_then(Value::as_str) {
        Some("mnist") => mnist::chapter(source, digits),
        Some(_) if value.get("command").is_some() => network::chapter(source),
        Some(_) => other::chapter(source, &value),
        None => Err("is no evaluation: it names no network".to_owned()),
    }
}

/// What a reader calls the network.
pub(super) fn title(id: &str) -> String {
    match id {
        "mnist" => "MNIST CNN".to_owned(),
        "alexnet" => "AlexNet".to_owned(),
        "bert-qa" => "BERT for question answering".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_networks_come_first_and_what_is_no_evaluation_is_told_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("zebra/eval.json", r#"{"network": "zebra", "passed": true, "engines": []}"#),
            ("bert-qa/eval.json", r#"{"network": "bert-qa", "passed": true, "engines": []}"#),
            ("mnist/eval.json", r#"{"network": "mnist"}"#),
            ("report/onnx.json", "[]"),
            ("empty/model.onnx", ""),
        ] {
            artifact::write_atomic(folder.path().join(name), content).unwrap();
        }
        let found = collect(folder.path(), None).unwrap();
        let names: Vec<String> = found
            .iter()
            .map(|one| one.as_ref().map_or_else(ToString::to_string, |chapter| chapter.id.clone()))
            .collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names[0].contains("mnist/eval.json is no evaluation of this version"), "{names:?}");
        assert_eq!(names[1], "bert-qa");
        assert!(names[2].ends_with("onnx.json is no evaluation: it names no network"), "{names:?}");
        assert_eq!(names[3], "zebra");
    }

    #[test]
    fn squads_figures_are_a_chapter_where_nothing_else_was_evaluated() {
        let folder = tempfile::tempdir().unwrap();
        let squad = r#"{"network": "bert-qa", "squad": "dev.json", "random_init": 7, "threads": 1, "engines": [
            {"engine": "burn", "questions": 10570, "unusable": [{"id": "a", "reason": "b"}], "exact_match": 80.0, "f1": 88.13,
             "questions_per_second": 2.5, "predictions": {}}, {"engine": "ort:cpu", "error": "no library"}]}"#;
        artifact::write_atomic(folder.path().join("bert-qa/squad.json"), squad).unwrap();
        let found = collect(folder.path(), None).unwrap();
        let [Ok(chapter)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (chapter.id.as_str(), chapter.passed, chapter.failures.as_slice()),
            ("bert-qa", false, &["no library".to_owned()][..])
        );
        let rows = [["burn", "80.00 %", "88.13 %", "2.50", "10,570", "1"], ["ort:cpu", "-", "-", "-", "-", "-"]];
        assert_eq!(chapter.validation[0].rows, rows);
        let claims: Vec<&str> = chapter.claims.iter().map(|claim| claim.value.as_str()).collect();
        assert_eq!(claims, ["random (seed 7): what it says means nothing", "80.00 %", "88.13 %"]);
        assert_eq!(chapter.command("Validation"), Some("cargo xtask eval bert-qa --squad dev.json"));
        // Beside an evaluation they stand in its chapter.
        let evaluation = r#"{"network": "bert-qa", "passed": true, "engines": []}"#;
        artifact::write_atomic(folder.path().join("bert-qa/eval.json"), evaluation).unwrap();
        assert_eq!(collect(folder.path(), None).unwrap().len(), 1);
    }

    #[test]
    fn nothing_to_report_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = collect(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("cargo xtask run"), "{error}");
        let error = collect(&folder.path().join("none"), None).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
