//! What is found out about a file before any program opens it, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use onnx_model::{
    DataType, Dim, External, ExternalError, Graph, Model, Node, SaveOptions, Survey, SurveyError, Tensor, ValueInfo,
};

use crate::wire::{field, number, text};

/// Saves a model with a tensor of 1024 floats in a file beside it, and returns its path.
fn save(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    let graph = Graph::new("g")
        .initializer(Tensor::vector("w", &[1.5f32; 1024]))
        .input(ValueInfo::new("x", DataType::F32, [Dim::from("batch"), Dim::from(1024)]))
        .node(Node::new("Mul").inputs(["x", "w"]).output("h"))
        .node(Node::new("FusedGelu").domain("com.example").input("h").output("y"))
        .output(ValueInfo::new("y", DataType::F32, [Dim::Unknown, Dim::from(1024)]));
    let mut model = Model::new(11, graph);
    model.producer_name = "kiln".to_owned();
    model.metadata.insert("weights".to_owned(), "0123".to_owned());
    model.opset_imports.insert("com.example".to_owned(), 3);
    let options = SaveOptions { external: External::Always, ..SaveOptions::default() };
    model.save_with(folder.join("m.onnx"), &options).expect("saved");
    folder.join("m.onnx")
}

/// Saves bytes as a model in a folder that has a file of 4096 bytes, `data`, and looks at it.
fn survey(bytes: &[u8]) -> Result<Survey, SurveyError> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("data"), [0; 4096]).expect("a file");
    fs::write(folder.path().join("m.onnx"), bytes).expect("a file");
    Survey::of(folder.path().join("m.onnx"))
}

/// A `TensorProto` of 1024 floats in another file.
fn outside(location: &str) -> Vec<u8> {
    let entry = [text(1, "location"), text(2, location)].concat();
    [number(1, 1024), number(2, 1), text(8, "w"), field(13, &entry), number(14, 1)].concat()
}

fn graph(content: &[u8]) -> Vec<u8> {
    [number(1, 8), field(7, &[text(2, "g"), content.to_vec()].concat())].concat()
}

#[test]
fn a_model_is_described() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = save(folder.path());
    let survey = Survey::of(&path).expect("a model");
    assert_eq!((survey.ir_version, survey.bytes), (6, fs::metadata(&path).expect("a file").len()));
    assert_eq!(survey.opset_imports, [(String::new(), 11), ("com.example".to_owned(), 3)].into());
    assert_eq!(survey.producer_name, "kiln");
    assert_eq!(survey.inputs, [("x".to_owned(), "float[batch, 1024]".to_owned())]);
    assert_eq!(survey.outputs, [("y".to_owned(), "float[?, 1024]".to_owned())]);
    assert_eq!(survey.operators, [("Mul".to_owned(), 1), ("com.example.FusedGelu".to_owned(), 1)].into());
    assert_eq!((survey.graphs, survey.depth, survey.functions, survey.tensors, survey.tensor_bytes), (1, 1, 0, 1, 0));
    assert_eq!((survey.graph_name.as_str(), survey.parameters), ("g", 1024));
    assert_eq!(survey.metadata, [("weights".to_owned(), "0123".to_owned())].into());
    let [data] = survey.data_files.as_slice() else { panic!("one file of data") };
    assert_eq!((data.location.as_str(), data.bytes, data.used, data.tensors), ("m.onnx.data", 4096, 4096, 1));
    assert_eq!(data.path, folder.path().join("m.onnx.data"));
}

/// A hole in a file, of a size that no memory holds, is not read.
#[test]
fn weights_are_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let sparse = fs::File::create(folder.path().join("data")).expect("a file");
    sparse.set_len(1 << 42).expect("a hole");
    let tensor = [number(1, 1 << 40), outside("data")[3..].to_vec()].concat();
    fs::write(folder.path().join("m.onnx"), graph(&field(5, &tensor))).expect("a file");
    let survey = Survey::of(folder.path().join("m.onnx")).expect("a model");
    assert_eq!(survey.data_files[0].used, 1 << 42);
}

/// What is too long is not kept, and what is no text is left out.
#[test]
fn metadata_of_any_size_is_survived() {
    let entry = |key: &str, value: &[u8]| field(14, &[text(1, key), field(2, value)].concat());
    let bytes =
        [graph(&[]), entry("long", &[b'x'; (1 << 20) + 1]), entry("noise", &[0xff]), entry("short", b"x")].concat();
    let survey = survey(&bytes).expect("a model");
    assert_eq!(survey.metadata, [("long".to_owned(), String::new()), ("short".to_owned(), "x".to_owned())].into());
    assert_eq!(survey.unusual, ["an entry of metadata of more than 1 MiB"]);
}

