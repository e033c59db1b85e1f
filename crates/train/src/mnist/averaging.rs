//! A running average of the weights (Polyak and Juditsky, 1992; the exponential average of today's practice): steadier
//! than the weights themselves, which the last few batches push about.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How the weights are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Averaging {
    /// The steps over which a weight's share falls to 1/e.
    pub horizon: f64,
    /// The steps from one look at the weights to the next: every step would cost time and change nothing.
    pub every: usize,
}

impl Averaging {
    /// The share in the average of the weights after a step of the whole run counted from zero, or `None` when they are not
    /// looked at.
    ///
    /// The first looks count more: the initial weights are forgotten at once, and the first steps soon.
    pub fn share(&self, step: usize) -> Option<f64> {
        if !step.is_multiple_of(self.every) {
            return None;
        }
        let looks = (step / self.every) as f64;
        let lasting = 1.0 - (-(self.every as f64) / self.horizon).exp();
        Some(lasting.max(9.0 / (9.0 + looks)))
    }
}

/// `average` moved towards `module` by `share` of the way: 0 leaves it, 1 makes it the module.
///
/// Both must be the same architecture on the same device, without autodiff.
pub fn approach<M: Module>(average: M, module: &M, share: f64) -> M {
    let mut target = Collector { path: Vec::new(), values: BTreeMap::new() };
    module.visit(&mut target);
    average.map(&mut Approach { path: Vec::new(), target: target.values, share })
}

struct Collector {
    path: Vec<String>,
    /// The parameters by their paths, flattened.
    values: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.values.insert(self.path.join("."), param.val().reshape([-1]));
    }
}

struct Approach {
    path: Vec<String>,
    target: BTreeMap<String, Tensor<1>>,
    share: f64,
}

impl ModuleMapper for Approach {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let target = self.target.remove(&self.path.join("."));
        param.map(|average| match target {
            Some(target) => {
                let target = target.reshape(average.shape());
                let way = target - average.clone();
                average + way * self.share
            }
            None => average,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 9 / (9 + looks) until it falls below 1 - e^(-10/300).
    #[test]
    fn the_first_looks_count_more() {
        let averaging = Averaging { horizon: 300.0, every: 10 };
        let expected =
            [(0, 1.0), (10, 0.9), (90, 0.5), (2_650, 9.0 / 274.0), (2_660, 0.032_783_9), (1_000_000, 0.032_783_9)];
        for (step, share) in expected {
            let found = averaging.share(step).unwrap();
            assert!((found - share).abs() < 1e-7, "step {step}: {found}, not {share}");
        }
        assert_eq!(averaging.share(1), None);
        assert_eq!(averaging.share(999), None);
    }

    /// After many looks at the same weights nothing else is left of an average.
    #[test]
    fn an_average_approaches_the_weights() {
        use burn::nn::LinearConfig;
        use burn::tensor::Device;

        let device = Device::flex();
        let (first, second) = (LinearConfig::new(3, 2).init(&device), LinearConfig::new(3, 2).init(&device));
        let values = |layer: &burn::nn::Linear| layer.weight.val().try_into_vec_as::<f32>().unwrap();
        let half = values(&approach(first.clone(), &second, 0.5));
        for ((half, first), second) in half.into_iter().zip(values(&first)).zip(values(&second)) {
            assert!((half - (first + second) / 2.0).abs() < 1e-7);
        }
        assert_eq!(values(&approach(first.clone(), &second, 0.0)), values(&first));
        let near = (0..60).fold(first, |average, _| approach(average, &second, 0.5));
        assert!(values(&near).iter().zip(values(&second)).all(|(near, second)| (near - second).abs() < 1e-6));
    }
}
