//! Is a bundle what it says, whole, and does it work?

use std::cmp::Ordering;
use std::path::Path;

use artifact::FileError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::example::{InferenceRequest, InferenceResponse};
use crate::key::PublicKey;
use crate::manifest::{FORMAT, Judgement, Manifest};
use crate::signature;
use crate::sums::{Contents, Sums, contents, parse};
use crate::triton::TritonConfig;
use crate::write::external_files;
use crate::{EVIDENCE, MANIFEST, PROGRAM, REQUEST, RESPONSE, SIGNATURE, SUMS, config_file, model_file};
use engines::engine::{Engine, EngineError};
use engines::tensor::{Elements, NamedTensor, Tensor};
use engines::worker::remote::RemoteEngine;

/// What was found out about a bundle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// The network.
    pub name: String,
    /// How many files were checked.
    pub files: usize,
    /// Everything that is wrong, in sentences.
    pub problems: Vec<String>,
    /// Whether it is known whose it is.
    pub origin: Origin,
    /// The largest difference of the example's answer, relative to the largest value of the same output, and the limit.
    pub example: Option<(f64, f64)>,
}

/// What is known of where a bundle comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It bears no signature.
    #[default]
    Unsigned,
    /// It bears a signature, and there was no key to check it with.
    Unchecked,
    /// The signature is not that of the key over these files.
    Refused,
    /// The key signed these files.
    Proven,
}

/// Checks a bundle whole: with a key whose it is, before anything else in it is read; every hash, nothing missing and nothing extra,
/// what the manifest binds, the configuration against the model, and the example. `open` starts the model under ONNX Runtime; it is
/// asked only if every file is what it should be.
///
/// # Errors
/// When the folder cannot be read.
pub fn verify(
    folder: &Path,
    key: Option<&PublicKey>,
    open: impl FnOnce(&Path) -> Result<RemoteEngine, EngineError>,
) -> Result<Findings, FileError> {
    let found = contents(folder)?;
    let origin = match (key, found.files.contains_key(SIGNATURE)) {
        (None, false) => Origin::Unsigned,
        (None, true) => Origin::Unchecked,
        (Some(key), _) => match signed(folder, key, &found) {
            Ok(()) => Origin::Proven,
            Err(problem) => {
                let (files, problems) = (found.files.len(), vec![problem]);
                return Ok(Findings { files, problems, origin: Origin::Refused, ..Findings::default() });
            }
        },
    };
    let manifest = match manifest(folder) {
        Ok(manifest) => manifest,
        Err(problem) => {
            let (files, problems) = (found.files.len(), vec![problem]);
            return Ok(Findings { files, problems, origin, ..Findings::default() });
        }
    };
    let mut findings = whole(folder, &manifest, &found);
    findings.origin = origin;
    if !findings.problems.is_empty() {
        return Ok(findings);
    }
    match open(&folder.join(&manifest.model.path)) {
        Ok(mut engine) => {
            findings.problems.extend(model(folder, &manifest, &engine));
            match example(folder, &manifest, &mut engine) {
                Ok(difference) => findings.example = Some((difference, manifest.example.relative_tolerance)),
                Err(problem) => findings.problems.push(problem),
            }
        }
        Err(error) => findings.problems.push(terminal::failure::sentence(&error)),
    }
    Ok(findings)
}

/// The manifest of a bundle.
///
/// # Errors
/// A sentence, when it cannot be read.
pub fn manifest(folder: &Path) -> Result<Manifest, String> {
    json(folder, MANIFEST)
}

/// Checks every hash, that nothing is missing and nothing extra, and what the manifest binds. No model is opened.
///
/// # Errors
/// When the folder cannot be read.
pub fn is_whole(folder: &Path, manifest: &Manifest) -> Result<Findings, FileError> {
    Ok(whole(folder, manifest, &contents(folder)?))
}

