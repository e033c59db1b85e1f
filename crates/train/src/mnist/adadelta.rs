//! Adadelta (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012) as PyTorch's `torch.optim.Adadelta` defines it.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{GradientsParams, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use flex_kernels::adadelta::Rule;
use flex_kernels::operations;
use serde::{Deserialize, Serialize};

use crate::ranks::{Gradient, Gradients, Ranks};
use crate::stored::{Stored, sizes};

const SQUARE_AVERAGE: &str = "square_average.";
const UPDATE_AVERAGE: &str = "update_average.";

/// The update rule. For a gradient `g`, with averages `a` of `g²` and `d` of the squared updates, both zero at first:
///
/// ```text
/// g += weight_decay * x
/// a  = rho * a + (1 - rho) * g²
/// u  = √(d + ε) / √(a + ε) * g
/// d  = rho * d + (1 - rho) * u²
/// x -= learning_rate * u
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adadelta {
    /// How much of the averages a step keeps. PyTorch's default is 0.9.
    pub rho: f64,
    /// Keeps the quotient finite and the first updates above zero. PyTorch's default is 1e-6.
    pub epsilon: f64,
    /// The L2 penalty. PyTorch's default is 0.
    pub weight_decay: f64,
}

/// What the rule remembers of one parameter, in the parameter's shape.
#[derive(burn::optim::RecordState, Clone, Debug)]
pub struct AdadeltaState<const D: usize> {
    /// The running average of the squared gradients (`square_avg` in PyTorch).
    pub square_average: Tensor<D>,
    /// The running average of the squared updates (`acc_delta` in PyTorch).
    pub update_average: Tensor<D>,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self { rho: 0.9, epsilon: 1e-6, weight_decay: 0.0 }
    }
}

impl Adadelta {
    /// The rule in the precision of the parameters.
    fn in_float32(&self, learning_rate: LearningRate) -> Rule {
        Rule {
            learning_rate: learning_rate as f32,
            keep: self.rho as f32,
            take: (1.0 - self.rho) as f32,
            epsilon: self.epsilon as f32,
            weight_decay: self.weight_decay as f32,
        }
    }
}

impl Optimizer for Adadelta {
    type State<const D: usize> = AdadeltaState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdadeltaState<D>>,
    ) -> (Tensor<D>, Option<AdadeltaState<D>>) {
        let AdadeltaState { square_average, update_average } = state.unwrap_or_else(|| {
            let zeros = tensor.zeros_like();
            AdadeltaState { square_average: zeros.clone(), update_average: zeros }
        });
        if [&tensor, &gradient, &square_average, &update_average].into_iter().all(operations::fits) {
            let (tensor, square_average, update_average) =
                operations::adadelta(self.in_float32(learning_rate), tensor, gradient, square_average, update_average);
            return (tensor, Some(AdadeltaState { square_average, update_average }));
        }
        let gradient = match self.weight_decay {
            0.0 => gradient,
            decay => gradient + tensor.clone() * decay,
        };
        let average = |average: Tensor<D>, value: Tensor<D>| average * self.rho + value.square() * (1.0 - self.rho);
        let root = |value: Tensor<D>| (value + self.epsilon).sqrt();
        let square_average = average(square_average, gradient.clone());
        let update = root(update_average.clone()) / root(square_average.clone()) * gradient;
        let update_average = average(update_average, update.clone());
        let tensor = tensor - update * learning_rate;
        (tensor, Some(AdadeltaState { square_average, update_average }))
    }

    fn to_device<const D: usize>(state: AdadeltaState<D>, device: &Device) -> AdadeltaState<D> {
        AdadeltaState {
            square_average: state.square_average.to_device(device),
            update_average: state.update_average.to_device(device),
        }
    }
}

/// [`Adadelta`] for all parameters of a module, with its memory by the path of each parameter.
///
/// Burn's own `ModuleOptimizer` runs the rule just as well, but knows parameters by identifiers that are new in every
/// process, and starts afresh what it cannot restore; a resumed run must notice that.
#[derive(Debug, Clone, Default)]
pub struct ModuleAdadelta {
    rule: Adadelta,
    states: BTreeMap<String, AdadeltaState<1>>,
    /// The sizes of the weights whose rows processes share, by their paths: of each, the states have this process's rows only.
    rows: BTreeMap<String, [usize; 2]>,
}

impl ModuleAdadelta {
    /// The rule, remembering nothing.
    pub fn new(rule: Adadelta) -> Self {
        Self { rule, ..Self::default() }
    }

    /// The rule with what [`store`](Self::store) entered of every parameter of `module`.
    ///
    /// # Errors
    /// When something is missing, or has another size.
    pub fn restore<M: Module>(
        rule: Adadelta,
        module: &M,
        tensors: &mut Stored,
        device: &Device,
    ) -> Result<Self, String> {
        let mut states = BTreeMap::new();
        for (path, elements) in sizes(module) {
            let square_average = tensors.take(&format!("{SQUARE_AVERAGE}{path}"), &[elements], device)?;
            let update_average = tensors.take(&format!("{UPDATE_AVERAGE}{path}"), &[elements], device)?;
            states.insert(path, AdadeltaState { square_average, update_average });
        }
        Ok(Self { rule, states, ..Self::default() })
    }

