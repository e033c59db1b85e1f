//! Whose a bundle is: a signature over all of its files, in the format of OpenSSF model-signing 1.0.
//!
//! The file is a Sigstore bundle in JSON with a DSSE envelope, signed by a key of one's own. In it is an in-toto statement that
//! names every other file with its SHA-256. The Python package `model-signing` (`model_signing verify key`) checks it too, and
//! what it signs with a key is checked here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use artifact::{Digest, Hasher};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::SIGNATURE;
use crate::key::{PrivateKey, PublicKey};
use crate::sums::Sums;

/// The kind of Sigstore bundle.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What an envelope holds.
const PAYLOAD: &str = "application/vnd.in-toto+json";
/// The kind of statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What is stated.
const PREDICATE: &str = "https://model_signing/signature/v1.0";
/// How files become resources: one each.
const METHOD: &str = "files";
/// The only hash that is understood.
const ALGORITHM: &str = "sha256";

/// No signature is longer, in bytes: it has some hundred for each file.
const LONGEST: u64 = 1 << 24;

/// Files that are named in a sentence before the rest is counted.
const NAMED: usize = 3;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigstoreBundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<KeyHint>,
    #[serde(default)]
    tlog_entries: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
struct KeyHint {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeSignature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Serialization {
    method: String,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

/// The text of the signature of a bundle `name` with these files.
pub fn sign(key: &PrivateKey, name: &str, files: &Sums) -> String {
    let mut files: Vec<(&String, &Digest)> = files.iter().collect();
    // The order of Python's paths: part by part.
    files.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    let resource =
        |(path, digest): &(&String, &Digest)| json!({"name": path, "algorithm": ALGORITHM, "digest": digest});
    let payload = json!({
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {ALGORITHM: root(files.iter().map(|(_, digest)| **digest))}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": METHOD,
                "hash_type": ALGORITHM,
                "allow_symlinks": false,
                "ignore_paths": [SIGNATURE],
            },
            "resources": files.iter().map(resource).collect::<Vec<_>>(),
        },
    })
    .to_string();
    let signature = key.sign(&pre_authentication(payload.as_bytes()));
    let bundle = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": key.public().hint()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": STANDARD.encode(payload),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": STANDARD.encode(signature), "keyid": ""}],
        },
    });
    format!("{bundle:#}\n")
}

/// The text of the signature of the bundle in `folder`.
///
/// # Errors
/// A sentence, when it cannot be read or is longer than any signature.
pub fn read(folder: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("{SIGNATURE} cannot be read: {error}");
    let mut text = Vec::new();
    let file = File::open(folder.join(SIGNATURE)).map_err(unreadable)?;
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
    match text.len() as u64 > LONGEST {
        true => Err(format!("{SIGNATURE} has more than {LONGEST} bytes, which no signature has")),
        false => Ok(text),
    }
}

/// Whether a text is a signature at all, of whatever key.
///
/// # Errors
/// A sentence that says why not.
pub fn is_signature(text: &[u8]) -> Result<(), String> {
    parse(text).map(|_| ())
}

/// Checks that `text` is a signature by this key over exactly these files.
///
/// # Errors
/// A sentence.
pub fn check(text: &[u8], key: &PublicKey, files: &Sums) -> Result<(), String> {
    let SigstoreBundle { verification_material: material, dsse_envelope: envelope, .. } = parse(text)?;
    let Some(named) = material.public_key else {
        return Err(format!("{SIGNATURE} was not made with a key, but with a certificate"));
    };
    let other = || format!("{SIGNATURE} was made with another key");
    // The hint only tells which key: the signature decides.
    if named.hint.is_some_and(|hint| !hint.is_empty() && hint != key.hint()) {
        return Err(other());
    }
    let damaged = |what: &str| format!("{SIGNATURE} is damaged: {what}");
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| damaged("its payload is no base64"))?;
    let [signature] = envelope.signatures.as_slice() else {
        return Err(damaged(&format!("it has {} signatures instead of one", envelope.signatures.len())));
    };
    let signature = STANDARD.decode(&signature.sig).map_err(|_| damaged("its signature is no base64"))?;
    if envelope.payload_type != PAYLOAD {
        return Err(format!("{SIGNATURE} signs {}, not {PAYLOAD}", envelope.payload_type));
    }
    if !key.signed(&pre_authentication(&payload), &signature) {
        return Err(other() + ", or was changed since");
    }
    let (name, signed) = stated(&payload)?;
    let differences = differences(&signed, files);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(format!("what `{name}` was when it was signed is not what is here: {}", differences.join("; "))),
    }
}