fn whole(folder: &Path, manifest: &Manifest, found: &Contents) -> Findings {
    let mut problems = files(folder, manifest, found);
    problems.extend(bindings(folder, manifest, found));
    let origin = if found.files.contains_key(SIGNATURE) { Origin::Unchecked } else { Origin::Unsigned };
    Findings { name: manifest.name.clone(), files: found.files.len(), problems, origin, example: None }
}

/// Whether `key` signed what is here: every file but the signature itself.
fn signed(folder: &Path, key: &PublicKey, found: &Contents) -> Result<(), String> {
    if !found.files.contains_key(SIGNATURE) {
        return Err(format!("there is no {SIGNATURE}: nobody signed this bundle"));
    }
    let text = signature::read(folder)?;
    let others = found.files.iter().filter(|(path, _)| *path != SIGNATURE);
    let files: Sums = others.map(|(path, (digest, _))| (path.clone(), *digest)).collect();
    signature::check(&text, key, &files)
}

/// Whether a folder is a bundle as it was written: its manifest, its checksums, the files that they list, a signature perhaps, and
/// nothing else.
/// Such a folder may be replaced by another bundle.
///
/// # Errors
/// A sentence that says what in the folder would be lost.
pub fn is_bundle(folder: &Path) -> Result<(), String> {
    let kept = |what: &str| {
        format!(
            "it is not an unchanged bundle ({what}), and what is in it would be lost; name another folder, or remove it yourself"
        )
    };
    // Whose folder this is shows before all that is in it is hashed.
    let manifest: Manifest = json(folder, MANIFEST).map_err(|problem| kept(&problem))?;
    if !manifest.code.bundled_by.starts_with(PROGRAM) {
        return Err(kept(&format!("{MANIFEST} names another program")));
    }
    let found = contents(folder).map_err(|error| error.to_string())?;
    files(folder, &manifest, &found).into_iter().next().map_or(Ok(()), |problem| Err(kept(&problem)))
}

/// Whether every file is there, is listed, and has the hash that is listed.
fn files(folder: &Path, manifest: &Manifest, found: &Contents) -> Vec<String> {
    let mut problems: Vec<String> =
        found.odd.iter().map(|path| format!("{path} is no plain file, and may lead elsewhere")).collect();
    problems.extend(found.empty.iter().map(|path| format!("{path} is an empty folder: it does not belong here")));
    for path in found.files.keys() {
        if !manifest.files.contains_key(path) && ![MANIFEST, SUMS, SIGNATURE].contains(&path.as_str()) {
            problems.push(format!("{path} is not in the manifest: it does not belong here"));
        }
    }
    for (path, entry) in &manifest.files {
        match found.files.get(path) {
            None => problems.push(format!("{path} is missing")),
            Some((_, bytes)) if *bytes != entry.bytes => {
                problems.push(format!("{path} has {bytes} bytes instead of {}", entry.bytes));
            }
            Some((digest, _)) if *digest != entry.sha256 => {
                problems.push(format!("{path} was changed: its SHA-256 is {digest} instead of {}", entry.sha256));
            }
            Some(_) => {}
        }
    }
    if found.files.contains_key(SIGNATURE) {
        problems.extend(signature::read(folder).and_then(|text| signature::is_signature(&text)).err());
    }
    let sums =
        std::fs::read_to_string(folder.join(SUMS)).map_err(|error| error.to_string()).and_then(|text| parse(&text));
    let sums = match sums {
        Ok(sums) => sums,
        Err(reason) => {
            problems.push(format!("{SUMS} cannot be used: {reason}"));
            return problems;
        }
    };
    for (path, digest) in &sums {
        match found.files.get(path) {
            None => problems.push(format!("{SUMS} names {path}, which is missing")),
            Some((now, _)) if now != digest => problems.push(format!("{SUMS} has another SHA-256 for {path}")),
            Some(_) => {}
        }
    }
    let listed = |path: &String| path == SUMS || path == SIGNATURE || sums.contains_key(path);
    let unlisted = found.files.keys().filter(|path| !listed(path));
    problems.extend(unlisted.map(|path| format!("{SUMS} does not name {path}")));
    problems
}

