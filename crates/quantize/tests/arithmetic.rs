//! Quantised models under ONNX Runtime, against integer arithmetic of ONNX's reference evaluator and NumPy.
//!
//! `fixtures/cases.bin` holds small float models with ranges, inputs and what must come out; `fixtures/make.py` wrote it and tells how.

use std::collections::BTreeSet;
use std::path::Path;

use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::{NamedTensor, Tensor};
use onnx_model::{DataType, Graph, Model, Node, Tensor as OnnxTensor, ValueInfo};
use quantize::arithmetic::WeightBits;
use quantize::dynamic::{self, StepsOf};
use quantize::plan::Plan;
use quantize::products::Products;
use quantize::writer::{Format, Ranges, WeightOptions, write};
use quantize::{QuantizeError, prepare, raise};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Products of floats by two scales are rounded twice where the definition rounds once.
const ROUNDING: f32 = 4.0 * f32::EPSILON;

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// What one step of the result is; 0 where the result is floats.
    step: f32,
    ranges: Ranges,
    inputs: BTreeMap<String, Values>,
    expected: BTreeMap<String, Values>,
    #[serde(skip)]
    model: Model,
}

fn cases() -> Vec<Case> {
    let mut rest: &[u8] = include_bytes!("fixtures/cases.bin");
    let mut part = || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (bytes, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        rest = tail;
        Some(bytes)
    };
    let mut cases = Vec::new();
    while let Some(about) = part() {
        let mut case: Case = serde_json::from_slice(about).unwrap();
        case.model = Model::decode(part().unwrap().to_vec()).unwrap();
        cases.push(case);
    }
    assert_eq!(cases.len(), 13);
    cases
}

fn quantised(case: &Case, format: Format, per_channel: bool) -> Result<Model, QuantizeError> {
    let mut model = case.model.clone();
    prepare::simplify(&mut model)?;
    if format == Format::Qdq && per_channel {
        raise::raise(&mut model)?;
    }
    let plan = Plan::of(&model, &BTreeSet::new(), format);
    let weights = WeightOptions { per_channel, bits: WeightBits::Seven };
    write(&model, &plan, &case.ranges, &Products::default(), format, weights)
}

fn session(model: &Model, folder: &Path, threads: usize) -> Session {
    // SAFETY: tests of this file set the same value, and nothing reads the environment meanwhile but Rust's own guarded functions.
    unsafe { engines::runtime::forbid_telemetry() };
    let runtime = Runtime::load(&catalogue::datasets().join("onnxruntime")).unwrap();
    let path = folder.join("model.onnx");
    model.save(&path).unwrap();
    Session::open(&runtime, &path, SessionOptions { threads, ..SessionOptions::default() }).unwrap()
}

fn inputs(case: &Case) -> Vec<NamedTensor> {
    let tensor = |(name, values): (&String, &Values)| {
        NamedTensor::new(name, Tensor::new(values.shape.clone(), values.values.clone()).unwrap())
    };
    case.inputs.iter().map(tensor).collect()
}

fn operators(model: &Model) -> Vec<&str> {
    model.graph.nodes.iter().map(|node| node.op_type.as_str()).collect()
}

#[test]
fn integers_come_out_as_the_reference_has_them() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        for format in [Format::QOperator, Format::Qdq] {
            let model = quantised(&case, format, true).unwrap();
            model.check().unwrap();
            let opset = model.opset();
            assert_eq!(opset, Some(if format == Format::Qdq { 13 } else { 11 }), "{}", case.name);
            let outputs = session(&model, folder.path(), 1).run(&inputs(&case)).unwrap();
            let expected = &case.expected["y"];
            assert_eq!(outputs[0].tensor.shape(), expected.shape, "{} {format:?}", case.name);
            let found = outputs[0].tensor.as_f32().unwrap();
            let largest = expected.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            for (found, expected) in found.iter().zip(&expected.values) {
                // The result is bytes, which are the same or not; products of floats are rounded.
                let apart = (found - expected).abs();
                assert!(apart <= ROUNDING * largest, "{} {format:?}: {found} {expected} {:?}", case.name, case.step);
            }
        }
    }
}

