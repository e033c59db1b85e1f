//! Where the ONNX Runtime library is.
//!
//! The order is: the file that `ORT_DYLIB_PATH` names, the one that `cargo xtask fetch onnxruntime` put under
//! `datasets/`, the system's. Nothing is loaded here.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The variable that names a library and goes before everything else.
pub const DYLIB_VARIABLE: &str = "ORT_DYLIB_PATH";

/// A library, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeLibrary {
    /// The shared library itself.
    pub path: PathBuf,
    /// What led to it.
    pub origin: RuntimeOrigin,
}

/// What led to a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeOrigin {
    /// `ORT_DYLIB_PATH` names it.
    Variable,
    /// `cargo xtask fetch` brought it.
    Fetched,
    /// It is installed on this machine.
    System,
}

impl fmt::Display for RuntimeOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Variable => "named by ORT_DYLIB_PATH",
            Self::Fetched => "fetched",
            Self::System => "the system's",
        })
    }
}

/// Why there is no library to load. Each message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// `ORT_DYLIB_PATH` is set, but to nothing that can be loaded.
    #[error("ORT_DYLIB_PATH names {}, which is not a file: correct it, or unset it to use the fetched library", path.display())]
    VariableNamesNoFile {
        /// What the variable says.
        path: PathBuf,
    },
    /// There is none in any of the places.
    #[error(
        "the ONNX Runtime library was not found: get it with `cargo xtask fetch onnxruntime`, or name one in ORT_DYLIB_PATH"
    )]
    NotFound {
        /// The folders that were searched, in order.
        searched: Vec<PathBuf>,
    },
}

/// The name under which a platform's libraries are kept: `linux-x86_64`, `linux-aarch64`, `macos-aarch64`.
pub fn platform() -> String {
    format!("{}-{}", env::consts::OS, env::consts::ARCH)
}

/// Finds the library. `fetched_root` is the folder that `cargo xtask fetch onnxruntime` fills (`datasets/onnxruntime`).
///
/// # Errors
/// When `ORT_DYLIB_PATH` is wrong, or when no library is found; the message says how to get one.
pub fn locate(fetched_root: &Path) -> Result<RuntimeLibrary, RuntimeError> {
    locate_with(env::var_os(DYLIB_VARIABLE).map(PathBuf::from), fetched_root, &system_folders())
}

/// The library that was fetched into `root`, if any: `root/<platform>/…`, where a wheel's own folders may lie between.
pub fn fetched(root: &Path) -> Option<PathBuf> {
    let base = root.join(platform());
    [base.clone(), base.join("capi")].iter().find_map(|folder| library_in(folder))
}

/// The libraries installed on this machine, in the order in which they would be taken.
pub fn system() -> Vec<PathBuf> {
    system_folders().iter().filter_map(|folder| library_in(folder)).collect()
}

fn locate_with(
    variable: Option<PathBuf>,
    fetched_root: &Path,
    system: &[PathBuf],
) -> Result<RuntimeLibrary, RuntimeError> {
    // An empty variable is how a shell says "unset".
    if let Some(path) = variable.filter(|path| !path.as_os_str().is_empty()) {
        return match path.is_file() {
            true => Ok(RuntimeLibrary { path: absolute(path), origin: RuntimeOrigin::Variable }),
            false => Err(RuntimeError::VariableNamesNoFile { path }),
        };
    }
    if let Some(path) = fetched(fetched_root) {
        return Ok(RuntimeLibrary { path: absolute(path), origin: RuntimeOrigin::Fetched });
    }
    if let Some(path) = system.iter().find_map(|folder| library_in(folder)) {
        return Ok(RuntimeLibrary { path, origin: RuntimeOrigin::System });
    }
    let searched = [fetched_root.join(platform())].into_iter().chain(system.iter().cloned()).collect();
    Err(RuntimeError::NotFound { searched })
}