#[test]
fn a_pointer_of_git_lfs_is_called_one() {
    let error =
        survey(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n").expect_err("a pointer");
    assert!(error.to_string().contains("Git LFS pointer"), "{error}");
}

#[test]
fn every_tensor_is_confined_wherever_it_stands() {
    let tensor = outside("../secret");
    let attribute = |content: Vec<u8>| field(5, &[text(1, "value"), content].concat());
    let node = |attribute: Vec<u8>| field(1, &[text(4, "Constant"), attribute].concat());
    let inner = [text(2, "inner"), field(5, &tensor)].concat();
    let function = [text(1, "F"), field(7, &[text(4, "Constant"), attribute(field(5, &tensor))].concat())].concat();
    let default = [text(1, "F"), field(11, &[text(1, "a"), field(5, &tensor)].concat())].concat();
    let sparse = field(1, &tensor);
    let places = [
        ("initialiser", graph(&field(5, &tensor))),
        ("sparse initialiser", graph(&field(15, &sparse))),
        ("attribute", graph(&node(attribute(field(5, &tensor))))),
        ("list of tensors", graph(&node(attribute(field(10, &tensor))))),
        ("sparse attribute", graph(&node(attribute(field(22, &sparse))))),
        ("subgraph", graph(&node(attribute(field(6, &inner))))),
        ("list of subgraphs", graph(&node(attribute(field(11, &inner))))),
        ("function", [graph(&[]), field(25, &function)].concat()),
        ("default of a function", [graph(&[]), field(25, &default)].concat()),
        ("training", [graph(&[]), field(20, &field(1, &inner))].concat()),
    ];
    for (place, bytes) in places {
        let error = survey(&bytes).expect_err(place);
        assert!(matches!(error, SurveyError::External(ExternalError::Outside { .. })), "{place}: {error}");
    }
}

#[test]
fn what_no_program_writes_is_refused() {
    let mut deep = text(2, "inner");
    for _ in 0..5000 {
        deep = field(1, &[text(4, "If"), field(5, &field(6, &deep))].concat());
    }
    let both = [outside("data"), field(9, &[0; 4096])].concat();
    let unmarked = {
        let mut tensor = outside("data");
        tensor.truncate(tensor.len() - 2);
        tensor
    };
    let short = [number(1, 3), number(2, 1), field(9, &[0; 8])].concat();
    let cases = [
        ("nested too deep", graph(&deep)),
        ("without an operator", graph(&field(1, b""))),
        ("names another file", graph(&field(5, &unmarked))),
        ("8 bytes, and needs 12", graph(&field(5, &short))),
        ("below zero", graph(&field(5, &[number(1, u64::MAX), number(2, 1)].concat()))),
        ("element type is not known", graph(&field(5, &[number(2, 99), outside("data")[5..].to_vec()].concat()))),
        ("no graph", number(1, 8)),
        ("cut off", [number(1, 8), vec![7 << 3 | 2, 0xff, 0xff, 0x7f]].concat()),
        ("cut off", graph(&[1 << 3 | 2, 100])),
        ("a kind that protobuf does not have", vec![1 << 3 | 3]),
        ("a number where a message belongs", graph(&number(5, 1))),
        ("more than 1048576 nodes", graph(&field(1, &text(4, "A")).repeat((1 << 20) + 1))),
    ];
    for (word, bytes) in cases {
        let error = survey(&bytes).expect_err(word).to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    // Where values lie twice over, the file beside counts, as for ONNX's own reader.
    assert!(survey(&graph(&field(5, &both))).is_ok());
}

#[test]
fn ranges_beyond_the_file_are_refused() {
    let entry = |key: &str, value: &str| field(13, &[text(1, key), text(2, value)].concat());
    for (offset, word) in
        [("1", "4096 bytes in all"), ("18446744073709551615", "0 bytes in all"), ("x", "where its values")]
    {
        let tensor = [outside("data"), entry("offset", offset)].concat();
        let error = survey(&graph(&field(5, &tensor))).expect_err(offset).to_string();
        assert!(error.contains(word), "{error}");
    }
    // Two locations, of which a reader may take either.
    let tensor = [outside("data"), entry("location", "data")].concat();
    let error = survey(&graph(&field(5, &tensor))).expect_err("two locations").to_string();
    assert!(error.contains("where its values"), "{error}");
    assert!(Model::decode(graph(&field(5, &tensor))).is_err());
}

#[test]
fn types_that_this_crate_does_not_read_are_told_in_words() {
    let sequence = [text(1, "x"), field(2, &field(4, b""))].concat();
    let survey = survey(&graph(&field(11, &sequence))).expect("a model");
    assert_eq!(survey.inputs, [("x".to_owned(), "a sequence type".to_owned())]);
}

#[test]
fn every_model_that_is_read_is_described() {
    for (name, bytes) in crate::agreement::models() {
        if let (Ok(model), survey) = (Model::decode(bytes), survey(bytes)) {
            let survey = survey.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(survey.inputs.len(), model.graph.inputs.len(), "{name}");
        }
    }
}

/// The cache of a model hub: `snapshots/<revision>` holds links into `blobs`.
#[cfg(unix)]
mod hub {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Hub {
        folder: tempfile::TempDir,
        snapshot: PathBuf,
    }

    /// A cache with a model and its data, the latter linked to by `data`.
    fn hub(data: impl FnOnce(&Path) -> PathBuf) -> Hub {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("hub/models--a--b");
        let (blobs, snapshot) = (root.join("blobs"), root.join("snapshots/0123abc"));
        let model = save(&blobs);
        fs::rename(model, blobs.join("aa")).expect("a blob");
        fs::rename(blobs.join("m.onnx.data"), blobs.join("bb")).expect("a blob");
        fs::create_dir_all(snapshot.join("onnx")).expect("a folder");
        symlink("../../../blobs/aa", snapshot.join("onnx/m.onnx")).expect("a link");
        symlink(data(folder.path()), snapshot.join("onnx/m.onnx.data")).expect("a link");
        Hub { folder, snapshot }
    }

    /// Whether the survey and the reader agree that the model may be opened.
    fn opens(path: &Path) -> bool {
        let (survey, model) = (Survey::of(path), Model::load(path));
        assert_eq!(survey.is_ok(), model.is_ok(), "{survey:?} {model:?}");
        survey.is_ok()
    }

    #[test]
    fn links_into_its_blobs_are_followed() {
        let lawful = hub(|_| "../../../blobs/bb".into());
        let path = lawful.snapshot.join("onnx/m.onnx");
        assert!(opens(&path));
        let model = Model::load(&path).expect("a model");
        assert_eq!(model.graph.initializers[0].to_vec::<f32>(), Ok(vec![1.5; 1024]));
        let blob = lawful.folder.path().canonicalize().expect("a path").join("hub/models--a--b/blobs/bb");
        assert_eq!(Survey::of(&path).expect("a model").data_files[0].path, blob);
    }

    #[test]
    fn links_that_leave_its_blobs_are_refused() {
        let secret = |root: &Path| {
            fs::write(root.join("secret"), [0; 4096]).expect("a file");
            root.join("secret")
        };
        assert!(!opens(&hub(secret).snapshot.join("onnx/m.onnx")));
        // A blob that is itself a link.
        let chained = hub(|root| {
            symlink(secret(root), root.join("hub/models--a--b/blobs/cc")).expect("a link");
            "../../../blobs/cc".into()
        });
        assert!(!opens(&chained.snapshot.join("onnx/m.onnx")));
        // Another model's blobs.
        let other = hub(|root| {
            fs::create_dir_all(root.join("hub/models--c--d/blobs")).expect("a folder");
            fs::write(root.join("hub/models--c--d/blobs/bb"), [0; 4096]).expect("a file");
            "../../../../models--c--d/blobs/bb".into()
        });
        assert!(!opens(&other.snapshot.join("onnx/m.onnx")));
    }

    /// The same files are refused under a path that does not show the folder that they share.
    #[test]
    fn the_root_is_the_one_that_the_path_shows() {
        let lawful = hub(|_| "../../../blobs/bb".into());
        let elsewhere = lawful.folder.path().join("elsewhere");
        symlink(lawful.snapshot.join("onnx"), &elsewhere).expect("a link");
        assert!(!opens(&elsewhere.join("m.onnx")));
        // A folder of blobs that is a link leads anywhere.
        let blobs = lawful.folder.path().join("hub/models--a--b/blobs");
        fs::rename(&blobs, lawful.folder.path().join("moved")).expect("a folder");
        symlink(lawful.folder.path().join("moved"), &blobs).expect("a link");
        assert!(!opens(&lawful.snapshot.join("onnx/m.onnx")));
    }

    #[test]
    fn a_model_that_is_no_link_has_no_links() {
        let lawful = hub(|_| "../../../blobs/bb".into());
        let path = lawful.snapshot.join("onnx/m.onnx");
        let bytes = fs::read(&path).expect("a model");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, bytes).expect("a model");
        assert!(!opens(&path));
    }

    #[test]
    fn hard_links_are_refused_as_data() {
        let lawful = hub(|_| "../../../blobs/bb".into());
        let blobs = lawful.folder.path().join("hub/models--a--b/blobs");
        fs::hard_link(blobs.join("bb"), lawful.folder.path().join("other")).expect("a link");
        assert!(!opens(&lawful.snapshot.join("onnx/m.onnx")));
    }
}
