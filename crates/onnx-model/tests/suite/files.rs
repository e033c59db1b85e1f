//! Models on disk, with their weights inside and beside them.

use std::fs;
use std::path::Path;

use onnx_model::{
    DataType, Dim, External, ExternalData, Graph, LoadOptions, Model, Node, SaveOptions, Tensor, TensorData, ValueInfo,
};

/// `y = x @ weight + bias`, whose weight is 64 x 96.
fn model() -> Model {
    let weight: Vec<f32> = (0..64 * 96).map(|index| index as f32 / 7.0).collect();
    let bias: Vec<f32> = (0..96).map(|index| index as f32).collect();
    let graph = Graph::new("linear")
        .input(ValueInfo::new("x", DataType::F32, [Dim::from("batch"), Dim::from(64)]))
        .initializer(Tensor::from_slice("weight", [64, 96], &weight).expect("a matrix"))
        .initializer(Tensor::vector("bias", &bias))
        .initializer(Tensor::from_slice("table", [300], &[7i64; 300]).expect("a vector"))
        .node(Node::new("MatMul").inputs(["x", "weight"]).output("h"))
        .node(Node::new("Add").inputs(["h", "bias"]).output("y"))
        .output(ValueInfo::new("y", DataType::F32, [Dim::from("batch"), Dim::from(96)]));
    Model::new(11, graph)
}

fn always() -> SaveOptions {
    SaveOptions { external: External::Always, ..SaveOptions::default() }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[test]
fn a_saved_model_is_the_same_when_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linear.onnx");
    model().save(&path).expect("saved");
    assert_eq!(Model::load(&path).expect("loaded"), model());
    assert_eq!(names(folder.path()), ["linear.onnx"]);
    assert_eq!(fs::read(&path).expect("bytes"), model().encode().expect("bytes"));
}

#[test]
fn external_weights_lie_aligned_in_one_file_beside_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linear.onnx");
    model().save_with(&path, &always()).expect("saved");
    assert_eq!(names(folder.path()), ["linear.onnx", "linear.onnx.data"]);
    let light = Model::load_with(&path, &LoadOptions { external_data: false, ..LoadOptions::default() });
    let places: Vec<_> = light.expect("loaded").graph.initializers.into_iter().map(|tensor| tensor.data).collect();
    let place = |offset, length| {
        TensorData::External(ExternalData { location: "linear.onnx.data".into(), offset, length: Some(length) })
    };
    // The bias has 384 bytes and stays in the model.
    assert_eq!(places[0], place(0, 24576));
    assert!(matches!(places[1], TensorData::Bytes(_)));
    assert_eq!(places[2], place(24576, 2400));
    assert_eq!(fs::metadata(folder.path().join("linear.onnx.data")).expect("a file").len(), 24576 + 2400);
    assert_eq!(Model::load(&path).expect("loaded"), model());
}

#[test]
fn alignment_and_threshold_are_the_callers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linear.onnx");
    model().save_with(&path, &SaveOptions { external_from: 0, alignment: 65536, ..always() }).expect("saved");
    let data = fs::read(folder.path().join("linear.onnx.data")).expect("bytes");
    assert_eq!(data.len(), 2 * 65536 + 2400);
    assert_eq!(data[65536 + 4..65536 + 8], 1.0f32.to_le_bytes());
    assert_eq!(Model::load(&path).expect("loaded"), model());
}

#[test]
fn the_same_model_gives_the_same_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.onnx");
    let mut written = Vec::new();
    for _ in 0..2 {
        model().save_with(&path, &always()).expect("saved");
        written.push((fs::read(&path).expect("bytes"), fs::read(path.with_extension("onnx.data")).expect("bytes")));
    }
    assert_eq!(written[0], written[1]);
}

#[test]
fn what_is_streamed_is_what_is_encoded() {
    let encoded = model().encode().expect("bytes");
    let mut writer = artifact::HashingWriter::new(Vec::new());
    assert_eq!(model().write_to(&mut writer).expect("written"), encoded.len() as u64);
    let (bytes, length, digest) = writer.finish();
    assert_eq!((length, digest), (encoded.len() as u64, artifact::sha256_bytes(&encoded)));
    assert_eq!(bytes, encoded);
}

#[test]
fn a_full_writer_is_an_error() {
    let mut room = [0u8; 100];
    let error = model().write_to(&mut room.as_mut_slice()).expect_err("100 bytes are too few").to_string();
    assert_eq!(error, "the model cannot be written: failed to write whole buffer");
}

#[test]
fn saving_tells_lengths_and_digests() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linear.onnx");
    for (options, count) in [(SaveOptions::default(), 1), (always(), 2)] {
        let files = model().save_with(&path, &options).expect("saved");
        assert_eq!(files.len(), count);
        for file in files {
            let bytes = fs::read(&file.path).expect("a file");
            assert_eq!((file.bytes, file.sha256), (bytes.len() as u64, artifact::sha256_bytes(&bytes)));
        }
    }
}

#[test]
fn a_staged_model_can_be_read_and_takes_its_place_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linear.onnx");
    for options in [SaveOptions::default(), always()] {
        let staged = model().stage(&path, &options).expect("staged");
        assert_eq!(Model::load(staged.path()).expect("loaded"), model());
        assert!(!path.exists());
        drop(staged);
        assert_eq!(names(folder.path()), [""; 0]);
        let files = model().stage(&path, &options).and_then(onnx_model::Staged::commit).expect("in place");
        assert_eq!(Model::load(&path).expect("loaded"), model());
        assert_eq!(names(folder.path()).len(), files.len());
        files.iter().for_each(|file| fs::remove_file(&file.path).expect("removed"));
    }
}

#[test]
fn a_failed_save_leaves_the_old_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("linear.onnx");
    model().save(&path).expect("saved");
    let mut broken = model();
    broken.graph.initializers[0].dims = vec![1];
    for options in [SaveOptions::default(), always()] {
        assert!(broken.save_with(&path, &options).is_err());
        assert_eq!(Model::load(&path).expect("loaded"), model());
        assert_eq!(names(folder.path()), ["linear.onnx"]);
    }
}
