//! Files from strangers give errors: no panic, no read outside the folder, no memory for what is not there.

use std::fs;
use std::path::Path;

use onnx_model::{
    Attribute, DataType, DecodeError, Dim, External, ExternalData, ExternalError, Graph, LoadError, LoadOptions, Model,
    Node, Problem, SaveOptions, Tensor, TensorData, ValueInfo,
};

use crate::wire::field;

/// A model with one external tensor of 1024 floats, and its file of 4096 bytes.
fn save(folder: &Path) -> Model {
    let graph = Graph::new("g").initializer(Tensor::vector("w", &[1.5f32; 1024]));
    let options = SaveOptions { external: External::Always, force: true, ..SaveOptions::default() };
    Model::new(11, graph).save_with(folder.join("m.onnx"), &options).expect("saved");
    let unread = LoadOptions { external_data: false, ..LoadOptions::default() };
    Model::load_with(folder.join("m.onnx"), &unread).expect("loaded")
}

/// What loading says when the tensor lies elsewhere.
fn load(folder: &Path, change: impl FnOnce(&mut ExternalData)) -> Result<Model, LoadError> {
    let mut model = save(folder);
    let TensorData::External(place) = &mut model.graph.initializers[0].data else { panic!("an external tensor") };
    change(place);
    model.save(folder.join("m.onnx")).expect("saved");
    Model::load(folder.join("m.onnx"))
}

#[test]
fn data_outside_of_the_folder_is_not_read() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("model");
    fs::create_dir(&folder).expect("a folder");
    fs::write(root.path().join("secret"), [0; 4096]).expect("a file");
    let absolute = root.path().join("secret").to_str().expect("a path").to_owned();
    for location in
        ["../secret", "./../secret", "x/../../secret", "..\\secret", "C:secret", "a*b", absolute.as_str(), "a\0b"]
    {
        let loaded = load(&folder, |place| place.location = location.to_owned());
        let outside = matches!(&loaded, Err(LoadError::External(ExternalError::Outside { .. })));
        let absent = matches!(&loaded, Err(LoadError::External(ExternalError::File(_)))) && location.starts_with("x/");
        assert!(outside || absent, "{location}: {loaded:?}");
    }
}

#[test]
fn folders_below_the_model_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("weights");
    fs::create_dir(&below).expect("a folder");
    fs::write(below.join("w"), 2.5f32.to_le_bytes().repeat(1024)).expect("a file");
    let loaded = load(folder.path(), |place| place.location = "./weights/w".into()).expect("loaded");
    assert_eq!(loaded.graph.initializers[0].to_vec::<f32>(), Ok(vec![2.5; 1024]));
}

#[cfg(unix)]
#[test]
fn links_and_devices_are_not_followed() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("model");
    fs::create_dir(&folder).expect("a folder");
    fs::write(root.path().join("secret"), [0; 4096]).expect("a file");
    symlink(root.path().join("secret"), folder.join("link")).expect("a link");
    symlink(root.path(), folder.join("up")).expect("a link");
    fs::hard_link(root.path().join("secret"), folder.join("hard")).expect("a link");
    for (location, what) in [("link", "symbolic"), ("up/secret", "symbolic"), ("hard", "hard"), (".", "no plain file")]
    {
        let error = load(&folder, |place| place.location = location.into()).expect_err(location);
        assert!(
            matches!(error, LoadError::External(ExternalError::Kind { kind, .. }) if kind.contains(what)),
            "{error}"
        );
    }
    // A pipe that nobody writes to does not hold the reader up.
    let pipe = std::ffi::CString::new(folder.join("pipe").to_str().expect("a path")).expect("a path");
    // SAFETY: the path is a string that ends in a zero and lives through the call.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    let error = load(&folder, |place| place.location = "pipe".into()).expect_err("a pipe");
    assert!(matches!(error, LoadError::External(ExternalError::Kind { .. })), "{error}");
}

#[test]
fn ranges_beyond_the_file_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (offset, length) in [(1, None), (4096, Some(4096)), (u64::MAX, None), (u64::MAX - 4095, Some(4096))] {
        let error = load(folder.path(), |place| (place.offset, place.length) = (offset, length)).expect_err("beyond");
        assert!(matches!(error, LoadError::External(ExternalError::Beyond { .. })), "{error}");
    }
    for length in [0, 4095, 4097, u64::MAX] {
        let error = load(folder.path(), |place| place.length = Some(length)).expect_err("another length");
        assert!(matches!(error, LoadError::External(ExternalError::Length { .. })), "{error}");
    }
    let gone = load(folder.path(), |place| place.location = "gone".into()).expect_err("no file");
    assert!(matches!(gone, LoadError::External(ExternalError::File(_))), "{gone}");
}

#[test]
fn many_tensors_over_one_range_take_its_memory_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut model = save(folder.path());
    for index in 0..100_000 {
        let copy = model.graph.initializers[0].clone().named(format!("w{index}"));
        model.graph.initializers.push(copy);
    }
    model.save(folder.path().join("m.onnx")).expect("saved");
    let loaded = Model::load(folder.path().join("m.onnx")).expect("loaded");
    let starts = |index: usize| loaded.graph.initializers[index].bytes().map(|bytes| bytes.as_ptr());
    assert_eq!(starts(0), starts(100_000));
}

