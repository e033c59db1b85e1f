//! AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019) as PyTorch's `torch.optim.AdamW` defines it.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LearningRate};
use burn::tensor::{Device, Tensor, TensorReadError};
use flex_kernels::adamw::Rule;
use flex_kernels::operations;
use serde::{Deserialize, Serialize};

use crate::stored::{Stored, sizes};

const FIRST_MOMENT: &str = "first_moment.";
const SECOND_MOMENT: &str = "second_moment.";

/// The update rule. For a gradient `g` in step `t` from one, with moments `m` and `v`, both zero at first:
///
/// ```text
/// x -= learning_rate * weight_decay * x
/// m  = beta1 * m + (1 - beta1) * g
/// v  = beta2 * v + (1 - beta2) * g²
/// x -= learning_rate / (1 - beta1^t) * m / (√v / √(1 - beta2^t) + ε)
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// How much of the first moment a step keeps.
    pub beta1: f64,
    /// How much of the second moment a step keeps.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
    /// The decay of weights; biases and layer norms do not decay ([`decays`]).
    pub weight_decay: f64,
}

impl Default for AdamW {
    /// PyTorch's, but for the weight decay, which is 0.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// Whether a parameter decays, by its path in the module: all but biases and layer norms, as `transformers` has it.
pub fn decays(path: &str) -> bool {
    !path.ends_with(".bias") && path != "bias" && !path.contains("layer_norm.")
}

/// What the rule remembers of one parameter, flattened.
#[derive(Debug, Clone)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

/// [`AdamW`] for all parameters of a module, with its memory by the path of each parameter.
#[derive(Debug, Clone, Default)]
pub struct ModuleAdamW {
    rule: AdamW,
    moments: BTreeMap<String, Moments>,
}

impl ModuleAdamW {
    /// The rule, remembering nothing.
    pub fn new(rule: AdamW) -> Self {
        Self { rule, moments: BTreeMap::new() }
    }

    /// The rule with what [`store`](Self::store) entered of every parameter of `module`.
    ///
    /// # Errors
    /// When something is missing, or has another size.
    pub fn restore<M: Module>(rule: AdamW, module: &M, tensors: &mut Stored, device: &Device) -> Result<Self, String> {
        let mut moments = BTreeMap::new();
        for (path, elements) in sizes(module) {
            let first = tensors.take(&format!("{FIRST_MOMENT}{path}"), &[elements], device)?;
            let second = tensors.take(&format!("{SECOND_MOMENT}{path}"), &[elements], device)?;
            moments.insert(path, Moments { first, second });
        }
        Ok(Self { rule, moments })
    }

    /// Enters what is remembered.
    pub fn store(&self, tensors: &mut Stored) {
        for (path, Moments { first, second }) in &self.moments {
            tensors.put(format!("{FIRST_MOMENT}{path}"), first);
            tensors.put(format!("{SECOND_MOMENT}{path}"), second);
        }
    }

    /// Moves every parameter that has a gradient.
    pub fn step<M: Module>(&mut self, now: Now, module: M, gradients: GradientsParams) -> M {
        module.map(&mut Step { optimizer: self, now, gradients, path: Vec::new() })
    }
}

/// What differs from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// The step of the whole run, from one.
    pub number: usize,
    /// Its learning rate.
    pub learning_rate: LearningRate,
    /// What its gradients are multiplied by ([`clip`]).
    pub clip: f64,
}

/// What the gradients of `module` are to be multiplied by, so that their norm over all parameters is at most `longest`:
/// PyTorch's `clip_grad_norm_`. It is 1 for a bound of 0.
///
/// # Errors
/// When the device fails.
pub fn clip<M: Module>(module: &M, gradients: &GradientsParams, longest: f64) -> Result<f64, TensorReadError> {
    if longest == 0.0 {
        return Ok(1.0);
    }
    let mut norm = Norm { gradients, squares: 0.0, failure: None };
    module.visit(&mut norm);
    let Norm { squares, failure, .. } = norm;
    // As PyTorch does: a little less than the bound.
    failure.map_or_else(|| Ok((longest / (squares.sqrt() + 1e-6)).min(1.0)), Err)
}

struct Norm<'a> {
    gradients: &'a GradientsParams,
    squares: f64,
    failure: Option<TensorReadError>,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else { return };
        if operations::fits(&gradient) {
            self.squares += operations::sum_of_squares(gradient);
            return;
        }
        match gradient.square().sum().try_into_scalar::<f32>() {
            Ok(squares) => self.squares += f64::from(squares),
            Err(error) => self.failure = Some(error),
        }
    }
}

struct Step<'a> {
    optimizer: &'a mut ModuleAdamW,
    now: Now,
    gradients: GradientsParams,
    path: Vec<String>,
}

impl Step<'_> {
    fn update(&mut self, path: String, flat: Tensor<1>, gradient: Tensor<1>) -> Tensor<1> {
        let AdamW { beta1, beta2, epsilon, weight_decay } = self.optimizer.rule;
        let Moments { first, second } = self.optimizer.moments.remove(&path).unwrap_or_else(|| {
            let zeros = flat.zeros_like();
            Moments { first: zeros.clone(), second: zeros }
        });
        let Now { number, learning_rate, clip } = self.now;
        let decay = if decays(&path) { weight_decay } else { 0.0 };
        let rule = Rule::new(learning_rate, [beta1, beta2], epsilon, decay, number as u32, clip);
        let fits = [&flat, &gradient, &first, &second].into_iter().all(operations::fits);
        let (flat, first, second) = match fits {
            true => operations::adamw(rule, flat, gradient, first, second),
            false => {
                let gradient = gradient * rule.clip;
                let first = first * rule.keep + gradient.clone() * rule.take;
                let second = second * rule.keep_square + gradient.square() * rule.take_square;
                let update = first.clone() / (second.clone().sqrt() / rule.correction + rule.epsilon);
                (flat * rule.decay - update * rule.rate, first, second)
            }
        };
        self.optimizer.moments.insert(path, Moments { first, second });
        flat
    }
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
                let shape = tensor.shape();
                let flat = self.update(self.path.join("."), tensor.inner().reshape([-1]), gradient.reshape([-1]));
                Tensor::from_inner(flat.reshape(shape)).require_grad()
            }
            None => tensor,
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_and_layer_norms_do_not_decay() {
        for (path, expected) in [
            ("bert.embeddings.word_embeddings.weight", true),
            ("bert.embeddings.layer_norm.gamma", false),
            ("bert.encoder.layer.0.attention.output.layer_norm.beta", false),
            ("bert.encoder.layer.0.attention.self_attention.query.weight", true),
            ("bert.encoder.layer.0.attention.self_attention.query.bias", false),
            ("qa_outputs.bias", false),
            ("bias", false),
        ] {
            assert_eq!(decays(path), expected, "{path}");
        }
    }
}