/// Whether the manifest binds what it should: the model, its weights' files, its evaluation and the times.
fn bindings(folder: &Path, manifest: &Manifest, found: &Contents) -> Vec<String> {
    let mut problems = Vec::new();
    if manifest.format != FORMAT {
        problems.push(format!("{MANIFEST} has the format {}; {FORMAT} is understood", manifest.format));
    }
    let expected = [
        (&manifest.model.path, model_file(&manifest.name)),
        (&manifest.evidence.path, EVIDENCE.to_owned()),
        (&manifest.example.request, REQUEST.to_owned()),
        (&manifest.example.response, RESPONSE.to_owned()),
    ];
    for (told, place) in expected {
        if *told != place {
            problems.push(format!("{MANIFEST} names {told} where {place} belongs"));
        }
    }
    let hash = |path: &str| found.files.get(path).map(|(digest, _)| *digest);
    if hash(&manifest.model.path).is_some_and(|digest| digest != manifest.model.sha256) {
        problems.push(format!("{MANIFEST} binds another model than {}", manifest.model.path));
    }
    if hash(EVIDENCE).is_some_and(|digest| digest != manifest.evidence.sha256) {
        problems.push(format!("{MANIFEST} binds another evaluation than {EVIDENCE}"));
    }
    if manifest.evidence.model_sha256 != manifest.model.sha256 {
        problems.push(format!("{MANIFEST} binds an evaluation of another model"));
    }
    let Ok(evaluation) = std::fs::read(folder.join(EVIDENCE)) else { return problems };
    match Judgement::of(&evaluation) {
        Err(reason) => problems.push(format!("{EVIDENCE} {reason}")),
        Ok(judgement) => {
            if judgement.model != manifest.model.sha256 {
                problems.push(format!("{EVIDENCE} is of another model"));
            }
            if !judgement.passed {
                problems.push(format!("{EVIDENCE} says that the model did not pass"));
            }
            if judgement.timing != manifest.timing {
                problems.push(format!("{MANIFEST} binds other times than those of {EVIDENCE}"));
            }
        }
    }
    problems
}

/// Whether manifest and configuration tell what the model takes, gives and says about itself.
fn model(folder: &Path, manifest: &Manifest, engine: &RemoteEngine) -> Vec<String> {
    let mut problems = Vec::new();
    let signature = engine.signature();
    if *signature != manifest.model.signature {
        problems.push(format!("{MANIFEST} tells other inputs and outputs than the model has"));
    }
    let metadata = engine.loaded().metadata.clone().map(|metadata| metadata.entries).unwrap_or_default();
    let data = |key: &String| key.strip_prefix("dataset.sha256.").map(str::to_owned);
    let from_model = metadata.iter().filter_map(|(key, value)| Some((data(key)?, value.clone()))).collect();
    if metadata != manifest.model.metadata
        || metadata.get("weights.sha256") != manifest.weights.as_ref()
        || metadata.get("code.revision") != manifest.code.exported_at.as_ref()
        || metadata.get("training.revision") != manifest.code.trained_at.as_ref()
        || manifest.data != from_model
    {
        problems.push(format!("{MANIFEST} binds other data, weights or code than the model's own record"));
    }
    match external_files(&folder.join(&manifest.model.path)) {
        Ok(external) if external.iter().ne(&manifest.model.external) => {
            problems.push(format!("{MANIFEST} names other files with weights than the model"));
        }
        Ok(_) => {}
        Err(error) => problems.push(terminal::failure::sentence(&error)),
    }
    let place = config_file(&manifest.name);
    let config = TritonConfig::new(&manifest.name, signature, manifest.max_batch_size, manifest.labels.as_deref());
    match (config, std::fs::read_to_string(folder.join(&place))) {
        (Ok(config), Ok(text)) => {
            problems.extend(config.disagreements(&text).into_iter().map(|problem| format!("{place} {problem}")));
        }
        (Err(reason), _) => problems.push(format!("the model cannot be served: {reason}")),
        (_, Err(error)) => problems.push(format!("{place} cannot be read: {error}")),
    }
    problems
}