/// The dynamic loader resolves a path without a slash by its own rules.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The folders where the loader of this platform looks, its own variable first.
fn system_folders() -> Vec<PathBuf> {
    let (variable, fixed): (&str, &[&str]) = match env::consts::OS {
        "macos" => ("DYLD_LIBRARY_PATH", &["/opt/homebrew/lib", "/usr/local/lib", "/usr/lib"]),
        "windows" => ("PATH", &[]),
        _ => ("LD_LIBRARY_PATH", &["/usr/local/lib", "/usr/lib64", "/usr/lib", "/lib"]),
    };
    let mut folders: Vec<PathBuf> = env::var_os(variable)
        .map(|value| env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if env::consts::OS == "linux" {
        let triple = format!("{}-linux-gnu", env::consts::ARCH);
        folders.extend(["/usr/local/lib", "/usr/lib", "/lib"].iter().map(|base| Path::new(base).join(&triple)));
    }
    folders.extend(fixed.iter().map(PathBuf::from));
    folders
}

/// The ONNX Runtime library in a folder. Of several versions the highest by name is taken.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path())))
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path)
}

/// The version in the name of an ONNX Runtime library (empty if it carries none), or `None` for any other file:
/// `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib`, `onnxruntime.dll`.
fn version(name: &str) -> Option<Vec<u32>> {
    let numbers = if let Some(rest) = name.strip_prefix("libonnxruntime.so") {
        rest.strip_prefix('.').unwrap_or(rest)
    } else if let Some(rest) = name.strip_prefix("libonnxruntime.").and_then(|rest| rest.strip_suffix("dylib")) {
        rest.strip_suffix('.').unwrap_or(rest)
    } else if name == "onnxruntime.dll" {
        ""
    } else {
        return None;
    };
    if numbers.is_empty() { Some(Vec::new()) } else { numbers.split('.').map(|part| part.parse().ok()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: PathBuf) -> PathBuf {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"").unwrap();
        path
    }

    #[test]
    fn the_variable_goes_first_then_the_fetched_then_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("onnxruntime");
        let system = vec![folder.path().join("lib")];
        let missing = locate_with(None, &root, &system).unwrap_err();
        assert!(missing.to_string().contains("`cargo xtask fetch onnxruntime`"), "{missing}");

        let installed = touch(folder.path().join("lib/libonnxruntime.so.1.21"));
        let found = locate_with(None, &root, &system).unwrap();
        assert_eq!((found.path, found.origin), (installed, RuntimeOrigin::System));

        let brought = touch(root.join(platform()).join("libonnxruntime.so.1.32.0"));
        let found = locate_with(None, &root, &system).unwrap();
        assert_eq!((found.path, found.origin), (brought, RuntimeOrigin::Fetched));

        let named = touch(folder.path().join("mine.so"));
        let found = locate_with(Some(named.clone()), &root, &system).unwrap();
        assert_eq!((found.path, found.origin), (named, RuntimeOrigin::Variable));
    }

    #[test]
    fn a_wrong_variable_is_an_error_and_an_empty_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path().join(platform()).join("libonnxruntime.so.1.32.0"));
        let wrong = locate_with(Some("no/such.so".into()), folder.path(), &[]).unwrap_err();
        assert_eq!(wrong, RuntimeError::VariableNamesNoFile { path: "no/such.so".into() });
        assert!(locate_with(Some("".into()), folder.path(), &[]).is_ok());
    }

    #[test]
    fn the_highest_version_is_taken_and_providers_are_not_the_library() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0", "libonnxruntime_providers_shared.so"] {
            touch(folder.path().join(name));
        }
        assert_eq!(library_in(folder.path()), Some(folder.path().join("libonnxruntime.so.1.32.0")));
        assert_eq!(version("libonnxruntime.1.32.0.dylib"), Some(vec![1, 32, 0]));
        assert_eq!(version("libonnxruntime.dylib"), Some(vec![]));
        assert_eq!(version("libonnxruntime_providers_shared.so"), None);
        assert_eq!(version("libonnxruntime.so.1.x"), None);
    }
}
