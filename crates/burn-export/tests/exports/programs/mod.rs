//! Random small networks, composed of the operations of the table: exported at a random opset, run by ONNX Runtime at
//! sizes that were traced and sizes that were not, and compared with Burn.
//!
//! The programs are the same in every run. `PROGRAMS=10000` tries more of them, `PROGRAMS_SEED=7` others. What fails is
//! shrunk to the smallest program that still fails, and printed as text.

mod indexed;
mod interpret;
mod operation;
mod shapes;
mod size;
mod strategy;
mod value;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use burn::tensor::{BoolStore, DType, Device, FloatDType, TensorData};
use burn_export::{Axis, OnnxExporter, Opset};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::interpret::Layers;
use self::operation::Operation;
use self::size::{AXES, Kind, LARGEST, RUNS, Size, Type};
use self::value::{Ranked, Value};
use crate::support::{Random, Runner};

/// The inputs of every program: name, kind, rank.
const INPUTS: [(&str, Kind, usize); 6] = [
    ("x", Kind::Float, 2),
    ("y", Kind::Float, 3),
    ("z", Kind::Float, 4),
    ("i", Kind::Int, 2),
    ("b", Kind::Bool, 2),
    (EDGES, Kind::Float, 2),
];

/// The input with infinities, NaN and negative zeros among its elements.
const EDGES: &str = "e";

/// A network.
pub struct Program {
    inputs: Vec<Type>,
    steps: Vec<Step>,
    opset: i64,
}

/// One step of it.
struct Step {
    operation: Operation,
    /// Places among the inputs and the results of earlier steps.
    operands: Vec<usize>,
    /// The shapes of its parameters.
    parameters: Vec<Vec<usize>>,
    result: Type,
}

impl Program {
    /// The types of the inputs and of each step's result.
    fn types(&self) -> Vec<&Type> {
        self.inputs.iter().chain(self.steps.iter().map(|step| &step.result)).collect()
    }

    /// The results that no other step uses.
    fn outputs(&self) -> Vec<usize> {
        let used = |value: &usize| self.steps.iter().any(|step| step.operands.contains(value));
        (self.inputs.len()..self.inputs.len() + self.steps.len()).filter(|value| !used(value)).collect()
    }

    fn name(&self, value: usize) -> String {
        INPUTS.get(value).map_or_else(|| format!("v{}", value - INPUTS.len()), |(name, ..)| (*name).to_string())
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "opset {}", self.opset)?;
        for (place, ty) in self.inputs.iter().enumerate() {
            if self.steps.iter().any(|step| step.operands.contains(&place)) {
                writeln!(f, "{}: {ty}", self.name(place))?;
            }
        }
        for (place, step) in self.steps.iter().enumerate() {
            let operands: Vec<String> = step.operands.iter().map(|operand| self.name(*operand)).collect();
            let name = self.name(INPUTS.len() + place);
            writeln!(f, "{name} = {:?} of {}: {}", step.operation, operands.join(", "), step.result)?;
        }
        let outputs: Vec<String> = self.outputs().into_iter().map(|output| self.name(output)).collect();
        write!(f, "outputs {}", outputs.join(", "))
    }
}

