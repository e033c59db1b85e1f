//! ONNX's own checker over every file that the operator table exports, in every element type.
//!
//! The exporter keeps a model only if the checker of `onnx-model` passes it. What ONNX's checker, with strict shape
//! inference, says of the same files is written down in `tests/fixtures/onnx_verdicts.txt` by the script beside it: a line
//! for each row, with the keys of its graphs. Every file must be one that ONNX has seen.
//!
//! ONNX does not look at what values, nodes and texts are called, so that a file is known by the SHA-256 of its graph with
//! the names replaced by numbers. That the names are legal and unique is for the checker of `onnx-model`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use onnx_model::{Attribute, Graph, Model};

use crate::element_types;
use crate::table::case::{Bytes, Case, NoFile, OPSETS};
use crate::table::rows;

/// A file: its row, what it is of, the key by which it is known, and its bytes.
struct Made {
    row: &'static str,
    name: String,
    key: String,
    bytes: Bytes,
}

/// Every file that the table exports. A type that is refused has none, and `element_types` lists it.
fn files() -> Vec<Made> {
    let mut files = Vec::new();
    for row in rows() {
        let others = element_types::variants(&row);
        let others =
            others.into_iter().map(|(dtype, case)| (format!("{} {}", row.name, element_types::name(dtype)), case));
        for (name, case) in [(row.name.to_string(), Case::new(&row))].into_iter().chain(others) {
            for opset in OPSETS.into_iter().filter(|opset| *opset >= row.since) {
                let bytes = match case.file(opset) {
                    Ok(bytes) => bytes,
                    Err(_) if name != row.name => continue,
                    Err(NoFile::BurnPanics(text) | NoFile::OpsetTooLow(text) | NoFile::Refused(text)) => {
                        panic!("{name} at opset {opset}: {text}")
                    }
                };
                let model = Model::decode(bytes.to_vec()).unwrap_or_else(|error| panic!("{name} at {opset}: {error}"));
                files.push(Made { row: row.name, name: format!("{name} at {opset}"), key: key(model), bytes });
            }
        }
    }
    files
}

/// The first 12 digits of the SHA-256 of a model without its names and texts.
fn key(mut model: Model) -> String {
    model.producer_name.clear();
    model.producer_version.clear();
    model.doc.clear();
    model.metadata.clear();
    number(&mut model.graph, &mut BTreeMap::new());
    let bytes = model.encode().unwrap_or_else(|error| panic!("{error}"));
    artifact::sha256_bytes(&bytes).to_string()[..12].to_string()
}

/// Values are called by the order of their first appearance; nodes are not called anything.
fn number(graph: &mut Graph, numbers: &mut BTreeMap<String, String>) {
    fn rename(name: &mut String, numbers: &mut BTreeMap<String, String>) {
        if !name.is_empty() {
            let next = numbers.len().to_string();
            *name = numbers.entry(std::mem::take(name)).or_insert(next).clone();
        }
    }
    graph.name.clear();
    graph.doc.clear();
    graph.metadata.clear();
    graph.inputs.iter_mut().for_each(|input| rename(&mut input.name, numbers));
    for node in &mut graph.nodes {
        node.name.clear();
        node.doc.clear();
        node.metadata.clear();
        node.inputs.iter_mut().chain(&mut node.outputs).for_each(|name| rename(name, numbers));
        for attribute in node.attributes.values_mut() {
            match attribute {
                Attribute::Graph(graph) => number(graph, numbers),
                Attribute::Graphs(graphs) => graphs.iter_mut().for_each(|graph| number(graph, numbers)),
                _ => {}
            }
        }
    }
    graph.outputs.iter_mut().for_each(|output| rename(&mut output.name, numbers));
    for tensor in &mut graph.initializers {
        tensor.doc.clear();
        rename(&mut tensor.name, numbers);
    }
    graph.initializers.sort_by(|left, right| left.name.cmp(&right.name));
    graph.value_infos.iter_mut().for_each(|info| rename(&mut info.name, numbers));
    graph.value_infos.sort_by(|left, right| left.name.cmp(&right.name));
}

#[test]
fn onnx_passes_every_file_of_the_operator_table() {
    let files = files();
    if let Some(folder) = std::env::var_os("TABLE_FILES").map(PathBuf::from) {
        write(&folder, &files);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx_verdicts.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut verdicts: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.split(" | ").skip(1);
        let (Some(verdict), Some(keys)) = (parts.next(), parts.next()) else { panic!("{line:?} has too few parts") };
        verdicts.extend(keys.split(' ').map(|key| (key, verdict)));
    }
    let (mut wrong, mut unseen) = (Vec::new(), Vec::new());
    for Made { name, key, .. } in &files {
        match verdicts.get(key.as_str()) {
            Some(&"valid") => {}
            Some(reason) => wrong.push(format!("{name}: {reason}")),
            None => unseen.push(name.as_str()),
        }
    }
    assert!(wrong.is_empty(), "ONNX's checker refuses {} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(
        unseen.is_empty(),
        "ONNX has not seen {} of {} graphs; tests/fixtures/onnx_verdicts.py asks it: {unseen:?}",
        unseen.len(),
        files.len()
    );
    let keys: BTreeSet<&str> = files.iter().map(|made| made.key.as_str()).collect();
    let left: Vec<&&str> = verdicts.keys().filter(|key| !keys.contains(**key)).collect();
    assert!(left.is_empty(), "onnx_verdicts.txt has {} graphs that no row exports any more: {left:?}", left.len());
}

/// The files for the script, called by their rows and keys; graphs that several rows have only once.
fn write(folder: &Path, files: &[Made]) {
    std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut written = BTreeSet::new();
    for Made { row, key, bytes, .. } in files.iter().filter(|made| written.insert(&made.key)) {
        let path = folder.join(format!("{row} | {key}.onnx"));
        std::fs::write(&path, &**bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn a_graph_is_known_whatever_its_names_are_and_not_when_it_changes() {
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "remainder").unwrap_or_else(|| panic!("no such row"));
    let bytes = Case::new(row).file(17).unwrap_or_else(|error| panic!("{error:?}"));
    let model = Model::decode(bytes.to_vec()).unwrap_or_else(|error| panic!("{error}"));
    let mut renamed = model.clone();
    let mut other = |name: &mut String| name.push_str(".other");
    for node in &mut renamed.graph.nodes {
        node.name.push_str(" called otherwise");
        node.inputs.iter_mut().chain(&mut node.outputs).filter(|name| !name.is_empty()).for_each(&mut other);
    }
    renamed.graph.initializers.iter_mut().for_each(|tensor| other(&mut tensor.name));
    renamed.graph.initializers.reverse();
    renamed.graph.inputs.iter_mut().for_each(|input| other(&mut input.name));
    renamed.graph.outputs.iter_mut().for_each(|output| other(&mut output.name));
    renamed.graph.value_infos.iter_mut().for_each(|info| other(&mut info.name));
    assert_eq!(key(model.clone()), key(renamed));
    let mut changed = model.clone();
    changed.graph.nodes[0].op_type.push('X');
    assert_ne!(key(model), key(changed));
}