#[test]
fn what_would_be_too_much_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let sparse = fs::File::create(folder.path().join("huge")).expect("a file");
    sparse.set_len(1 << 40).expect("a hole");
    let mut model = save(folder.path());
    let huge = ExternalData { location: "huge".into(), offset: 0, length: Some(1 << 40) };
    model.graph.initializers[0].dims = vec![1 << 38];
    model.graph.initializers[0].data = TensorData::External(huge);
    model.save(folder.path().join("m.onnx")).expect("saved");
    let error = Model::load(folder.path().join("m.onnx")).expect_err("a terabyte");
    assert!(matches!(error, LoadError::External(ExternalError::TooLarge { .. })), "{error}");
}

#[test]
fn graphs_nested_without_end_are_refused() {
    let mut graph = field(2, b"inner");
    for _ in 0..5000 {
        // GraphProto.node (1) of NodeProto.attribute (5) of AttributeProto.g (6).
        let branch = [field(1, b"then_branch"), field(6, &graph)].concat();
        graph = field(1, &[field(4, b"If"), field(5, &branch)].concat());
    }
    let error = Model::decode([vec![8, 6], field(7, &graph)].concat()).expect_err("too deep");
    assert!(error.to_string().contains("nested more than"), "{error}");
}

#[test]
fn graphs_nested_in_memory_are_refused_by_the_checker() {
    let mut graph = Graph::new("inner");
    for _ in 0..100 {
        let node = Node::new("If").input("c").output("y").attribute("then_branch", graph);
        graph = Graph::new("outer").node(node.attribute("else_branch", Graph::new("else")));
    }
    assert!(Model::new(11, graph).check().is_err());
}

#[test]
fn ranks_that_double_with_every_node_are_refused() {
    let mut graph = Graph::new("g").initializer(Tensor::from_slice("v0", [1, 1], &[0i64]).expect("a tensor"));
    for index in 0..60 {
        // Rank r becomes 2r - 1.
        let gather = Node::new("Gather").inputs([format!("v{index}"), format!("v{index}")]);
        graph.nodes.push(gather.output(format!("v{}", index + 1)));
    }
    let error = Model::new(11, graph).check().expect_err("too many axes");
    assert!(matches!(error.problem, Problem::Axes { .. }), "{error}");
}

#[test]
fn lists_of_a_million_axes_take_no_time() {
    let axes = vec![0i64; 1 << 20];
    for (op, attribute) in [("Transpose", "perm"), ("Squeeze", "axes"), ("Unsqueeze", "axes"), ("ReduceSum", "axes")] {
        let input = ValueInfo::new("x", DataType::F32, vec![Dim::from("n"); 256]);
        let graph = Graph::new("g").input(input);
        let node = Node::new(op).input("x").output("y").attribute(attribute, axes.as_slice());
        assert!(Model::new(11, graph.node(node)).check().is_err(), "{op}");
    }
    let wide = ValueInfo::new("x", DataType::F32, vec![Dim::Unknown; 1 << 20]);
    assert!(Model::new(11, Graph::new("g").input(wide)).check().is_err());
}

#[test]
fn claims_of_size_take_no_memory() {
    // 2^62 floats of which there is none, and 2^33 bytes announced in a message of 20.
    let mut tensor = vec![8];
    tensor.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f]);
    tensor.extend([16, 1]);
    let header = [8, 6];
    let with_tensor = [header.to_vec(), field(7, &field(5, &tensor))].concat();
    assert!(matches!(Model::decode(with_tensor), Err(DecodeError::Tensor(_))));
    let announced = [header.to_vec(), vec![7 << 3 | 2, 0x80, 0x80, 0x80, 0x80, 0x20]].concat();
    assert!(matches!(Model::decode(announced), Err(DecodeError::Protobuf(_))));
}

#[test]
fn every_beginning_of_a_file_is_refused_or_read() {
    let bytes: &[u8] = include_bytes!("../fixtures/storage_raw.onnx");
    let read = (0..bytes.len()).filter(|length| Model::decode(&bytes[..*length]).is_ok()).count();
    // Only where a field of the model ends after the graph could the rest be missing unnoticed.
    assert!(read < 8, "{read}");
}

#[test]
fn parts_that_are_not_supported_are_named() {
    let sparse = field(7, &[field(2, b"g"), field(15, b"")].concat());
    let training = [field(7, &field(2, b"g")), field(20, b"")].concat();
    for (part, word) in [(sparse, "sparse"), (training, "training")] {
        let error = Model::decode([vec![8, 6], part].concat()).expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_name_twice_among_attributes_is_refused() {
    let model = Model::new(
        11,
        Graph::new("g").node(
            Node::new("Relu").input("x").output("y").attribute("aaaa", 1i64).attribute("bbbb", Attribute::Int(2)),
        ),
    );
    let bytes = model.encode().expect("bytes");
    let position = bytes.windows(4).position(|window| window == b"bbbb").expect("a name");
    let mut twice = bytes;
    twice[position..position + 4].copy_from_slice(b"aaaa");
    let error = Model::decode(twice).expect_err("twice");
    assert_eq!(error.to_string(), r#"a Relu node without a name has "aaaa" more than once"#);
}
