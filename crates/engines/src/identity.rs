//! What a library of ONNX Runtime is, known before any of its code runs.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use artifact::manifest::{FileEntry, Manifest};
use artifact::runtime::{DYLIB_VARIABLE, RuntimeOrigin};
use artifact::{Digest, sha256_file};

use crate::runtime::LibraryError;

/// The bytes of a library, and who answers for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The SHA-256 of the file.
    pub sha256: Digest,
    /// [`RuntimeOrigin::Fetched`] if a manifest declares the file and its SHA-256 is the declared one; else it is the user's own or
    /// the system's.
    pub origin: RuntimeOrigin,
}

/// Hashes a library, and compares it with the manifest that declares it. In a process each file is hashed once.
///
/// # Errors
/// When it cannot be read, or is not what its manifest declares.
pub fn identify(path: &Path) -> Result<Identity, LibraryError> {
    static KNOWN: Mutex<Vec<(PathBuf, Identity)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some((_, identity)) = known.iter().find(|(known, _)| known == path) {
        return Ok(identity.clone());
    }
    let sha256 = sha256_file(path)?;
    let origin = match declared(path) {
        Some((_, entry)) if entry.sha256 == Some(sha256) => RuntimeOrigin::Fetched,
        Some((manifest, FileEntry { sha256: Some(declared), .. })) => {
            return Err(LibraryError::Changed { path: path.to_owned(), manifest, declared, found: sha256 });
        }
        _ if std::env::var_os(DYLIB_VARIABLE).is_some_and(|value| path.as_os_str() == value) => RuntimeOrigin::Variable,
        _ => RuntimeOrigin::System,
    };
    let identity = Identity { sha256, origin };
    known.push((path.to_owned(), identity.clone()));
    Ok(identity)
}

/// The manifest that declares a file, and what it says: `datasets/onnxruntime.toml` for `datasets/onnxruntime/linux-x86_64/…`.
fn declared(path: &Path) -> Option<(PathBuf, FileEntry)> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().skip(1).find_map(|folder| {
        let mut name = folder.file_name()?.to_owned();
        name.push(".toml");
        let manifest = folder.with_file_name(name);
        let inside = path.strip_prefix(folder).ok()?.to_str()?;
        // What is called like a manifest and is none declares nothing.
        let files = Manifest::read(&manifest).ok()?.files;
        files.into_iter().find(|file| file.name == inside).map(|file| (manifest, file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `abc` is that of FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_file_is_what_its_manifest_declares_or_refused() {
        let datasets = tempfile::tempdir().unwrap();
        let folder = datasets.path().join("onnxruntime/here");
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = format!(
            "title = \"a library\"\nlicence = \"MIT\"\nsource = []\n[[file]]\nname = \"here/lib.so\"\nbytes = 3\nsha256 = \"{ABC}\"\n"
        );
        std::fs::write(datasets.path().join("onnxruntime.toml"), manifest).unwrap();
        let write = |name: &str, content: &str| {
            std::fs::write(folder.join(name), content).unwrap();
            folder.join(name)
        };
        // No manifest declares it.
        assert_eq!(identify(&write("mine.so", "abc")).unwrap().origin, RuntimeOrigin::System);
        let error = identify(&write("lib.so", "xyz")).unwrap_err().to_string();
        assert!(error.contains("is not the file that") && error.contains("cargo xtask fetch onnxruntime"), "{error}");
        let identity = identify(&write("lib.so", "abc")).unwrap();
        assert_eq!((identity.sha256.to_string().as_str(), identity.origin), (ABC, RuntimeOrigin::Fetched));
    }
}
