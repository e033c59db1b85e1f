//! What a command may write to, besides what [`AtomicFile`](crate::AtomicFile) holds to by itself.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::staging::parent;

/// What a file that has room for it says of its origin, after the word `generator`.
pub const GENERATOR: &str = concat!("Kiln ", env!("CARGO_PKG_VERSION"));

/// Whether a file says, near its beginning, that Kiln wrote it: pages, reports and tensors do.
pub fn is_ours(path: &Path) -> bool {
    const HEAD: u64 = 1 << 12;
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    let origin =
        |rest: &str| rest.trim_start_matches(['"', ':', ' ']).trim_start_matches("content=\"").starts_with("Kiln ");
    read.is_ok() && head.match_indices("generator").any(|(at, word)| head.get(at + word.len()..).is_some_and(origin))
}

/// The one rule for the outputs of every command: never an input of the same command, and never a file that the user did not
/// name and that was not written here.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    inputs: Vec<PathBuf>,
    force: bool,
}

/// An output that would cost the user a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// The command reads what it would write to.
    #[error("{} is an input of this command and would be lost; name another place for the output", path.display())]
    Input {
        /// The file.
        path: PathBuf,
    },
    /// A file that goes beside the one that the user named would take the place of a stranger.
    #[error("{} is there and was not written by Kiln; move it away, name another place for the output, or give --force to replace it", path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
    },
}

impl Outputs {
    /// The rule for a command that reads these files.
    pub fn of_inputs<P: Into<PathBuf>>(inputs: impl IntoIterator<Item = P>) -> Self {
        Self { inputs: inputs.into_iter().map(Into::into).collect(), force: false }
    }

    /// Lets strangers be replaced: the user's `--force`. Inputs stay safe.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Whether the user may have this file written, which they named or which has a name by default.
    ///
    /// # Errors
    /// When it is an input.
    pub fn named(&self, path: &Path) -> Result<(), OutputError> {
        let place = real(path);
        match self.inputs.iter().any(|input| place == real(input)) {
            true => Err(OutputError::Input { path: path.to_owned() }),
            false => Ok(()),
        }
    }

    /// Whether a file may be written that nobody named: it must be absent, or `ours` by its content.
    ///
    /// # Errors
    /// When it is an input, or a stranger and not forced.
    pub fn neighbour(&self, path: &Path, ours: impl FnOnce(&Path) -> bool) -> Result<(), OutputError> {
        self.named(path)?;
        let absent = std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        match absent || self.force || ours(path) {
            true => Ok(()),
            false => Err(OutputError::Stranger { path: path.to_owned() }),
        }
    }
}

/// The place that a path leads to, also where nothing is there yet.
fn real(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    match parent(path).canonicalize() {
        Ok(folder) => folder.join(name),
        Err(_) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_no_output_under_any_name() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("m.onnx"), "model").unwrap();
        std::fs::create_dir(path("weights")).unwrap();
        let outputs = Outputs::of_inputs([path("m.onnx")]).force(true);
        let mut names = vec!["m.onnx", "weights/../m.onnx"];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("m.onnx", path("link")).unwrap();
            names.push("link");
        }
        for name in names {
            let path = path(name);
            assert_eq!(outputs.named(&path), Err(OutputError::Input { path: path.clone() }), "{name}");
        }
        assert_eq!(outputs.named(&path("m.json")), Ok(()));
        assert_eq!(outputs.named(&path("new/m.onnx")), Ok(()));
    }

    #[test]
    fn a_file_says_who_wrote_it() {
        let place = tempfile::tempdir().unwrap();
        let says = |text: String| {
            let path = place.path().join("file");
            std::fs::write(&path, text).unwrap();
            is_ours(&path)
        };
        assert!(says(format!("<meta name=\"generator\" content=\"{GENERATOR}\">")));
        assert!(says(format!("{{\"generator\": \"{GENERATOR}\"}}")));
        assert!(says(format!("\u{fffd}{{\"__metadata__\":{{\"generator\":\"{GENERATOR}\"}}}}")));
        assert!(says(format!("<!-- generator: {GENERATOR} -->")));
        for other in ["", "<meta name=\"generator\" content=\"Hugo\">", "Kiln ", "generator", "my generator and Kiln "]
        {
            assert!(!says(other.to_owned()), "{other}");
        }
        assert!(!is_ours(place.path()) && !is_ours(&place.path().join("absent")));
    }

    #[test]
    fn a_neighbour_is_replaced_only_if_it_is_ours_or_forced() {
        let place = tempfile::tempdir().unwrap();
        let page = place.path().join("eval.html");
        let outputs = Outputs::of_inputs([place.path().join("eval.onnx")]);
        assert_eq!(outputs.neighbour(&page, |_| false), Ok(()));
        std::fs::write(&page, "a diary").unwrap();
        let error = outputs.neighbour(&page, |_| false).unwrap_err();
        assert!(error.to_string().contains("--force") && error.to_string().contains("eval.html"), "{error}");
        assert_eq!(outputs.neighbour(&page, |_| true), Ok(()));
        assert_eq!(outputs.force(true).neighbour(&page, |_| false), Ok(()));
    }
}