fn parse(text: &[u8]) -> Result<SigstoreBundle, String> {
    let none = |reason: String| format!("{SIGNATURE} is no signature of a model: {reason}");
    let bundle: SigstoreBundle = serde_json::from_slice(text).map_err(|error| none(error.to_string()))?;
    match bundle.media_type == BUNDLE {
        true => Ok(bundle),
        false => Err(none(format!("its kind is {}, and {BUNDLE} is understood", bundle.media_type))),
    }
}

/// The name and the files of a statement whose signature is known to be right.
fn stated(payload: &[u8]) -> Result<(String, Sums), String> {
    let unknown = |what: String| format!("{SIGNATURE} cannot be used: {what}");
    let statement: Statement = serde_json::from_slice(payload).map_err(|error| unknown(error.to_string()))?;
    if statement.kind != STATEMENT || statement.predicate_type != PREDICATE {
        let what = format!("it states {} by {}", statement.predicate_type, statement.kind);
        return Err(unknown(what + &format!(", and {PREDICATE} is understood")));
    }
    let Predicate { serialization, resources } = statement.predicate;
    if serialization.method != METHOD {
        return Err(unknown(format!("it signs {}, not whole {METHOD}", serialization.method)));
    }
    let mut digests = Vec::new();
    let mut signed = Sums::new();
    for Resource { name, algorithm, digest } in resources {
        let digest = digest.parse::<Digest>().ok().filter(|_| algorithm == ALGORITHM);
        let digest = digest.ok_or_else(|| unknown(format!("it hashes {name} by {algorithm}, not by {ALGORITHM}")))?;
        digests.push(digest);
        if signed.insert(name.clone(), digest).is_some() {
            return Err(unknown(format!("it names {name} twice")));
        }
    }
    let subject: Result<[Subject; 1], _> = statement.subject.try_into();
    let [subject] = subject.map_err(|_| unknown("it has not one subject".to_owned()))?;
    if subject.digest.get(ALGORITHM) != Some(&root(digests).to_string()) {
        return Err(unknown("its sum is not that of its files".to_owned()));
    }
    Ok((subject.name, signed))
}

/// How the files that are here differ from those that were signed, in parts of a sentence.
fn differences(signed: &Sums, files: &Sums) -> Vec<String> {
    let named = |paths: Vec<&String>, what: &str| {
        let more = paths.len().saturating_sub(NAMED);
        let shown = paths.iter().take(NAMED).map(|path| path.as_str()).collect::<Vec<_>>().join(", ");
        match (paths.len(), more) {
            (0, _) => None,
            (_, 0) => Some(format!("{what} {shown}")),
            _ => Some(format!("{what} {shown} and {more} more")),
        }
    };
    let changed = signed.iter().filter(|(path, digest)| files.get(*path).is_some_and(|now| now != *digest));
    let missing = signed.keys().filter(|path| !files.contains_key(*path));
    let extra = files.keys().filter(|path| !signed.contains_key(*path));
    let parts = [
        named(changed.map(|(path, _)| path).collect(), "changed:"),
        named(missing.collect(), "missing:"),
        named(extra.collect(), "not signed:"),
    ];
    parts.into_iter().flatten().collect()
}

/// The sum over all files: the SHA-256 of their hashes in order.
fn root(digests: impl IntoIterator<Item = Digest>) -> Digest {
    let mut hasher = Hasher::new();
    digests.into_iter().for_each(|digest| hasher.update(digest.as_bytes()));
    hasher.finish()
}

/// What is signed instead of a payload: DSSE's PAE.
fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
