//! A file that fails its verification is not kept.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use artifact::{AtomicFile, FileError};
use infer::verify::Verification;

/// Writes `bytes` beside `target`, lets `verify` judge the file, and puts it in place if it passed.
///
/// # Errors
/// When the file cannot be written or read, or strays too far; `target` is then as it was.
pub fn if_verified(
    target: &Path,
    bytes: Vec<u8>,
    verify: impl FnOnce(&Path) -> Result<Verification>,
) -> Result<Verification> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(&bytes).and_then(|()| file.flush()).map_err(FileError::new("write", target))?;
    drop(bytes);
    let verification = verify(file.partial_path())?;
    if let Some(case) = verification.failure() {
        bail!(
            "{} strays by {:.3e} at {} from the network in float64, and {:.3e} is the limit: the file is not kept",
            verification.engine,
            case.error,
            case.label,
            verification.limit
        );
    }
    file.commit()?;
    Ok(verification)
}

#[cfg(test)]
mod tests {
    use infer::verify::Case;

    use super::*;

    fn verification(error: f64) -> Verification {
        let case =
            Case { label: "batch 1".to_owned(), error, native_error: 0.25, difference: 0.0, outputs: Vec::new() };
        Verification {
            engine: "ort:cpu".to_owned(),
            passed: error <= 1.0,
            limit: 1.0,
            native_error: 0.25,
            cases: vec![case],
        }
    }

    #[test]
    fn the_file_is_judged_before_it_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("models/mnist.onnx");
        if_verified(&target, b"good".to_vec(), |path| {
            assert_eq!(std::fs::read(path).unwrap(), b"good");
            assert!(!target.exists());
            Ok(verification(0.5))
        })
        .unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"good");
    }

    #[test]
    fn a_file_that_fails_leaves_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("mnist.onnx");
        std::fs::write(&target, b"earlier").unwrap();
        let strays = if_verified(&target, b"bad".to_vec(), |_| Ok(verification(2.0))).unwrap_err().to_string();
        assert!(strays.contains("ort:cpu strays by 2.000e0 at batch 1"), "{strays}");
        if_verified(&target, b"bad".to_vec(), |_| bail!("it does not load")).unwrap_err();
        assert_eq!(std::fs::read(&target).unwrap(), b"earlier");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
