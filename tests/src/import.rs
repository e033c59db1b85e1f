//! ONNX files back into Burn: burn-onnx writes Rust and a file of weights.

use std::fs;
use std::path::{Path, PathBuf};

use burn_onnx::{LoadStrategy, ModelGen};

/// What burn-onnx made of a file.
#[derive(Debug)]
pub struct Imported {
    /// A module with a struct `Model`.
    pub code: String,
    /// The weights that `Model::from_bytes` takes.
    pub weights: PathBuf,
}

/// Imports an ONNX file into a folder. In the code's first line, which names the file, its folder is left out: that is
/// the only thing changed.
///
/// # Panics
/// When burn-onnx does, or wrote nothing.
pub fn import(file: &Path, folder: &Path) -> Imported {
    // burn-onnx would report each node on standard output; nobody listens, unless somebody did before.
    let _ = tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::none());
    let text = |path: &Path| path.to_str().map(str::to_owned).unwrap_or_else(|| panic!("{path:?} is not UTF-8"));
    ModelGen::new().input(&text(file)).out_dir(&text(folder)).load_strategy(LoadStrategy::Bytes).run_from_cli();
    let name = file.file_name().map(Path::new).unwrap_or(file);
    let written = folder.join(name).with_extension("rs");
    let code = fs::read_to_string(&written).unwrap_or_else(|error| panic!("{}: {error}", written.display()));
    let code = code.replacen(&format!("{file:?}"), &format!("{name:?}"), 1);
    Imported { code, weights: written.with_extension("bpk") }
}

/// Panics unless the code is that of a file in the repository, compiled with the caller. With `UPDATE_GENERATED` set, it
/// is written there instead, for a reviewer to look at.
///
/// # Panics
/// When the two differ.
pub fn assert_committed(code: &str, file: &Path) {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(file, code).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    let first = committed.lines().zip(code.lines()).enumerate().find(|(_, (left, right))| left != right);
    assert!(
        committed == code,
        "burn-onnx writes other code than {} has, first at line {:?}; UPDATE_GENERATED=1 writes it there",
        file.display(),
        first.map(|(line, (left, right))| (line + 1, left.to_owned(), right.to_owned()))
    );
}
