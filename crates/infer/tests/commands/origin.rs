//! Whose a bundle is, and what made it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::bundle::{Shipped, command, read, reseal, writing};
use crate::setting::text;

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bundle/tests/fixtures/signed").join(name)
}

fn sign(shipped: &Shipped, out: &Path, with: &str) -> Output {
    writing(&shipped.setting, out).arg("--sign").arg(key(with)).output().unwrap()
}

/// What `--verify` says, and its exit status.
fn verify(shipped: &Shipped, folder: &Path, with: Option<&str>) -> (Option<i32>, String) {
    let mut command = command(&shipped.setting);
    command.arg("--verify").arg(folder);
    command.args(with.into_iter().flat_map(|name| ["--key".into(), key(name)]));
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_signature_tells_whose_a_bundle_is_and_every_change_breaks_it() {
    let mut shipped = Shipped::new();
    let (status, said) = verify(&shipped, &shipped.bundle, None);
    assert!(status == Some(0) && said.contains("it is not signed"), "{said}");
    let (status, said) = verify(&shipped, &shipped.bundle, Some("public.pem"));
    assert!(status == Some(1) && said.contains("there is no model.sig: nobody signed this bundle"), "{said}");
    let unsigned = shipped.copy();

    // A bundle that is there and signed is replaced by the next, as one that is not.
    for _ in 0..2 {
        let output = sign(&shipped, &shipped.bundle, "private.pem");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success() && said.contains("Signed in model.sig"), "{said}");
    }
    let (status, said) = verify(&shipped, &shipped.bundle, Some("public.pem"));
    assert!(status == Some(0) && said.contains("public.pem signed exactly these files"), "{said}");
    let (status, said) = verify(&shipped, &shipped.bundle, None);
    assert!(status == Some(0) && said.contains("Whose it is was not checked: it is signed"), "{said}");
    let (status, said) = verify(&shipped, &shipped.bundle, Some("other-public.pem"));
    assert_eq!((status, said.as_str()), (Some(1), "FAILED: model.sig was made with another key.\n"));
    let (status, said) = verify(&shipped, &shipped.bundle, Some("private.pem"));
    assert!(status == Some(1) && said.contains("holds a private key, and a public one is wanted"), "{said}");

    // Whatever is hidden behind fresh checksums shows here, in one sentence.
    type Tampering<'a> = (&'a str, &'a dyn Fn(&Path));
    let cases: &[Tampering] = &[
        ("changed: README.md, SHA256SUMS, manifest.json", &|folder| {
            fs::write(folder.join("README.md"), "changed").unwrap();
            reseal(folder);
        }),
        ("not signed: extra", &|folder| fs::write(folder.join("extra"), "").unwrap()),
        ("missing: README.md", &|folder| fs::remove_file(folder.join("README.md")).unwrap()),
        ("is no signature of a model", &|folder| fs::write(folder.join("model.sig"), "{}").unwrap()),
        ("what `folder` was when it was signed is not what is here", &|folder| {
            fs::copy(key("folder/model.sig"), folder.join("model.sig")).unwrap();
        }),
    ];
    for (complaint, tamper) in cases {
        let copy = shipped.copy();
        tamper(&copy);
        let (status, said) = verify(&shipped, &copy, Some("public.pem"));
        assert!(status == Some(1) && said.contains(complaint) && said.lines().count() == 1, "{complaint}: {said}");
    }
    // What is called like a signature and is none is somebody's file.
    let copy = shipped.copy();
    fs::write(copy.join("model.sig"), "my own notes").unwrap();
    let output = sign(&shipped, &copy, "private.pem");
    assert!(text(&output.stderr).contains("model.sig is no signature of a model"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(copy.join("model.sig")).unwrap(), "my own notes");

    // A key that cannot sign is told before anything is written.
    let fresh = shipped.setting.path("fresh");
    let output = sign(&shipped, &fresh, "p384.pem");
    assert!(output.status.code() == Some(1) && !fresh.exists());
    assert!(text(&output.stderr).contains("is no private elliptic-curve key on P-256"), "{}", text(&output.stderr));
    shipped.bundle = unsigned;
    assert!(shipped.setting.leftovers().is_empty());
}

#[test]
fn the_bill_of_materials_names_crates_and_libraries_and_is_the_same_each_time() {
    let shipped = Shipped::new();
    let again = shipped.setting.path("again");
    assert!(writing(&shipped.setting, &again).output().unwrap().status.success());
    let place = shipped.bundle.join("sbom.cdx.json");
    assert_eq!(fs::read(&place).unwrap(), fs::read(again.join("sbom.cdx.json")).unwrap());

    let bill = read(&place);
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert!(bill.get("serialNumber").is_none() && bill["metadata"].get("timestamp").is_none());
    let manifest = read(shipped.bundle.join("manifest.json"));
    assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], manifest["model"]["sha256"]);
    let components = bill["components"].as_array().unwrap();
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    let runtime = named("ONNX Runtime").unwrap();
    let evaluation = read(shipped.bundle.join("evidence/eval.json"));
    let engines = evaluation["engines"].as_array().unwrap();
    let library = engines.iter().find(|engine| engine["library"]["name"] == "ONNX Runtime").unwrap();
    assert_eq!(runtime["hashes"][0]["content"], library["library"]["sha256"]);
    let burn = named("burn").unwrap();
    assert_eq!(burn["scope"], "required");
    assert!(burn["purl"].as_str().unwrap().starts_with("pkg:cargo/burn@0."));
    assert!(named("train").is_some() && named("export").is_some() && named("infer").is_some());
    assert_eq!(bill["compositions"][0]["aggregate"], "complete");

    // No path of this machine, and nothing refers to what is not there.
    assert!(!fs::read_to_string(&place).unwrap().contains(env!("CARGO_MANIFEST_DIR")));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut known: BTreeSet<String> = components.iter().map(|component| text(&component["bom-ref"])).collect();
    assert_eq!(known.len(), components.len(), "a reference stands for two");
    known.insert(text(&bill["metadata"]["component"]["bom-ref"]));
    for entry in bill["dependencies"].as_array().unwrap() {
        let needs = entry["dependsOn"].as_array().unwrap().iter().chain([&entry["ref"]]);
        needs.for_each(|reference| assert!(known.contains(&text(reference)), "{reference}"));
    }
}
