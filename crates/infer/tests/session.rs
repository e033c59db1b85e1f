//! ONNX Runtime through this crate: every element type, metadata, placement, and what is said when a model is bad.
//!
//! `fixtures/types.onnx` is written by `fixtures/make.py` with ONNX's own Python package. The expected values are the
//! meaning of `Neg`, `Not` and `Identity`.

use std::path::{Path, PathBuf};

use engines::engine::{Dimension, Engine};
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};
use half::f16;

fn runtime() -> Runtime {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/onnxruntime");
    Runtime::load(&fetched).unwrap_or_else(|error| panic!("{error}"))
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/types.onnx")
}

fn session() -> Session {
    Session::open(&runtime(), fixture(), SessionOptions::default()).unwrap()
}

fn named(name: &str, elements: impl Into<Elements>) -> NamedTensor {
    NamedTensor::new(name, Tensor::new([1, 2], elements).unwrap())
}

fn inputs() -> Vec<NamedTensor> {
    vec![
        named("float", vec![1.5_f32, -0.0]),
        named("double", vec![1e300, -2.0]),
        named("float16", vec![f16::from_f32(0.5), f16::from_f32(-3.0)]),
        named("int64", vec![i64::MAX, -7]),
        named("int32", vec![i32::MAX, -7]),
        named("int8", vec![127_i8, -7]),
        named("uint8", vec![255_u8, 0]),
        named("bool", vec![true, false]),
    ]
}

#[test]
fn every_element_type_goes_in_and_comes_out() {
    let expected = vec![
        named("float_out", vec![-1.5_f32, 0.0]),
        named("double_out", vec![-1e300, 2.0]),
        named("float16_out", vec![f16::from_f32(-0.5), f16::from_f32(3.0)]),
        named("int64_out", vec![-i64::MAX, 7]),
        named("int32_out", vec![-i32::MAX, 7]),
        named("int8_out", vec![-127_i8, 7]),
        named("uint8_out", vec![255_u8, 0]),
        named("bool_out", vec![false, true]),
    ];
    assert_eq!(session().run(&inputs()).unwrap(), expected);
    // Inputs go by name, not by place.
    let mut reversed = inputs();
    reversed.reverse();
    assert_eq!(session().run(&reversed).unwrap(), expected);
}

/// What a session has run does not matter, nor whether each size has one of its own.
#[test]
fn a_session_per_size_gives_the_same() {
    let options = SessionOptions { per_size: true, ..SessionOptions::default() };
    let mut session = Session::open(&runtime(), fixture(), options).unwrap();
    let twice = |input: NamedTensor| {
        let shape = [2, 2];
        let doubled: Elements =
            engines::each!(input.tensor.elements(), values => [values.as_slice(), values].concat().into());
        NamedTensor::new(input.name, Tensor::new(shape, doubled).unwrap())
    };
    let small = self::session().run(&inputs()).unwrap();
    for _ in 0..2 {
        assert_eq!(session.run(&inputs()).unwrap(), small);
        let large = session.run(&inputs().into_iter().map(twice).collect::<Vec<_>>()).unwrap();
        assert_eq!(large, small.clone().into_iter().map(twice).collect::<Vec<_>>());
    }
}

#[test]
fn an_empty_batch_gives_empty_outputs() {
    let empty = |name: &str, elements: Elements| NamedTensor::new(name, Tensor::new([0, 2], elements).unwrap());
    let inputs = [
        empty("float", Vec::<f32>::new().into()),
        empty("double", Vec::<f64>::new().into()),
        empty("float16", Vec::<f16>::new().into()),
        empty("int64", Vec::<i64>::new().into()),
        empty("int32", Vec::<i32>::new().into()),
        empty("int8", Vec::<i8>::new().into()),
        empty("uint8", Vec::<u8>::new().into()),
        empty("bool", Vec::<bool>::new().into()),
    ];
    let outputs = session().run(&inputs).unwrap();
    assert_eq!(outputs.len(), 8);
    assert!(outputs.iter().all(|output| output.tensor.shape() == [0, 2] && output.tensor.elements().is_empty()));
}

#[test]
fn a_model_tells_what_it_takes_and_what_it_is() {
    let session = session();
    assert_eq!(session.name(), "ort:cpu");
    let signature = session.signature();
    let first = signature.inputs.first().unwrap();
    assert_eq!((first.name.as_str(), first.element), ("float", Some(ElementType::Float)));
    assert_eq!(first.shape, [Dimension::Named("batch".to_owned()), Dimension::Fixed(2)]);
    assert_eq!(signature.outputs.last().unwrap().to_string(), "bool_out: bool [batch, 2]");
    let metadata = session.metadata().unwrap();
    assert_eq!((metadata.producer.as_str(), metadata.graph.as_str()), ("fixture", "types"));
    assert_eq!(metadata.entries.get("colour").map(String::as_str), Some("green"));
    assert_eq!(metadata.entries.len(), 2);
}

#[test]
fn the_profile_shows_every_node_on_its_provider() {
    let placement = session().placement(&inputs()).unwrap();
    let [part] = placement.parts.as_slice() else { panic!("{placement:?}") };
    assert_eq!(part.provider, "CPUExecutionProvider");
    assert_eq!((part.node_share, part.time_share), (1.0, 1.0));
    // The library puts conversions around the operation on float16, which its CPU provider lacks.
    for node in ["the_float (Neg)", "the_float16 (Neg)", "the_int64 (Neg)", "the_bool (Not)"] {
        assert!(part.node_names.contains(&node.to_owned()), "{:?}", part.node_names);
    }
    assert_eq!(part.nodes, part.node_names.len());
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let failure = |inputs: &[NamedTensor]| session().run(inputs).unwrap_err().to_string();
    let mut wrong_type = inputs();
    wrong_type[0] = named("float", vec![1_i64, 2]);
    let message = failure(&wrong_type);
    assert!(message.starts_with("ort:cpu failed: ") && message.contains("float"), "{message}");
    let mut unknown = inputs();
    unknown[0].name = "flaot".to_owned();
    assert!(failure(&unknown).contains("flaot"));
    assert!(failure(&inputs()[1..]).contains("float"));
    let mut wrong_shape = inputs();
    wrong_shape[0].tensor = Tensor::new([1, 3], vec![0_f32; 3]).unwrap();
    assert!(failure(&wrong_shape).contains("float"));
}

#[test]
fn files_that_are_no_models_are_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let failure = || match Session::open(&runtime(), &path, SessionOptions::default()) {
        Ok(_) => panic!("it loaded"),
        Err(error) => error.to_string(),
    };
    let name = path.display().to_string();
    assert!(failure().starts_with(&format!("cannot open {name}: ")));
    let whole = std::fs::read(fixture()).unwrap();
    for bytes in [&b""[..], b"this is no model", &whole[..whole.len() / 2]] {
        std::fs::write(&path, bytes).unwrap();
        let message = failure();
        assert!(message.starts_with(&format!("ort:cpu cannot load {name}: ")), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(failure().contains("directory"));
}

#[test]
fn a_process_has_one_library() {
    let runtime = runtime();
    let version: Vec<u32> = runtime.version().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version >= vec![1, 17], "{version:?}");
    let other = artifact::runtime::RuntimeLibrary { path: fixture(), origin: runtime.identity().origin };
    let message = Runtime::open(other).unwrap_err().to_string();
    assert!(message.contains("cannot load") && message.contains("types.onnx"), "{message}");
}
