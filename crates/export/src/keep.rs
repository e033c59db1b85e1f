//! A file that fails its verification is not kept.

use std::path::Path;

use anyhow::{Error, Result, anyhow, bail};
use evaluation::verify::Verification;
use onnx_model::Staged;
use terminal::failure::sentence;

/// Lets `verify` judge a model beside its place, `target`, and puts it there if it passed.
///
/// # Errors
/// When it cannot be read, or deviates too far; what was in its place is then as it was.
pub fn if_verified(
    staged: Staged,
    target: &Path,
    verify: impl FnOnce(&Path) -> Result<Verification>,
) -> Result<Verification> {
    // The user knows the file by the name that it will have.
    let renamed = |error: Error| {
        let (beside, place) = (staged.path().display().to_string(), target.display().to_string());
        anyhow!(sentence(error.as_ref()).replace(&beside, &place))
    };
    let verification = verify(staged.path()).map_err(renamed)?;
    if let Some(failed) = verification.failed(&verification.engine) {
        bail!("{failed}: the file is not kept");
    }
    staged.commit()?;
    Ok(verification)
}

#[cfg(test)]
mod tests {
    use evaluation::verify::{Case, OutputError, Rule};
    use onnx_model::{External, Graph, Model, SaveOptions, Tensor};

    use super::*;

    fn verification(error: f64) -> Verification {
        let output = OutputError {
            output: "y".to_owned(),
            absolute: error,
            limit: 1.0,
            relative: error,
            ulp: error,
            cosine: None,
            not_finite: 0,
            native: 0.25,
            apart: false,
            form: None,
        };
        let label = "batch 1".to_owned();
        let case = Case { label, error, native_error: 0.25, difference: 0.0, outputs: vec![output] };
        Verification {
            engine: "ort:cpu".to_owned(),
            framework: "burn".to_owned(),
            rule: Rule::default(),
            passed: error <= 1.0,
            native_error: 0.25,
            cases: vec![case],
        }
    }

    /// A model of `weights` numbers beside `target`, its weights in a file of their own if it has any.
    fn staged(target: &Path, weights: usize) -> Staged {
        let mut graph = Graph::new("net");
        if weights > 0 {
            graph.initializers.push(Tensor::vector("weights", &vec![0.5_f32; weights]));
        }
        let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
        Model::new(17, graph).stage(target, &options).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_is_judged_before_it_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("models/mnist.onnx");
        if_verified(staged(&target, 0), &target, |path| {
            assert_eq!(Model::load(path).unwrap().opset(), Some(17));
            assert!(!target.exists());
            Ok(verification(0.5))
        })
        .unwrap();
        assert_eq!(names(&folder.path().join("models")), ["mnist.onnx"]);
    }

    #[test]
    fn weights_in_a_file_of_their_own_come_and_go_with_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("large.onnx");
        if_verified(staged(&target, 4096), &target, |_| Ok(verification(2.0))).unwrap_err();
        assert!(names(folder.path()).is_empty());
        if_verified(staged(&target, 4096), &target, |path| {
            let model = Model::load(path).unwrap();
            assert_eq!(model.graph.initializers.len(), 1);
            Ok(verification(0.5))
        })
        .unwrap();
        assert_eq!(names(folder.path()), ["large.onnx", "large.onnx.data"]);
    }

    #[test]
    fn a_file_that_fails_leaves_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("mnist.onnx");
        std::fs::write(&target, b"earlier").unwrap();
        let deviates = if_verified(staged(&target, 0), &target, |_| Ok(verification(2.0))).unwrap_err().to_string();
        assert!(deviates.contains("ort:cpu deviates by 2.00e0 from float64 in `y` (batch 1)"), "{deviates}");
        let said = if_verified(staged(&target, 0), &target, |path| bail!("{} does not load", path.display()));
        assert_eq!(said.unwrap_err().to_string(), format!("{} does not load", target.display()));
        assert_eq!(std::fs::read(&target).unwrap(), b"earlier");
        assert_eq!(names(folder.path()), ["mnist.onnx"]);
    }
}
