//! What made a bundle: a bill of materials in CycloneDX 1.6, with every crate of the programs and every library that ran the model.
//!
//! It holds no time, no random number and no path, so that the same inputs give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use artifact::Digest;
use engines::fingerprint::Library;
use engines::versions;
use serde_json::{Value, json};

use crate::PROGRAM;

/// What cargo told when this was compiled; `build.rs` has the format.
const CRATES: &str = include_str!(concat!(env!("OUT_DIR"), "/crates.txt"));

/// The reference of the model.
const MODEL: &str = "model";

/// A crate, as cargo tells it: `serde v1.0.229`.
#[derive(Default)]
struct Crate {
    license: String,
    /// Whether it runs when others are compiled, and is no part of a program.
    is_macro: bool,
    dependencies: BTreeSet<String>,
}

/// The text of the bill of a model. `data` has the SHA-256 of what it was trained on, by name. `libraries` ran the model, when it was
/// evaluated and when the example was computed.
pub fn bill(name: &str, model: Digest, data: &BTreeMap<String, String>, libraries: &[Library]) -> String {
    let crates = parse(CRATES);
    let used = used(&crates);
    let programs: Vec<&String> = crates.keys().filter(|name| is_program(name)).collect();
    let mut components: Vec<Value> = Vec::new();
    let mut dependencies: Vec<Value> = Vec::new();
    for (name, about) in &crates {
        components.push(component(name, about, used.contains(name)));
        let needs: Vec<String> = about.dependencies.iter().map(|name| reference(name)).collect();
        dependencies.push(json!({"ref": reference(name), "dependsOn": needs}));
    }
    let libraries: BTreeMap<String, &Library> =
        libraries.iter().map(|library| (format!("{}@{}", library.name, library.sha256), library)).collect();
    for (reference, library) in &libraries {
        let mut component = json!({
            "type": "library",
            "bom-ref": reference,
            "name": library.name,
            "version": library.version,
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": library.sha256}],
        });
        if let Some(origin) = library.origin {
            component["description"] = format!("A shared library, {origin}").into();
        }
        components.push(component);
        dependencies.push(json!({"ref": reference, "dependsOn": []}));
    }
    let data: Vec<(String, &String, &String)> =
        data.iter().map(|(name, sha256)| (format!("data:{name}"), name, sha256)).collect();
    for (reference, name, sha256) in &data {
        components.push(json!({
            "type": "data",
            "bom-ref": reference,
            "name": name,
            "hashes": [{"alg": "SHA-256", "content": sha256}],
        }));
        dependencies.push(json!({"ref": reference, "dependsOn": []}));
    }
    let of_model = programs.iter().map(|name| reference(name)).chain(libraries.keys().cloned());
    let of_model: Vec<String> = of_model.chain(data.iter().map(|(reference, ..)| reference.clone())).collect();
    dependencies.push(json!({"ref": MODEL, "dependsOn": of_model}));
    let complete = if crates.is_empty() { "unknown" } else { "complete" };
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": PROGRAM, "version": env!("CARGO_PKG_VERSION")}]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": MODEL,
                "name": name,
                "hashes": [{"alg": "SHA-256", "content": model}],
            },
        },
        "components": components,
        "dependencies": dependencies,
        "compositions": [{"aggregate": complete, "dependencies": programs.iter().map(|name| reference(name)).collect::<Vec<_>>()}],
    });
    format!("{bill:#}\n")
}

/// The libraries of the engines in an evaluation.
pub fn libraries(evaluation: &[u8]) -> Vec<Library> {
    let value: Value = serde_json::from_slice(evaluation).unwrap_or_default();
    let engines = value.get("engines").and_then(Value::as_array).cloned().unwrap_or_default();
    let library = |engine: &Value| serde_json::from_value(engine.get("library")?.clone()).ok();
    engines.iter().chain(value.get("reference")).filter_map(library).collect()
}