/// The number that the user gives in the environment.
fn given(name: &str) -> Option<u32> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A runner of so many programs; the same ones each time.
fn runner(cases: u32, seed_number: u32) -> TestRunner {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&seed_number.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4096, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

fn check(opsets: std::ops::RangeInclusive<i64>, cases: u32) {
    let agreement = |program: Program| agrees(&program).map_err(TestCaseError::fail);
    let mut runner = runner(given("PROGRAMS").unwrap_or(cases), given("PROGRAMS_SEED").unwrap_or(1));
    let result = runner.run(&strategy::programs(opsets), agreement);
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Programs that leave out a step would not test it.
#[test]
fn random_networks_use_every_step() {
    let drawn = RefCell::new(BTreeSet::new());
    let collect = |program: Program| {
        let names = program.steps.iter().map(|step| format!("{:?}", step.operation));
        drawn.borrow_mut().extend(names.map(|text| text.split(['(', ' ']).next().unwrap_or_default().to_string()));
        Ok(())
    };
    runner(1000, 1).run(&strategy::programs(11..=28), collect).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(drawn.borrow().len(), strategy::KINDS.len(), "{:?}", drawn.borrow());
}

#[test]
fn random_networks_agree_up_to_opset_15() {
    check(11..=15, 500);
}

#[test]
fn random_networks_agree_from_opset_16() {
    check(16..=21, 500);
}

/// Exports a program and compares it with Burn.
fn agrees(program: &Program) -> Result<(), String> {
    let device = Device::flex();
    let layers = Layers::new(program, DType::F32, &device);
    let opset = Opset::try_from(program.opset).map_err(|error| error.to_string())?;
    let mut exporter = OnnxExporter::new().opset(opset);
    for ((name, ..), ty) in INPUTS.iter().zip(&program.inputs) {
        exporter = exporter.input(*name, ty.shape.iter().map(declared));
    }
    for output in program.outputs() {
        exporter = exporter.output(program.name(output));
    }
    let exported = exporter.export(&layers, |layers: &Layers, (x, y, z, i, b, e)| {
        let inputs = vec![
            Value::Float(Ranked::Two(x)),
            Value::Float(Ranked::Three(y)),
            Value::Float(Ranked::Four(z)),
            Value::Int(Ranked::Two(i)),
            Value::Bool(Ranked::Two(b)),
            Value::Float(Ranked::Two(e)),
        ];
        interpret::run(program, layers, inputs, FloatDType::F32)
    });
    let exported = exported.map_err(|error| error.to_string())?;
    let with_graph = |text: String| format!("{text}\n{}", exported.model());
    let bytes = exported.to_bytes().map_err(|error| error.to_string())?;
    let mut runner = Runner::new(&bytes).map_err(|error| with_graph(error.to_string()))?;
    let exact_layers = Layers::new(program, DType::F64, &device);
    for (round, sizes) in RUNS.iter().enumerate() {
        let data = elements(program, *sizes, round as u64);
        let named: Vec<(&str, &TensorData)> = INPUTS.iter().map(|(name, ..)| *name).zip(&data).collect();
        let found = runner.run(&named).map_err(|error| with_graph(format!("sizes {sizes:?}: {error}")))?;
        let native = |dtype: DType, layers: &Layers, precision| -> Vec<TensorData> {
            let values = interpret::run(program, layers, interpret::inputs(&data, dtype, &device), precision);
            values.into_iter().map(Value::into_data).collect()
        };
        let rounded = native(DType::F32, &layers, FloatDType::F32);
        let exact = native(DType::F64, &exact_layers, FloatDType::F64);
        for (((output, found), rounded), exact) in program.outputs().iter().zip(&found).zip(&rounded).zip(&exact) {
            if let Some(text) = difference(found, rounded, exact) {
                return Err(with_graph(format!("sizes {sizes:?}, output {}: {text}", program.name(*output))));
            }
        }
    }
    Ok(())
}

fn declared(size: &Size) -> Axis {
    size.value().map_or_else(|| Axis::dynamic(size.to_string()).range(1..=LARGEST), Axis::fixed)
}

/// The inputs at these sizes of the axes: floats that are whole eighths between -2 and 2, in one of them with edges among
/// them, and integers between -6 and 6.
fn elements(program: &Program, sizes: [usize; 2], seed: u64) -> Vec<TensorData> {
    let mut random = Random(seed);
    let size = |size: &Size| {
        size.value()
            .unwrap_or_else(|| AXES.iter().position(|axis| *axis == size.to_string()).map_or(1, |axis| sizes[axis]))
    };
    let tensors = program.inputs.iter().map(|ty| {
        let shape: Vec<usize> = ty.shape.iter().map(size).collect();
        let count = shape.iter().product();
        let mut draw = |steps: f64| (random.next() * steps).floor();
        match ty.kind {
            Kind::Float => {
                let of = |_| {
                    let eighth = (draw(33.0) / 8.0 - 2.0) as f32;
                    let edges = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0];
                    let place = if ty.wild { draw(10.0) as usize } else { edges.len() };
                    edges.get(place).copied().unwrap_or(eighth)
                };
                TensorData::new((0..count).map(of).collect::<Vec<f32>>(), shape)
            }
            Kind::Int => TensorData::new((0..count).map(|_| draw(13.0) as i64 - 6).collect::<Vec<i64>>(), shape),
            Kind::Bool => {
                let bytes = (0..count).map(|_| draw(2.0) as u8).collect();
                TensorData::from_bytes_vec(bytes, shape, DType::Bool(BoolStore::U8))
            }
        }
    });
    tensors.collect()
}

/// What is wrong with an output: floats may be as far from the result in 64 bits as a few roundings take them, and
/// where rounding takes Burn itself further, sixteen times as far as that.
fn difference(found: &TensorData, rounded: &TensorData, exact: &TensorData) -> Option<String> {
    if found.shape() != exact.shape() {
        return Some(format!("shape {:?} instead of {:?}", found.shape(), exact.shape()));
    }
    let all = |data: &TensorData| data.iter::<f64>().collect::<Vec<f64>>();
    let (found, rounded, exact) = (all(found), all(rounded), all(exact));
    let finite = |most: f64, size: f64| if size.is_finite() { most.max(size) } else { most };
    let scale = exact.iter().fold(1.0, |most, element| finite(most, element.abs()));
    let own = rounded.iter().zip(&exact).fold(0.0, |most, (left, right)| finite(most, (left - right).abs()));
    let most = 1e-5 * scale + 16.0 * own;
    found.iter().zip(&exact).enumerate().find_map(|(index, (found, exact))| {
        let far = (found - exact).abs() > most || found.is_nan() != exact.is_nan();
        far.then(|| format!("element {index} is {found} instead of {exact}, where {most:e} is allowed"))
    })
}
