//! ONNX's own checker over every file that the operator table exports.
//!
//! The exporter keeps a model only if the checker of `onnx-model` passes it. What ONNX's checker, with strict shape
//! inference, says of the same files is written down in `tests/fixtures/onnx_verdicts.txt` by the script beside it. Files
//! change as the exporter does; once one in ten is another than the one that ONNX has seen, it must be asked again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn_export::Opset;

use crate::table::rows;

const OPSETS: [i64; 4] = [11, 13, 17, 21];

/// Every file: its name, and its bytes without the version of this crate, which changes with every release.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for row in rows() {
        for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
            let opset = Opset::try_from(opset).unwrap_or_else(|error| panic!("{error}"));
            let exported = (row.export)(row.exporter().opset(opset));
            let exported = exported.unwrap_or_else(|error| panic!("{} at opset {opset}: {error}", row.name));
            let mut model = exported.into_model();
            model.producer_version.clear();
            let bytes = model.encode().unwrap_or_else(|error| panic!("{} at opset {opset}: {error}", row.name));
            files.push((format!("{} at {opset}", row.name), bytes));
        }
    }
    files
}

#[test]
fn onnx_passes_every_file_of_the_operator_table() {
    let files = files();
    if let Some(folder) = std::env::var_os("TABLE_FILES").map(PathBuf::from) {
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for (name, bytes) in &files {
            let path = folder.join(format!("{name}.onnx"));
            std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx_verdicts.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let verdicts: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.rsplit_once(" | "))
        .filter_map(|(verdict, _)| verdict.split_once(' '))
        .collect();
    let (mut wrong, mut unseen) = (Vec::new(), Vec::new());
    for (name, bytes) in &files {
        let digest = artifact::sha256_bytes(bytes).to_string();
        match verdicts.get(&digest[..16]) {
            Some(&"valid") => {}
            Some(reason) => wrong.push(format!("{name}: {reason}")),
            None => unseen.push(name.as_str()),
        }
    }
    assert!(wrong.is_empty(), "ONNX's checker refuses {} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(
        unseen.len() * 10 <= files.len(),
        "ONNX has not seen {} of {} files; tests/fixtures/onnx_verdicts.py asks it: {unseen:?}",
        unseen.len(),
        files.len()
    );
}
