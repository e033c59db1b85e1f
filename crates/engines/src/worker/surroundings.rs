//! What a worker finds in its environment beside what the user put there: NVIDIA's libraries, where they were fetched.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use artifact::runtime::platform;

use crate::provider::Provider;
use crate::worker::EngineSpec;

/// Where the loader looks for libraries before it asks the system.
const LOADER: &str = "LD_LIBRARY_PATH";

/// With 0 no library of NVIDIA's computes float32 in TF32. TensorRT does unless told otherwise, and ONNX Runtime has no option
/// that tells it.
const TF32: &str = "NVIDIA_TF32_OVERRIDE";

/// The file beside ONNX Runtime's library that makes it one for NVIDIA's GPUs.
const FOR_NVIDIA: &str = "libonnxruntime_providers_cuda.so";

/// The data sets with NVIDIA's own libraries.
const FETCHED: [&str; 2] = ["cuda", "tensorrt"];

/// For a worker that runs an engine.
pub(super) fn of_engine(spec: &EngineSpec) -> Vec<(&'static str, OsString)> {
    let EngineSpec::Ort { library, options, .. } = spec else { return Vec::new() };
    let mut all = of_library(library);
    if options.provider == Provider::TensorRt && env::var_os(TF32).is_none() {
        all.push((TF32, "0".into()));
    }
    all
}

/// For a worker that loads a library of ONNX Runtime.
pub(super) fn of_library(library: &Path) -> Vec<(&'static str, OsString)> {
    search(&fetched_beside(library), env::var_os(LOADER)).map(|folders| (LOADER, folders)).into_iter().collect()
}

/// The folders of NVIDIA's libraries among the data sets that a library for NVIDIA's GPUs was fetched into:
/// `datasets/cuda/<platform>` beside `datasets/onnxruntime-gpu/<platform>`.
fn fetched_beside(library: &Path) -> Vec<PathBuf> {
    let library = std::path::absolute(library).unwrap_or_else(|_| library.to_owned());
    let datasets = library.ancestors().nth(3).filter(|_| library.with_file_name(FOR_NVIDIA).is_file());
    let folders = datasets.into_iter().flat_map(|datasets| FETCHED.map(|name| datasets.join(name).join(platform())));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// What the loader is told: the user's folders first, then the fetched ones. `None` where there is nothing to add.
fn search(fetched: &[PathBuf], users: Option<OsString>) -> Option<OsString> {
    if fetched.is_empty() {
        return None;
    }
    let users = users.filter(|value| !value.is_empty());
    let users: Vec<PathBuf> = users.iter().flat_map(env::split_paths).collect();
    // A folder whose name has a colon cannot be told to the loader.
    env::join_paths(users.iter().chain(fetched)).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_users_folders_go_before_the_fetched_ones() {
        let fetched = [PathBuf::from("/d/cuda"), PathBuf::from("/d/tensorrt")];
        let with = |users: Option<&str>| search(&fetched, users.map(OsString::from)).unwrap();
        assert_eq!(with(Some("/opt/cuda/lib64:/usr/lib")), "/opt/cuda/lib64:/usr/lib:/d/cuda:/d/tensorrt");
        assert_eq!(with(None), "/d/cuda:/d/tensorrt");
        assert_eq!(with(Some("")), "/d/cuda:/d/tensorrt");
        assert_eq!(search(&[], Some("/usr/lib".into())), None);
        assert_eq!(search(&["/a:b".into()], None), None);
    }

    #[test]
    fn what_is_looked_for_can_be_fetched() {
        let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        for name in FETCHED {
            assert!(datasets.join(format!("{name}.toml")).is_file(), "{name}");
        }
        let build = fs::read_to_string(datasets.join("onnxruntime-gpu.toml")).unwrap();
        assert!(build.contains(FOR_NVIDIA));
    }

    #[test]
    fn what_was_fetched_is_found_beside_a_library_for_nvidias_gpus_alone() {
        let datasets = tempfile::tempdir().unwrap();
        let here = |name: &str| datasets.path().join(name).join(platform());
        for name in ["onnxruntime", "onnxruntime-gpu", "cuda"] {
            fs::create_dir_all(here(name)).unwrap();
        }
        fs::write(here("onnxruntime-gpu").join(FOR_NVIDIA), "").unwrap();
        let library = |name: &str| here(name).join("libonnxruntime.so.1.31.1");
        assert_eq!(fetched_beside(&library("onnxruntime")), [] as [PathBuf; 0]);
        assert_eq!(fetched_beside(&library("onnxruntime-gpu")), [here("cuda")]);
        fs::create_dir_all(here("tensorrt")).unwrap();
        assert_eq!(fetched_beside(&library("onnxruntime-gpu")), [here("cuda"), here("tensorrt")]);
        assert_eq!(fetched_beside(Path::new("libonnxruntime.so")), [] as [PathBuf; 0]);
    }
}
