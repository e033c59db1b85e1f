//! The optimiser and the schedule against `torch.optim.Adadelta` and `StepLR`.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use train::mnist::adadelta::{Adadelta, ModuleAdadelta};
use train::schedule::step_lr;

use crate::support::json_fixture;

/// Values by the name of the parameter, flattened.
type Values = BTreeMap<String, Vec<f32>>;

#[derive(Deserialize)]
struct Case {
    rho: f64,
    epsilon: f64,
    weight_decay: f64,
    gamma: f64,
    steps_per_epoch: usize,
    initial: Values,
    shapes: BTreeMap<String, Vec<usize>>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    learning_rate: f64,
    gradients: Values,
    parameters: Values,
    square_average: Values,
    update_average: Values,
}

#[derive(Module, Debug)]
struct Parameters {
    matrix: Param<Tensor<2>>,
    vector: Param<Tensor<1>>,
}

fn tensor<const D: usize>(case: &Case, values: &Values, name: &str, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values[name].clone(), case.shapes[name].clone()), device)
}

/// Both sides round to float32 after each of the rule's dozen operations, in slightly different orders: each step adds
/// a few units in the last place (6e-8) to a sum of 28 steps.
const TOLERANCE: f32 = 1e-6;

fn assert_close(expected: &[f32], found: &[f32], what: &str) {
    assert_eq!(expected.len(), found.len(), "{what}");
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        let allowed = TOLERANCE * expected.abs();
        assert!((expected - found).abs() <= allowed, "{what}[{index}] is {found}, not {expected}");
    }
}

#[test]
fn every_step_is_that_of_pytorch() {
    let cases: Vec<Case> = json_fixture("adadelta.json");
    assert_eq!(cases.len(), 2);
    for case in &cases {
        let plain = Device::flex();
        let device = plain.clone().autodiff();
        let mut module = Parameters {
            matrix: Param::from_tensor(tensor(case, &case.initial, "matrix", &device).require_grad()),
            vector: Param::from_tensor(tensor(case, &case.initial, "vector", &device).require_grad()),
        };
        let rule = Adadelta { rho: case.rho, epsilon: case.epsilon, weight_decay: case.weight_decay };
        let mut optimizer = ModuleAdadelta::new(rule);
        assert!(case.steps.len() >= 20);
        for (number, step) in case.steps.iter().enumerate() {
            let mut gradients = GradientsParams::new();
            gradients.register(module.matrix.id, tensor::<2>(case, &step.gradients, "matrix", &plain));
            gradients.register(module.vector.id, tensor::<1>(case, &step.gradients, "vector", &plain));
            let rate = step_lr(1.0, case.gamma, number / case.steps_per_epoch);
            assert_eq!(rate, step.learning_rate, "step {number}");
            module = optimizer.step(rate, module, gradients);

            let values = |tensor: Tensor<1>| tensor.try_into_vec_as::<f32>().unwrap();
            let parameters = [("matrix", module.matrix.val().reshape([-1])), ("vector", module.vector.val())];
            for (name, parameter) in parameters {
                let what = |part| format!("step {number}: {part} of {name}");
                assert_close(&step.parameters[name], &values(parameter), &what("value"));
                let memory = &optimizer.states()[name];
                assert_close(
                    &step.square_average[name],
                    &values(memory.square_average.clone()),
                    &what("square average"),
                );
                assert_close(
                    &step.update_average[name],
                    &values(memory.update_average.clone()),
                    &what("update average"),
                );
            }
        }
    }
}

/// A parameter that took no part in the loss stays as it is, and nothing is remembered of it.
#[test]
fn a_parameter_without_gradient_stays() {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let module = Parameters {
        matrix: Param::from_tensor(Tensor::<2>::ones([2, 2], &device).require_grad()),
        vector: Param::from_tensor(Tensor::<1>::ones([3], &device).require_grad()),
    };
    let mut gradients = GradientsParams::new();
    gradients.register(module.vector.id, Tensor::<1>::ones([3], &plain));
    let mut optimizer = ModuleAdadelta::new(Adadelta::default());
    let module = optimizer.step(1.0, module, gradients);
    assert_eq!(module.matrix.val().try_into_vec_as::<f32>().unwrap(), [1.0; 4]);
    // √(1e-6) / √(0.1 + 1e-6), by hand.
    let moved = module.vector.val().try_into_vec_as::<f32>().unwrap();
    assert!(moved.iter().all(|value| (value - (1.0 - 0.003_162_262)).abs() < 1e-7), "{moved:?}");
    assert_eq!(optimizer.states().keys().collect::<Vec<_>>(), ["vector"]);
}

#[derive(Deserialize)]
struct Schedule {
    initial: f64,
    gamma: f64,
    rates: Vec<f64>,
}

/// To the last bit: the same float64 multiplications in the same order.
#[test]
fn the_learning_rate_is_that_of_pytorch() {
    for Schedule { initial, gamma, rates } in json_fixture::<Vec<Schedule>>("step_lr.json") {
        assert_eq!(rates.len(), 40);
        for (epoch, rate) in rates.into_iter().enumerate() {
            assert_eq!(step_lr(initial, gamma, epoch), rate, "{initial} * {gamma}^{epoch}");
        }
    }
}