#[test]
fn a_bound_becomes_part_of_the_steps_and_integers_are_all_that_computes() {
    for case in cases() {
        let model = quantised(&case, Format::QOperator, true).unwrap();
        let expected: &[&str] = match case.name.as_str() {
            "gemm" | "gemm_transposed" => &["QuantizeLinear", "QGemm"],
            "matmul" | "matmul_bias" => &["QuantizeLinear", "MatMulIntegerToFloat"],
            _ => &["QuantizeLinear", "QLinearConv", "DequantizeLinear"],
        };
        assert_eq!(operators(&model), expected, "{}", case.name);
        assert!(
            model.graph.initializers.iter().all(|tensor| tensor.name != "w"),
            "{} keeps its float weight",
            case.name
        );
    }
}

#[test]
fn the_answer_is_the_same_for_every_batch_and_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases().into_iter().filter(|case| case.inputs["x"].shape[0] > 1) {
        for (format, per_channel) in [(Format::QOperator, true), (Format::QOperator, false), (Format::Qdq, true)] {
            let model = quantised(&case, format, per_channel).unwrap();
            let mut one = session(&model, folder.path(), 1);
            let mut two = session(&model, folder.path(), 2);
            let whole = one.run(&inputs(&case)).unwrap();
            assert_eq!(two.run(&inputs(&case)).unwrap(), whole, "{} {format:?}", case.name);
            let Values { shape, values } = &case.inputs["x"];
            let single: Vec<usize> = [1].into_iter().chain(shape.iter().skip(1).copied()).collect();
            let mut items = Vec::new();
            for item in values.chunks(values.len() / shape[0]) {
                let input = NamedTensor::new("x", Tensor::new(single.clone(), item.to_vec()).unwrap());
                items.extend_from_slice(one.run(&[input]).unwrap()[0].tensor.as_f32().unwrap());
            }
            assert_eq!(items, whole[0].tensor.as_f32().unwrap(), "{} {format:?}", case.name);
        }
    }
}

#[test]
fn a_simplified_model_gives_what_it_gave() {
    let folder = tempfile::tempdir().unwrap();
    let numbers =
        |count: usize, factor: f32| (0..count).map(|index| (index as f32 * factor).sin()).collect::<Vec<f32>>();
    let constant = |name: &str, dims: &[u64], factor: f32| {
        let count = dims.iter().product::<u64>() as usize;
        OnnxTensor::from_slice(name, dims.to_vec(), &numbers(count, factor)).unwrap()
    };
    let shape = |channels: u64| ["batch".into(), channels.into(), 4.into(), 4.into()];
    let norm = ["scale", "shift", "mean", "variance"];
    let graph = Graph::new("net")
        .input(ValueInfo::new("x", DataType::F32, shape(3)))
        .initializer(constant("w", &[5, 3, 1, 1], 1.1))
        .initializer(constant("b", &[5], 1.3))
        .initializer(constant("scale", &[5], 1.7))
        .initializer(constant("shift", &[5], 1.9))
        .initializer(constant("mean", &[5], 2.3))
        .initializer(OnnxTensor::vector("variance", &[0.1_f32, 0.5, 1.0, 2.0, 4.0]))
        .node(Node::new("Identity").input("x").output("copy"))
        .node(Node::new("Dropout").input("copy").output("dropped"))
        .node(Node::new("Conv").inputs(["dropped", "w", "b"]).output("c"))
        .node(Node::new("BatchNormalization").inputs(["c"]).inputs(norm).output("y").attribute("epsilon", 0.01_f32))
        .output(ValueInfo::new("y", DataType::F32, shape(5)));
    let model = Model::new(11, graph);
    let mut simplified = model.clone();
    prepare::simplify(&mut simplified).unwrap();
    simplified.check().unwrap();
    assert_eq!(operators(&simplified), ["Conv"]);
    let input = NamedTensor::new("x", Tensor::new([2, 3, 4, 4], numbers(96, 0.7)).unwrap());
    let run =
        |model: &Model| session(model, folder.path(), 1).run(std::slice::from_ref(&input)).unwrap()[0].tensor.to_f64();
    let (before, after) = (run(&model), run(&simplified));
    let largest = before.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (before, after) in before.iter().zip(&after) {
        // A handful of roundings to float32.
        assert!((before - after).abs() <= 1e-6 * largest, "{before} {after}");
    }
}

