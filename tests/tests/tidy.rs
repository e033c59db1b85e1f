//! The tree itself: what a reviewer would complain about in any file.

use std::fs;
use std::path::{Path, PathBuf};

use catalogue::NetworkId;
use end_to_end::root;

/// Beyond this a file has more than one reason to change.
const MOST_LINES: usize = 600;

/// Data belongs into manifests, not into the repository.
const MOST_BYTES: u64 = 1 << 20;

/// All files of the source tree: what git ignores is built or fetched.
fn files() -> Vec<PathBuf> {
    let ignored = ["target", ".git", "artifacts"];
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        let in_datasets = folder == root().join("datasets");
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true if ignored.contains(&name.as_str()) || in_datasets => {}
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    assert!(found.len() > 50, "the source tree was not found");
    found
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Every line of every text file that `wanted` takes, with where it is.
fn lines(wanted: impl Fn(&Path) -> bool) -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|path| wanted(path) && path.file_name().is_none_or(|name| name != "Cargo.lock"))
        .filter_map(|path| Some((fs::read_to_string(&path).ok()?, path)))
        .flat_map(|(text, path)| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            (1..)
                .zip(text.lines())
                .map(|(number, line)| (format!("{name}:{number}"), line.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The places of lines that hold one of `words`, each of which is given in two halves so as not to find itself.
fn places(wanted: impl Fn(&Path) -> bool, words: &[[&str; 2]]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|halves| halves.concat()).collect();
    lines(wanted)
        .into_iter()
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(place, line)| format!("{place}: {}", line.trim()))
        .collect()
}

#[test]
fn no_file_is_too_long_to_have_one_reason_to_change() {
    let long: Vec<String> = files()
        .into_iter()
        .filter(|path| is_rust(path))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_large_is_kept_in_the_repository() {
    let large: Vec<PathBuf> =
        files().into_iter().filter(|path| fs::metadata(path).unwrap().len() > MOST_BYTES).collect();
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let marks = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["to", "do!("],
        ["unimpl", "emented!("],
        ["db", "g!("],
        ["#[ig", "nore"],
    ];
    let found = places(is_rust, &marks);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    let hosts = [["pypi", ".org"], ["python", "hosted"], ["npmjs", ".org"], ["npmjs", ".com"], ["deb.deb", "ian.org"]];
    let folders = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]];
    let found = places(|_| true, &[&hosts[..], &folders[..]].concat());
    assert!(found.is_empty(), "{found:#?}");
}

/// A network is declared once: its name stands in the catalogue, its own modules, its trainer, and the one place where a name
/// becomes code. Comments, examples of commands, tests and benchmarks may name networks as they like.
#[test]
fn no_network_is_named_outside_its_own_places() {
    let own = [
        "crates/catalogue/",
        "crates/train/",
        "crates/cli/src/train/",
        "crates/models/src/lib.rs",
        "crates/networks/src/lib.rs",
        "crates/networks/src/open.rs",
        "xtask/src/bench.rs",
        "xtask/src/native.rs",
        "xtask/src/test.rs",
    ];
    // This name is a word of the field and of weight files as well; only its variant tells that the network is meant.
    const WORD: &str = "encoder";
    let names = NetworkId::ALL.iter().map(|id| id.card().name).filter(|name| *name != WORD);
    let names: Vec<String> = names.map(|name| name.replace('-', "")).collect();
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let mut found = Vec::new();
    for path in files().into_iter().filter(|path| is_rust(path)) {
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        let is_source = place.contains("/src/") && !place.starts_with("tests/");
        let module = plain(&path.file_stem().unwrap().to_string_lossy());
        let is_own = own.iter().any(|own| place.starts_with(own)) || names.iter().any(|name| module.contains(name));
        if !is_source || is_own {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            let words = line.trim_start();
            let is_example = words.starts_with("//") || line.contains("cargo xtask");
            let is_named = names.iter().any(|name| plain(line).contains(name)) || line.contains("NetworkId::Encoder");
            if !is_example && is_named {
                found.push(format!("{place}:{number}: {words}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_architecture_names_every_crate() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut crates: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| format!("crates/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    crates.sort();
    let missing: Vec<_> = crates.iter().filter(|name| !architecture.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
}

#[test]
fn every_crate_follows_the_lints_of_the_workspace() {
    for path in files().into_iter().filter(|path| path.file_name().is_some_and(|name| name == "Cargo.toml")) {
        // An example stands for a project elsewhere, which has no workspace around it.
        if path.parent() != Some(root()) && !path.starts_with(root().join("examples")) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("[lints]\nworkspace = true"), "{} has lints of its own", path.display());
        }
    }
}
