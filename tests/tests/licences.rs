//! Every dependency may be used: its licence is one that `deny.toml` allows.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use end_to_end::{root, succeed};
use spdx::{Expression, LicenseReq, ParseMode};

#[derive(serde::Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(serde::Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[test]
fn every_licence_is_allowed() {
    let deny: Deny = toml::from_str(&fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = succeed(Command::new(cargo).current_dir(root()).args([
        "tree",
        "--workspace",
        "--prefix=none",
        "--format={p}|{l}",
    ]));
    let packages: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!(packages.len() > 100, "cargo tells of {} packages only", packages.len());

    let is_allowed =
        |requirement: &LicenseReq| requirement.license.id().is_some_and(|id| deny.licenses.allow.contains(id.name));
    let refused: Vec<&str> = packages
        .into_iter()
        .filter(|line| !line.is_empty())
        .filter(|line| {
            let licence = line.rsplit_once('|').map_or("", |(_, licence)| licence);
            !Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(is_allowed))
        })
        .collect();
    assert!(refused.is_empty(), "deny.toml does not allow {refused:#?}");
}