/// Runs the example, alone and twice in one batch, as Triton may. Gives the largest difference.
fn example(folder: &Path, manifest: &Manifest, engine: &mut RemoteEngine) -> Result<f64, String> {
    let request: InferenceRequest = json(folder, REQUEST)?;
    let response: InferenceResponse = json(folder, RESPONSE)?;
    let inputs = request.inputs.iter().map(|input| input.tensor()).collect::<Result<Vec<_>, _>>();
    let inputs = inputs.map_err(|reason| format!("{REQUEST}: {reason}"))?;
    let expected = response.outputs.iter().map(|output| output.tensor()).collect::<Result<Vec<_>, _>>();
    let expected = expected.map_err(|reason| format!("{RESPONSE}: {reason}"))?;
    if request.id != response.id || response.model_name != manifest.name {
        return Err(format!("{RESPONSE} is the answer to another request"));
    }
    let mut run = |inputs: &[NamedTensor]| {
        engine.run(inputs).map_err(|error| format!("the example does not run: {}", terminal::failure::sentence(&error)))
    };
    let mut largest = difference(&run(&inputs)?, &expected)?;
    if manifest.max_batch_size > 1 {
        let (twice, expected): (Vec<_>, Vec<_>) = (doubled(&inputs)?, doubled(&expected)?);
        largest =
            largest.max(difference(&run(&twice)?, &expected).map_err(|reason| format!("in a batch of two, {reason}"))?);
    }
    let limit = manifest.example.relative_tolerance;
    // What is no number fails too.
    if largest.partial_cmp(&limit).is_none_or(Ordering::is_gt) {
        return Err(format!(
            "the example gives another answer: it differs by {largest:.2e} of the largest value, and {limit:.2e} is the limit"
        ));
    }
    Ok(largest)
}

/// The largest difference of any output, relative to its largest expected value.
fn difference(found: &[NamedTensor], expected: &[NamedTensor]) -> Result<f64, String> {
    if found.len() != expected.len() {
        return Err(format!("the model gives {} outputs and the response has {}", found.len(), expected.len()));
    }
    let mut largest = 0.0_f64;
    for (found, expected) in found.iter().zip(expected) {
        let same = found.name == expected.name
            && found.tensor.shape() == expected.tensor.shape()
            && found.tensor.elements().element_type() == expected.tensor.elements().element_type();
        if !same {
            return Err(format!(
                "the model gives `{}` in another form than the response has `{}`",
                found.name, expected.name
            ));
        }
        if found.tensor.is_other_text(&expected.tensor) {
            largest = f64::INFINITY;
        }
        let (found, expected) = (found.tensor.to_f64(), expected.tensor.to_f64());
        let scale = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs())).max(f64::MIN_POSITIVE);
        for (a, b) in found.iter().zip(&expected) {
            let share = (a - b).abs() / scale;
            largest = if share.is_nan() { f64::INFINITY } else { largest.max(share) };
        }
    }
    Ok(largest)
}

/// The same items once more behind themselves.
fn doubled(tensors: &[NamedTensor]) -> Result<Vec<NamedTensor>, String> {
    let double = |named: &NamedTensor| {
        let mut shape = named.tensor.shape().to_vec();
        if let Some(batch) = shape.first_mut() {
            *batch *= 2;
        }
        let tensor = Tensor::new(shape, twice(named.tensor.elements())).map_err(|error| error.to_string())?;
        Ok(NamedTensor::new(&named.name, tensor))
    };
    tensors.iter().map(double).collect()
}

fn twice(elements: &Elements) -> Elements {
    engines::each!(elements, values => [values.as_slice(), values].concat().into())
}

fn json<T: DeserializeOwned>(folder: &Path, place: &str) -> Result<T, String> {
    let bytes = std::fs::read(folder.join(place)).map_err(|error| format!("{place} cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{place} cannot be used: {error}"))
}
