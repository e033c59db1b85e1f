//! Signatures of OpenSSF's Python package under our eyes. That the package takes ours is checked by `fixtures/sign.py verify`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bundle::key::{PrivateKey, PublicKey};
use bundle::signature::{check, is_signature, sign};
use bundle::sums::{Sums, contents};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signed").join(name)
}

/// The files that were signed.
fn files() -> Sums {
    let found = contents(&fixture("folder")).unwrap().files;
    found.into_iter().filter(|(path, _)| path != "model.sig").map(|(path, (digest, _))| (path, digest)).collect()
}

fn key(name: &str) -> PublicKey {
    PublicKey::read(&fixture(name)).unwrap()
}

fn theirs() -> Value {
    serde_json::from_slice(&fs::read(fixture("folder/model.sig")).unwrap()).unwrap()
}

fn told(signature: &Value, files: &Sums) -> String {
    check(signature.to_string().as_bytes(), &key("public.pem"), files).unwrap_err()
}

#[test]
fn what_the_python_package_signed_is_verified() {
    let text = fs::read(fixture("folder/model.sig")).unwrap();
    assert_eq!(check(&text, &key("public.pem"), &files()), Ok(()));
    assert_eq!(check(&text, &key("other-public.pem"), &files()).unwrap_err(), "model.sig was made with another key");
}

#[test]
fn a_change_a_loss_and_an_addition_are_each_told() {
    let mut others = files();
    others.insert("a/b".to_owned(), artifact::sha256_bytes(b"changed"));
    assert_eq!(told(&theirs(), &others), "what `folder` was when it was signed is not what is here: changed: a/b");
    others.remove("a.txt");
    others.extend(["x", "y", "z", "zz"].map(|name| (name.to_owned(), artifact::sha256_bytes(b"extra"))));
    let told = told(&theirs(), &others);
    assert!(told.ends_with("changed: a/b; missing: a.txt; not signed: x, y, z and 1 more"), "{told}");
}

#[test]
fn whatever_is_changed_in_a_signature_it_no_longer_holds() {
    type Edit<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let payload = |signature: &mut Value, from: &str, to: &str| {
        let place = &mut signature["dsseEnvelope"]["payload"];
        let text = String::from_utf8(STANDARD.decode(place.as_str().unwrap()).unwrap()).unwrap();
        assert!(text.contains(from));
        *place = STANDARD.encode(text.replace(from, to)).into();
    };
    let edits: &[Edit] = &[
        ("was changed since", &|signature| payload(signature, "a.txt", "b.txt")),
        ("was changed since", &|signature| payload(signature, "\n", "")),
        // Without the hint the signature alone decides.
        ("was made with another key", &|signature| {
            signature["verificationMaterial"]["publicKey"] = serde_json::json!({});
            payload(signature, "folder", "other");
        }),
        ("another key", &|signature| signature["verificationMaterial"]["publicKey"]["hint"] = "00".into()),
        ("a certificate", &|signature| {
            signature["verificationMaterial"] = serde_json::json!({"certificate": {"rawBytes": ""}});
        }),
        ("its kind is x", &|signature| signature["mediaType"] = "x".into()),
        ("signs text/plain", &|signature| signature["dsseEnvelope"]["payloadType"] = "text/plain".into()),
        ("0 signatures", &|signature| signature["dsseEnvelope"]["signatures"] = serde_json::json!([])),
        ("no base64", &|signature| signature["dsseEnvelope"]["signatures"][0]["sig"] = "é".into()),
        ("was changed since", &|signature| signature["dsseEnvelope"]["signatures"][0]["sig"] = "".into()),
        ("is no signature", &|signature| signature["dsseEnvelope"] = Value::Null),
    ];
    for (complaint, edit) in edits {
        let mut signature = theirs();
        edit(&mut signature);
        let told = told(&signature, &files());
        assert!(told.contains(complaint), "{complaint}: {told}");
    }
    for (name, complaint) in [("blake2.sig", "not by sha256"), ("shards.sig", "signs shards, not whole files")] {
        let error = check(&fs::read(fixture(name)).unwrap(), &key("public.pem"), &files()).unwrap_err();
        assert!(error.contains(complaint), "{name}: {error}");
    }
    assert!(is_signature(b"{}").unwrap_err().contains("is no signature of a model"));
}

#[test]
fn ours_states_what_theirs_states() {
    let private = PrivateKey::read(&fixture("private.pem")).unwrap();
    let text = sign(&private, "folder", &files());
    assert_eq!(check(text.as_bytes(), &key("public.pem"), &files()), Ok(()));
    assert_eq!(sign(&private, "folder", &files()), text, "the same files give the same bytes");
    let older = PrivateKey::read(&fixture("sec1.pem")).unwrap();
    assert_eq!(sign(&older, "folder", &files()), text, "the same key in another form gives the same bytes");
    let payload = |signature: &Value| -> Value {
        let text = signature["dsseEnvelope"]["payload"].as_str().unwrap();
        serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()
    };
    let ours: Value = serde_json::from_str(&text).unwrap();
    let (mut ours, mut theirs) = (payload(&ours), payload(&theirs()));
    // A bundle has none of git's files to leave out.
    for statement in [&mut ours, &mut theirs] {
        let ignored = statement["predicate"]["serialization"]["ignore_paths"].take();
        assert!(ignored.as_array().unwrap().contains(&"model.sig".into()));
    }
    assert_eq!(ours, theirs);
}

#[test]
fn a_key_that_does_not_fit_is_told_with_what_to_do() {
    let private = |name: &str| PrivateKey::read(&fixture(name)).err().map(|error| error.to_string()).unwrap();
    let public = |name: &str| PublicKey::read(&fixture(name)).err().map(|error| error.to_string()).unwrap();
    assert!(private("encrypted.pem").contains("is protected by a password"));
    assert!(private("public.pem").contains("holds a public key"));
    assert!(private("p384.pem").contains("is no private elliptic-curve key on P-256"));
    assert!(private("folder/a.txt").contains("openssl genpkey"));
    assert!(private("absent").starts_with("cannot open"));
    assert!(public("private.pem").contains("holds a private key"));
    assert!(public("folder/a.txt").contains("is no public elliptic-curve key on P-256"));
}