fn component(name: &str, about: &Crate, is_used: bool) -> Value {
    let (title, version) = split(name);
    let checksum = versions::checksum(title, version);
    let mut component = json!({
        "type": if is_program(name) { "application" } else { "library" },
        "bom-ref": reference(name),
        "name": title,
        "version": version,
        // What only helps to compile is not in the programs.
        "scope": if is_used { "required" } else { "excluded" },
    });
    if let Some(checksum) = checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        component["purl"] = reference(name).into();
    }
    if !about.license.is_empty() {
        // Older crates part licences with a stroke.
        component["licenses"] = json!([{"expression": about.license.replace('/', " OR ")}]);
    }
    component
}

/// The reference of a crate: its package URL.
fn reference(name: &str) -> String {
    let (title, version) = split(name);
    match versions::checksum(title, version) {
        Some(_) => format!("pkg:cargo/{title}@{}", version.replace('+', "%2B")),
        None => format!("{title}@{version}"),
    }
}

fn split(name: &str) -> (&str, &str) {
    name.split_once(" v").unwrap_or((name, ""))
}

fn is_program(name: &str) -> bool {
    ["train", "export", "infer"].contains(&split(name).0)
}

/// The crates that are in the programs: those that are reached without a macro on the way.
fn used(crates: &BTreeMap<String, Crate>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&String> = crates.keys().filter(|name| is_program(name)).collect();
    while let Some(name) = open.pop() {
        let Some(about) = crates.get(name).filter(|about| !about.is_macro) else { continue };
        if found.insert(name.clone()) {
            open.extend(&about.dependencies);
        }
    }
    found
}

/// The crates in the output of `cargo tree --prefix=depth`: `1serde v1.0.229|MIT OR Apache-2.0|`, with ` (*)` where it was told before
/// what the crate needs, and ` (proc-macro)` behind macros.
fn parse(tree: &str) -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    for line in tree.lines() {
        let mut parts = line.split('|');
        let (Some(package), Some(license)) = (parts.next(), parts.next()) else { continue };
        let package_name = package.trim_start_matches(|character: char| character.is_ascii_digit());
        let Ok(depth) = package.strip_suffix(package_name).unwrap_or_default().parse::<usize>() else { continue };
        let name = package_name.trim_end_matches(" (proc-macro)").to_owned();
        let about = crates.entry(name.clone()).or_default();
        about.license = license.to_owned();
        about.is_macro = package_name.ends_with(" (proc-macro)");
        path.truncate(depth);
        if let Some(parent) = path.last().and_then(|parent| crates.get_mut(parent)) {
            parent.dependencies.insert(name.clone());
        }
        path.push(name);
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_cargo_is_understood() {
        let tree = "0train v0.1.0|MIT|\n1serde_derive v1.0.1 (proc-macro)|MIT/Apache-2.0|\n2syn v2.0.0|MIT|\n1serde v1.0.0|MIT|\n\
                    2syn v2.0.0|MIT| (*)\n\n0infer v0.1.0|MIT|\n1quote v1.0.0 (proc-macro)|MIT|\n2other v3.0.0+x|MIT|\n";
        let crates = parse(tree);
        assert_eq!(crates.len(), 7);
        assert_eq!(crates["train v0.1.0"].dependencies.len(), 2);
        let used = used(&crates);
        assert!(used.contains("syn v2.0.0"), "it is needed by serde, which is no macro");
        assert!(!used.contains("other v3.0.0+x") && !used.contains("serde_derive v1.0.1"));
        assert_eq!(
            component("x v1.0.0", &Crate { license: "MIT/Apache-2.0".to_owned(), ..Crate::default() }, true)["licenses"]
                [0]["expression"],
            "MIT OR Apache-2.0"
        );
    }

    /// What this very build recorded.
    #[test]
    fn the_crates_of_this_build_are_known_with_versions_licences_and_checksums() {
        let crates = parse(CRATES);
        assert!(crates.len() > 200, "{}", crates.len());
        for program in ["train", "export", "infer"] {
            assert!(crates.keys().any(|name| split(name).0 == program), "{program}");
        }
        let burn = format!("burn v{}", versions::locked("burn").unwrap());
        assert!(used(&crates).contains(&burn));
        for (name, about) in &crates {
            assert!(!name.contains('/') && !name.contains('('), "{name}");
            assert!(!about.license.is_empty(), "{name} tells no licence");
        }
        let registry = crates.keys().filter(|name| reference(name).starts_with("pkg:cargo/")).count();
        assert!(registry > 200, "{registry}");
    }
}