    /// Enters what is remembered.
    pub fn store(&self, tensors: &mut Stored) {
        for (path, memory) in &self.states {
            tensors.put(format!("{SQUARE_AVERAGE}{path}"), &memory.square_average);
            tensors.put(format!("{UPDATE_AVERAGE}{path}"), &memory.update_average);
        }
    }

    /// What is remembered of each parameter, flattened, by its path in the module.
    pub fn states(&self) -> &BTreeMap<String, AdadeltaState<1>> {
        &self.states
    }

    /// What [`restore`](Self::restore) reads again, of a training that processes share: each of them remembers what it updates, and gets
    /// the rest here.
    pub fn gathered(&self, ranks: Ranks<'_>) -> Self {
        let mut gathered = self.clone();
        for (path, rows) in &self.rows {
            if let Some(AdadeltaState { square_average, update_average }) = gathered.states.remove(path) {
                let [square_average, update_average] =
                    [square_average, update_average].map(|average| gather_rows(average, *rows, ranks));
                gathered.states.insert(path.clone(), AdadeltaState { square_average, update_average });
            }
        }
        gathered
    }

    /// Moves every parameter by the gradients over a batch that processes share. Each process must do it at the same time.
    ///
    /// # Panics
    /// When a parameter has no gradient, or is not on the flex backend.
    pub fn step_together<M: Module>(
        &mut self,
        learning_rate: LearningRate,
        module: M,
        gradients: Gradients,
        ranks: Ranks<'_>,
    ) -> M {
        let rule = self.rule.in_float32(learning_rate);
        module.map(&mut StepTogether { optimizer: self, rule, gradients, ranks, path: Vec::new() })
    }

    /// Moves every parameter that has a gradient.
    pub fn step<M: Module>(&mut self, learning_rate: LearningRate, module: M, gradients: GradientsParams) -> M {
        module.map(&mut Step { optimizer: self, learning_rate, gradients, path: Vec::new() })
    }
}

struct Step<'a> {
    optimizer: &'a mut ModuleAdadelta,
    learning_rate: LearningRate,
    gradients: GradientsParams,
    path: Vec<String>,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let tensor = match self.gradients.remove::<D>(id) {
            Some(gradient) => {
                let path = self.path.join(".");
                let state = self.optimizer.states.remove(&path);
                let shape = tensor.shape();
                let (flat, gradient) = (tensor.inner().reshape([-1]), gradient.reshape([-1]));
                let (flat, state) = self.optimizer.rule.step::<1>(self.learning_rate, flat, gradient, state);
                self.optimizer.states.extend(state.map(|state| (path, state)));
                Tensor::from_inner(flat.reshape(shape)).require_grad()
            }
            None => tensor,
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

struct StepTogether<'a> {
    optimizer: &'a mut ModuleAdadelta,
    rule: Rule,
    gradients: Gradients,
    ranks: Ranks<'a>,
    path: Vec<String>,
}

impl ModuleMapper for StepTogether<'_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let (shape, path) = (tensor.shape(), self.path.join("."));
        let gradient = operations::node(&tensor).and_then(|node| self.gradients.remove(&node));
        let gradient = gradient.unwrap_or_else(|| panic!("{path} has no gradient that processes can share"));
        let flat = tensor.inner().reshape([-1]);
        let state = self.optimizer.states.remove(&path);
        let AdadeltaState { square_average, update_average } = state.unwrap_or_else(|| {
            let (square_average, update_average) = (flat.zeros_like(), flat.zeros_like());
            AdadeltaState { square_average, update_average }
        });
        let step = |first, values: &[f32]| {
            operations::adadelta_part(self.rule, first, values, flat, square_average, update_average)
        };
        let (flat, square_average, update_average) = match gradient {
            Gradient::Whole(values) => step(0, &values),
            Gradient::Rows { inputs, outputs, values } => {
                let first = self.ranks.rows(self.ranks.rank(), inputs).start * outputs;
                let (flat, square_average, update_average) = step(first, &values);
                self.optimizer.rows.insert(path.clone(), [inputs, outputs]);
                (gather_rows(flat, [inputs, outputs], self.ranks), square_average, update_average)
            }
        };
        self.optimizer.states.insert(path, AdadeltaState { square_average, update_average });
        Param::from_mapped_value(id, Tensor::from_inner(flat.reshape(shape)).require_grad(), mapper)
    }
}

/// Weights `[inputs, outputs]`, flat, or something like them, with the rows of every rank.
fn gather_rows(flat: Tensor<1>, [inputs, outputs]: [usize; 2], ranks: Ranks<'_>) -> Tensor<1> {
    let part = |rank| {
        let rows = ranks.rows(rank, inputs);
        rows.start * outputs..rows.end * outputs
    };
    operations::change(flat, |values| ranks.gather(values, part))
}
