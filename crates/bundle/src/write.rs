//! Writing a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use artifact::{AtomicFolder, FileError, check_replaceable, sha256_bytes};
use onnx_model::{LoadError, LoadOptions, Model, TensorData};
use serde::Serialize;

use crate::example::{InferenceRequest, InferenceResponse, JsonTensor};
use crate::key::PrivateKey;
use crate::manifest::{Code, Evidence, Example, FORMAT, FileEntry, Judgement, Manifest, ModelEntry, TOLERANCE};
use crate::sbom;
use crate::signature::sign;
use crate::sums::{Sums, contents, text};
use crate::triton::TritonConfig;
use crate::verify::is_bundle;
use crate::{
    BILL, EVIDENCE, MANIFEST, PROGRAM, REQUEST, RESPONSE, SIGNATURE, SUMS, config_file, model_file, model_folder,
};
use engines::engine::{Engine, EngineError};
use engines::fingerprint::Library;
use engines::tensor::NamedTensor;
use engines::worker::remote::RemoteEngine;

/// The version that Triton serves.
const VERSION: &str = "1";

/// What goes into a bundle.
pub struct Parts<'a> {
    /// The network, which becomes the model's name: `mnist`.
    pub name: &'a str,
    /// The ONNX file.
    pub model: &'a Path,
    /// Its evaluation.
    pub evaluation: &'a Path,
    /// The command that makes its evaluation.
    pub evaluated_by: &'a str,
    /// The command that checks a bundle, but for the folder.
    pub checked_by: &'a str,
    /// The input of the example, one item.
    pub example: Vec<NamedTensor>,
    /// What the example is made of: `the test image 0 of MNIST`.
    pub about: &'a str,
    /// The names of the classes, one a line.
    pub labels: Option<String>,
    /// Further files, by their place in the bundle.
    pub files: BTreeMap<String, PathBuf>,
    /// The most items in a batch.
    pub max_batch: usize,
    /// The revision of the code.
    pub revision: Option<String>,
    /// What signs it, if somebody does.
    pub key: Option<PrivateKey>,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model cannot be read.
    #[error("{} cannot be bundled: {source}", path.display())]
    Model {
        /// The model.
        path: PathBuf,
        /// Why not.
        source: LoadError,
    },
    /// The model cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The evaluation does not vouch for the model.
    #[error("{} {reason}; `{command}` makes it anew", path.display())]
    Evidence {
        /// The evaluation.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        command: String,
    },
    /// The model is of a kind that is not served.
    #[error("{} cannot be served: {reason}", path.display())]
    Signature {
        /// The model.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// Writes a bundle to `target`: whole, or not at all. `engine` is the model under ONNX Runtime, which computes the answer.
/// What is at `target` is replaced only if it is an empty folder or a bundle that nobody changed.
///
/// # Errors
/// When the evaluation is of another model or did not pass, something else is at `target`, or something cannot be read, run or
/// written.
pub fn write(parts: &Parts<'_>, engine: &mut RemoteEngine, target: &Path) -> Result<Manifest, BundleError> {
    check_replaceable(target, is_bundle)?;
    let folder = AtomicFolder::create(target)?;
    let put = |name: &str, bytes: &[u8]| folder.write(name, bytes);
    let copy = |name: &str, from: &Path| folder.copy(name, from);

    let name = parts.name;
    let external = external_files(parts.model)?;
    copy(&model_file(name), parts.model)?;
    let beside = parts.model.parent().unwrap_or(Path::new(""));
    for location in &external {
        copy(&format!("{}/{VERSION}/{location}", model_folder(name)), &beside.join(location))?;
    }
    copy(EVIDENCE, parts.evaluation)?;
    let model_sha256 = artifact::sha256_file(folder.path().join(model_file(name)))?;
    let evaluation = read(&folder.path().join(EVIDENCE))?;
    let judgement = judge(parts, &evaluation, model_sha256)?;

    let signature = engine.signature().clone();
    let labels = parts.labels.as_ref().map(|_| "labels.txt");
    let config = TritonConfig::new(name, &signature, parts.max_batch, labels)
        .map_err(|reason| BundleError::Signature { path: parts.model.to_owned(), reason })?;
    put(&config_file(name), config.text().as_bytes())?;
    if let (Some(file), Some(labels)) = (labels, &parts.labels) {
        put(&format!("{}/{file}", model_folder(name)), labels.as_bytes())?;
    }
    for (place, from) in &parts.files {
        copy(place, from)?;
    }
    let outputs = engine.run(&parts.example)?;
    let request = InferenceRequest::new("example", &parts.example, &signature);
    put(REQUEST, json(&request).as_bytes())?;
    let response = InferenceResponse {
        model_name: name.to_owned(),
        model_version: VERSION.to_owned(),
        id: request.id,
        outputs: outputs.iter().map(JsonTensor::of).collect(),
    };
    put(RESPONSE, json(&response).as_bytes())?;
    put("README.md", readme(name, parts.about, parts.checked_by, parts.key.is_some()).as_bytes())?;

    let metadata = engine.loaded().metadata.clone().map(|metadata| metadata.entries).unwrap_or_default();
    let trained_on = metadata.iter().filter_map(|(key, value)| Some((key.strip_prefix("dataset.sha256.")?, value)));
    let data: BTreeMap<String, String> = trained_on.map(|(name, sha256)| (name.to_owned(), sha256.clone())).collect();
    let library = engine.loaded().library.as_ref();
    let ran: Vec<Library> = sbom::libraries(&evaluation).into_iter().chain(library.cloned()).collect();
    put(BILL, sbom::bill(name, model_sha256, &data, &ran).as_bytes())?;
    let files = contents(folder.path())?.files;
    let manifest = Manifest {
        format: FORMAT,
        name: name.to_owned(),
        code: Code {
            bundled_by: format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")),
            bundled_at: parts.revision.clone(),
            exported_at: metadata.get("code.revision").cloned(),
            trained_at: metadata.get("training.revision").cloned(),
        },
        data,
        weights: metadata.get("weights.sha256").cloned(),
        model: ModelEntry {
            path: model_file(name),
            sha256: model_sha256,
            external: external.into_iter().collect(),
            signature,
            metadata,
        },
        evidence: Evidence {
            path: EVIDENCE.to_owned(),
            sha256: sha256_bytes(&evaluation),
            model_sha256: judgement.model,
        },
        timing: judgement.timing,
        example: Example {
            about: parts.about.to_owned(),
            request: REQUEST.to_owned(),
            response: RESPONSE.to_owned(),
            computed_by: library.map_or_else(String::new, |library| format!("{} {}", library.name, library.version)),
            relative_tolerance: TOLERANCE,
        },
        max_batch_size: config.max_batch_size,
        labels: labels.map(str::to_owned),
        files: files.into_iter().map(|(path, (sha256, bytes))| (path, FileEntry { sha256, bytes })).collect(),
    };
    put(MANIFEST, json(&manifest).as_bytes())?;
    let mut sums: Sums = contents(folder.path())?.files.into_iter().map(|(path, (digest, _))| (path, digest)).collect();
    let listed = text(&sums);
    put(SUMS, listed.as_bytes())?;
    if let Some(key) = &parts.key {
        sums.insert(SUMS.to_owned(), sha256_bytes(listed.as_bytes()));
        put(SIGNATURE, sign(key, name, &sums).as_bytes())?;
    }
    folder.commit(is_bundle)?;
    Ok(manifest)
}

/// The evaluation must be of this model, and must have passed.
fn judge(parts: &Parts<'_>, evaluation: &[u8], model: artifact::Digest) -> Result<Judgement, BundleError> {
    let refused = |reason: String| BundleError::Evidence {
        path: parts.evaluation.to_owned(),
        reason,
        command: parts.evaluated_by.to_owned(),
    };
    let judgement = Judgement::of(evaluation).map_err(refused)?;
    if judgement.model != model {
        return Err(refused(format!("is of another model than {}", parts.model.display())));
    }
    if !judgement.passed {
        return Err(refused("says that the model did not pass, and what did not pass is not shipped".to_owned()));
    }
    Ok(judgement)
}

/// The files in which a model keeps its weights.
pub(super) fn external_files(model: &Path) -> Result<BTreeSet<String>, BundleError> {
    let failed = |source| BundleError::Model { path: model.to_owned(), source };
    // The loader refuses places outside the folder, links, and lengths beyond the end.
    Model::load(model).map_err(failed)?;
    let options = LoadOptions { external_data: false, ..LoadOptions::default() };
    let model = Model::load_with(model, &options).map_err(failed)?;
    let location = |data: &TensorData| match data {
        TensorData::External(external) => Some(external.location.clone()),
        _ => None,
    };
    Ok(model.graph.initializers.iter().filter_map(|tensor| location(&tensor.data)).collect())
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(FileError::new("read", path))
}

/// One object over several lines, with a final line break.
fn json<T: Serialize>(value: &T) -> String {
    // Structures of this crate with texts as keys: nothing in them can fail.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn readme(name: &str, about: &str, check: &str, is_signed: bool) -> String {
    let whose = match is_signed {
        true => format!(
            "Whose it is tells `{SIGNATURE}`, a signature over all other files in the format of OpenSSF model-signing. The public key \
             has to come to you another way than this folder:\n\n\
             ```sh\n{check} . --key PUBLIC.pem\n\
             model_signing verify key . --signature {SIGNATURE} --public_key PUBLIC.pem     # the same with OpenSSF's Python package\n```\n\n"
        ),
        false => String::new(),
    };
    format!(
        "# {name}\n\n\
         Check that everything is as it was written:\n\n\
         ```sh\nsha256sum --check --strict {SUMS}\n{check} .      # and that the example gives its answer\n```\n\n\
         {whose}\
         Serve it with NVIDIA Triton Inference Server and ask it:\n\n\
         ```sh\ntritonserver --model-repository=\"$PWD/model_repository\"\n\
         curl --json @{REQUEST} localhost:8000/v2/models/{name}/infer\n```\n\n\
         The example is {about}. The answer is that of `{RESPONSE}`, within the tolerance that `{MANIFEST}` states. `{EVIDENCE}` holds the evaluation of \
         this very file, with every sample of its timing.\n"
    )
}
