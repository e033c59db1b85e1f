//! Models as bytes, against files that ONNX's own Python package wrote (`tests/fixtures/storage.py`).

use half::{bf16, f16};
use onnx_model::{Attribute, DataType, EncodeError, Graph, Model, Tensor, TensorData};

use crate::agreement;

const RAW: &[u8] = include_bytes!("../fixtures/storage_raw.onnx");
const TYPED: &[u8] = include_bytes!("../fixtures/storage_typed.onnx");

fn raw() -> Model {
    Model::decode(RAW).expect("a model")
}

fn tensor<'a>(model: &'a Model, name: &str) -> &'a Tensor {
    model.graph.find_initializer(name).expect("an initialiser")
}

#[test]
fn every_element_type_is_read() {
    let model = raw();
    let get = |name| tensor(&model, name);
    assert_eq!(get("float").to_vec::<f32>(), Ok(vec![1.5, -0.0, f32::INFINITY]));
    assert_eq!(get("double").to_vec::<f64>(), Ok(vec![1.5, -0.0, 1e300]));
    assert_eq!(get("float16").to_vec::<f16>(), Ok(vec![f16::from_f32(1.5), f16::NEG_ZERO, f16::MAX]));
    assert_eq!(get("bfloat16").to_vec::<bf16>(), Ok([1.5, -0.0, 1e38].map(bf16::from_f32).to_vec()));
    assert_eq!(get("int8").to_vec::<i8>(), Ok(vec![i8::MIN, 0, i8::MAX]));
    assert_eq!(get("int16").to_vec::<i16>(), Ok(vec![i16::MIN, 0, i16::MAX]));
    assert_eq!(get("int32").to_vec::<i32>(), Ok(vec![i32::MIN, 0, i32::MAX]));
    assert_eq!(get("int64").to_vec::<i64>(), Ok(vec![i64::MIN, 0, i64::MAX]));
    assert_eq!(get("uint8").to_vec::<u8>(), Ok(vec![0, 128, u8::MAX]));
    assert_eq!(get("uint16").to_vec::<u16>(), Ok(vec![0, 1, u16::MAX]));
    assert_eq!(get("uint32").to_vec::<u32>(), Ok(vec![0, 1, u32::MAX]));
    assert_eq!(get("uint64").to_vec::<u64>(), Ok(vec![0, 1, u64::MAX]));
    assert_eq!(get("bool").to_vec::<bool>(), Ok(vec![true, false, true]));
    // Two to a byte, the first in the low half.
    assert_eq!(get("int4").bytes().map(|bytes| bytes.to_vec()), Ok(vec![0x38, 0x07]));
    assert_eq!(get("uint4").bytes().map(|bytes| bytes.to_vec()), Ok(vec![0x90, 0x0f]));
    assert_eq!(get("string").data, TensorData::Strings(vec!["one".into(), "zwölf".into()]));
    assert_eq!(
        (get("matrix").dims.as_slice(), get("matrix").to_i64s()),
        ([2, 3].as_slice(), Ok(vec![0, 1, 2, 3, 4, 5]))
    );
    assert_eq!((get("scalar").dims.len(), get("scalar").to_i64s()), (0, Ok(vec![7])));
    assert_eq!((get("nothing").dims.as_slice(), get("nothing").to_vec::<f32>()), ([0, 3].as_slice(), Ok(vec![])));
}

#[test]
fn typed_fields_and_raw_bytes_mean_the_same() {
    assert_eq!(Model::decode(TYPED).expect("a model"), raw());
}

#[test]
fn attributes_notes_and_texts_are_read() {
    let model = raw();
    let [node] = model.graph.nodes.as_slice() else { panic!("one node") };
    assert_eq!((node.inputs.join("|"), node.outputs.join("|")), ("x||scalar".to_owned(), "y||z".to_owned()));
    assert_eq!(node.float("a_float"), Some(0.1));
    assert_eq!(node.int("b_int"), Some(-3));
    assert_eq!(node.string("c_string"), Some("café"));
    assert_eq!(node.attributes.get("f_floats"), Some(&Attribute::from([0.5f32, 1e-30])));
    assert_eq!(node.ints("g_ints"), Some([1, -2, 1 << 40].as_slice()));
    assert_eq!(node.attributes.get("h_strings"), Some(&Attribute::Strings(vec!["a".into(), "b".into()])));
    assert_eq!(node.subgraphs().map(|graph| graph.nodes[0].op_type.clone()).collect::<Vec<_>>(), ["Neg"; 3]);
    assert_eq!(node.metadata.get("pkg.torch.onnx.name_scopes").map(String::as_str), Some("['', 'fc1']"));
    assert_eq!(model.metadata.get("b").map(String::as_str), Some("two\nlines"));
    assert_eq!((model.ir_version, model.opset(), model.opset_imports.get("org.example")), (10, Some(21), Some(&1)));
    let types: Vec<String> =
        model.graph.inputs.iter().filter_map(|input| Some(input.ty.as_ref()?.to_string())).collect();
    assert_eq!(types, ["float[batch, ?, 3]", "float16[...]"]);
    assert_eq!(model.graph.outputs[0].doc, "a text about the output");
}

/// Byte for byte what ONNX's own writer wrote: field order, packing and all.
#[test]
fn files_are_written_as_onnx_writes_them() {
    assert_eq!(raw().encode().expect("bytes"), RAW);
    let mut same = 0;
    for (name, bytes) in agreement::models().into_iter().filter(|(name, _)| name.contains(" at ")) {
        // Two convolutions whose windows do not fit have sizes below zero by ONNX's account.
        let Ok(model) = Model::decode(bytes) else { continue };
        // Tensors in typed fields are written as raw bytes.
        if !model.graph.nodes.iter().any(|node| node.attributes.values().any(|a| matches!(a, Attribute::Tensor(_)))) {
            assert_eq!(model.encode().expect(name), bytes, "{name}");
            same += 1;
        }
    }
    assert!(same > 3000, "{same}");
}

#[test]
fn what_is_too_large_for_protobuf_is_refused_before_it_is_written() {
    // Shared bytes: the gigabytes exist once.
    let block = bytes::Bytes::from(vec![0u8; 1 << 28]);
    let mut graph = Graph::new("large");
    for index in 0..8 {
        let tensor = Tensor::new(format!("w{index}"), DataType::U8, [1 << 28], block.clone());
        graph.initializers.push(tensor.expect("a tensor"));
    }
    let refused = Model::new(11, graph).encode();
    assert!(matches!(refused, Err(EncodeError::TooLarge { bytes }) if bytes > 1 << 31), "{refused:?}");
}

#[test]
fn a_tensor_that_contradicts_itself_is_not_written() {
    let mut tensor = Tensor::vector("w", &[1.0f32, 2.0]);
    tensor.dims = vec![3];
    let refused = Model::new(11, Graph::new("g").initializer(tensor)).encode();
    let text = refused.expect_err("an error").to_string();
    assert_eq!(text, r#"tensor "w" of float and shape [3] needs 12 bytes and has 8"#);
}
