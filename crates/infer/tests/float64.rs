//! `float64` under ONNX Runtime, against PyTorch in float64.
//!
//! `fixtures/float64.bin` and `fixtures/float64_graphs.bin` hold small networks with inputs and expected outputs;
//! `fixtures/float64.py` and `fixtures/float64_graphs.py` wrote them and tell how.

use std::cell::Cell;
use std::path::Path;

use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Optimization, Session, SessionOptions};
use engines::tensor::{Elements, NamedTensor, Tensor};
use float64::to_float64;
use onnx_model::{DataType, Dim, Model};

/// Of the largest value of an output. Sums of some hundred products in another order differ by some hundred times
/// 2^-53 = 1.1e-16 of it at most, and all but one of the networks stay below 1e-14. The tangent is the quotient of the runtime's
/// sine and cosine, which are off by 5e-16: beside a pole it is off by more, in the measure in which it is large.
const TOLERANCE: f64 = 1e-13;

/// What rounding to float32, 6e-8, leaves of the networks themselves, by the same reasoning with the largest factor.
const SINGLE_TOLERANCE: f64 = 1e-5;

struct Case {
    name: String,
    model: Model,
    inputs: Vec<NamedTensor>,
    expected: Vec<NamedTensor>,
}

fn cases() -> Vec<Case> {
    let files: [&[u8]; 2] = [include_bytes!("fixtures/float64.bin"), include_bytes!("fixtures/float64_graphs.bin")];
    files.into_iter().flat_map(cases_of).collect()
}

fn cases_of(mut rest: &[u8]) -> Vec<Case> {
    let mut next = || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (bytes, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        rest = tail;
        Some(Model::decode(bytes.to_vec()).unwrap())
    };
    let mut cases = Vec::new();
    while let Some(model) = next() {
        let values = next().expect("values follow each network").graph.initializers;
        let named: Vec<NamedTensor> = values.iter().map(tensor).collect();
        let is_input = |value: &NamedTensor| model.graph.inputs.iter().any(|input| input.name == value.name);
        let (inputs, expected) = named.into_iter().partition(is_input);
        cases.push(Case { name: model.graph.name.clone(), model, inputs, expected });
    }
    cases
}

fn tensor(tensor: &onnx_model::Tensor) -> NamedTensor {
    let elements: Elements = match tensor.dtype {
        DataType::F32 => tensor.to_vec::<f32>().unwrap().into(),
        DataType::F64 => tensor.to_vec::<f64>().unwrap().into(),
        DataType::I64 => tensor.to_vec::<i64>().unwrap().into(),
        DataType::I32 => tensor.to_vec::<i32>().unwrap().into(),
        DataType::I8 => tensor.to_vec::<i8>().unwrap().into(),
        DataType::U8 => tensor.to_vec::<u8>().unwrap().into(),
        DataType::Bool => tensor.to_vec::<bool>().unwrap().into(),
        other => panic!("{other} is not handled"),
    };
    let shape: Vec<usize> = tensor.dims.iter().map(|&size| usize::try_from(size).unwrap()).collect();
    NamedTensor::new(&tensor.name, Tensor::new(shape, elements).unwrap())
}

fn widened(value: &NamedTensor) -> NamedTensor {
    match value.tensor.elements() {
        Elements::F32(_) => {
            let tensor = Tensor::new(value.tensor.shape(), value.tensor.to_f64()).unwrap();
            NamedTensor::new(&value.name, tensor)
        }
        _ => value.clone(),
    }
}

fn open(model: &Model) -> Result<Session, String> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/onnxruntime");
    let runtime = Runtime::load(&fetched).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    model.save(&path).unwrap();
    let options = SessionOptions { optimization: Optimization::None, ..SessionOptions::default() };
    Session::open(&runtime, &path, options).map_err(|error| error.to_string())
}

fn run(model: &Model, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, String> {
    open(model)?.run(inputs).map_err(|error| error.to_string())
}

/// The largest difference between the outputs, as a share of the largest value of an output.
fn difference(found: &[NamedTensor], expected: &[NamedTensor]) -> Result<f64, String> {
    let mut worst = 0.0_f64;
    for expected in expected {
        let found = found.iter().find(|value| value.name == expected.name).ok_or("an output is missing")?;
        if found.tensor.shape() != expected.tensor.shape() {
            return Err(format!("the shape is {:?}, not {:?}", found.tensor.shape(), expected.tensor.shape()));
        }
        let (found, expected) = (found.tensor.to_f64(), expected.tensor.to_f64());
        let largest = expected.iter().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            // What is no number is no agreement.
            let difference = (found - expected).abs() / largest;
            worst = if difference.is_nan() { f64::INFINITY } else { worst.max(difference) };
        }
    }
    Ok(worst)
}

