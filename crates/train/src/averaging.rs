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