#[test]
fn a_missing_or_impossible_range_is_told() {
    let mut case = cases().remove(0);
    case.ranges.get_mut("x").unwrap().max = f32::NAN;
    let error = quantised(&case, Format::QOperator, true).unwrap_err();
    assert!(error.to_string().starts_with("the range of `x` is from -4 to NaN"), "{error}");
    case.ranges.remove("x");
    let error = quantised(&case, Format::QOperator, true).unwrap_err();
    assert!(error.to_string().contains("lacks `x`"), "{error}");
}

/// Two products of tokens, one with its weight turned, at the opset that names the axes of a reduction in an attribute and at the one that
/// has them as an input. Steps for each row leave an item what it is, whatever lies beside it; steps for all together do not.
#[test]
fn steps_for_each_row_give_the_same_answer_in_every_batch() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = |count: usize, seed: usize| -> Vec<f32> {
        (0..count).map(|index| ((index * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    };
    for opset in [11, 18] {
        let named =
            |name: &str, width: u64| ValueInfo::new(name, DataType::F32, ["batch".into(), 3.into(), width.into()]);
        let graph = Graph::new("tokens")
            .input(named("x", 8))
            .output(named("y", 5))
            .initializer(OnnxTensor::from_slice("w", [8, 6], &numbers(48, 1)).unwrap())
            .initializer(OnnxTensor::vector("b", &numbers(6, 2)))
            .initializer(OnnxTensor::from_slice("v", [6, 5], &numbers(30, 3)).unwrap())
            .node(Node::new("MatMul").inputs(["x", "w"]).output("p"))
            .node(Node::new("Add").inputs(["p", "b"]).output("s"))
            .node(Node::new("MatMul").inputs(["s", "v"]).output("y"));
        let float = Model::new(opset, graph);
        float.check().unwrap();
        let weights = WeightOptions { per_channel: true, bits: WeightBits::Seven };
        let mut items = numbers(3 * 8, 4);
        // The second item is a hundred times as large, and a row of the first is zero everywhere.
        items.splice(8..16, [0.0; 8]);
        let large: Vec<f32> = numbers(3 * 8, 5).into_iter().map(|value| value * 100.0).collect();
        let input = |values: &[f32]| {
            let tensor = Tensor::new([values.len() / 24, 3, 8], values.to_vec()).unwrap();
            [NamedTensor::new("x", tensor)]
        };
        let session_of = |steps: StepsOf| {
            let model = dynamic::write(&float, &BTreeSet::new(), &Products::default(), weights, steps).unwrap();
            model.check().unwrap();
            assert!(model.graph.nodes.iter().all(Node::is_own));
            session(&model, folder.path(), 1)
        };
        let first_alone_and_with_another = |session: &mut Session| {
            let alone = session.run(&input(&items)).unwrap()[0].tensor.as_f32().unwrap().to_vec();
            let both = session.run(&input(&[items.clone(), large.clone()].concat())).unwrap();
            (alone, both[0].tensor.as_f32().unwrap()[..15].to_vec())
        };
        let (alone, beside) = first_alone_and_with_another(&mut session_of(StepsOf::Row));
        assert!(alone.iter().zip(&beside).all(|(one, other)| one.to_bits() == other.to_bits()), "{alone:?} {beside:?}");
        let wanted =
            session(&float, folder.path(), 1).run(&input(&items)).unwrap()[0].tensor.as_f32().unwrap().to_vec();
        let largest = wanted.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(
            alone.iter().zip(&wanted).all(|(found, wanted)| (found - wanted).abs() < 0.03 * largest),
            "{alone:?} {wanted:?}"
        );
        let (alone, beside) = first_alone_and_with_another(&mut session_of(StepsOf::Input));
        assert_ne!(alone, beside);
    }
}