/// The failures of all cases, so that one does not hide the others.
fn failures(examine: impl Fn(&Case) -> Result<(), String>) -> Vec<String> {
    let cases = cases();
    assert!(cases.len() > 100, "the networks were not found");
    let failures = cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, examine(case).err()?)));
    failures.collect()
}

#[test]
fn every_form_agrees_with_pytorch_in_float64() {
    let failures = failures(|case| {
        let exact = to_float64(&case.model).map_err(|error| error.to_string())?;
        exact.check().map_err(|error| error.to_string())?;
        let inputs: Vec<NamedTensor> = case.inputs.iter().map(widened).collect();
        let outputs = run(&exact, &inputs)?;
        for (output, expected) in outputs.iter().zip(&case.expected) {
            if std::mem::discriminant(output.tensor.elements()) != std::mem::discriminant(expected.tensor.elements()) {
                return Err(format!("{} has another element type", output.name));
            }
        }
        match difference(&outputs, &case.expected)? {
            share if share <= TOLERANCE => Ok(()),
            share => Err(format!("the outputs differ by {share:e}")),
        }
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_empty_batch_gives_empty_outputs() {
    let seen = Cell::new(0);
    let failures = failures(|case| {
        let windows = ["Conv", "AveragePool", "LpPool"].iter().any(|operator| case.name.starts_with(operator));
        let shape = case.model.graph.inputs[..].first().and_then(|input| input.ty.as_ref()?.shape.clone());
        let Some([Dim::Symbol(_), ..]) = shape.as_deref().filter(|_| windows) else { return Ok(()) };
        // A weight that is an input is no batch.
        if case.inputs.len() > 1 {
            return Ok(());
        }
        seen.set(seen.get() + 1);
        let exact = to_float64(&case.model).map_err(|error| error.to_string())?;
        let empty = |value: &NamedTensor| {
            let shape: Vec<usize> = std::iter::once(0).chain(value.tensor.shape()[1..].iter().copied()).collect();
            NamedTensor::new(&value.name, Tensor::new(shape, Vec::<f64>::new()).unwrap())
        };
        let inputs: Vec<NamedTensor> = case.inputs.iter().map(empty).collect();
        match run(&exact, &inputs)?.iter().zip(&case.expected).all(|(found, expected)| *found == empty(expected)) {
            true => Ok(()),
            false => Err("the output is not empty".to_owned()),
        }
    });
    assert!(seen.get() > 40, "{} networks were run", seen.get());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// One or more models of each version of each operator, as the tests of `onnx_model` describe them.
#[test]
fn the_runtime_has_every_operator_that_is_left() {
    let mut rest: &[u8] = include_bytes!("../../onnx-model/tests/fixtures/agreement.bin");
    let (mut opened, mut failures) = (0, Vec::new());
    for line in include_str!("../../onnx-model/tests/fixtures/agreement.txt").lines() {
        let (length, tail) = rest.split_first_chunk::<4>().unwrap();
        let (bytes, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        rest = tail;
        // What is not called valid is no model, or one that the runtime does not run as it is.
        if !line.starts_with("valid") {
            continue;
        }
        let model = Model::decode(bytes).unwrap();
        let Ok(exact) = to_float64(&model) else { continue };
        opened += 1;
        // What is no float stays as it is, and the runtime has no kernel for some strings and integers.
        if let Err(error) = open(&exact)
            && open(&model).is_ok()
        {
            failures.push(format!("{line}: {error}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(opened > 500, "{opened} models");
}

/// That the expected outputs are those of the networks, and not of others that PyTorch calls by the same name.
#[test]
fn the_networks_themselves_differ_by_rounding_alone() {
    let failures = failures(|case| match difference(&run(&case.model, &case.inputs)?, &case.expected)? {
        share if share <= SINGLE_TOLERANCE => Ok(()),
        share => Err(format!("the outputs differ by {share:e}")),
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
