//! Weights from a seed, when no trained ones can be had.
//!
//! Every value is an integer hash of the seed, the parameter's `state_dict` name and the element's index, scaled by one
//! float32 multiplication. So the same seed gives the same bits on every platform and in any order of evaluation, and a
//! few lines of Python compute the same network (`tests/fixtures/formula_weights.py`).

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bytes, DType, Tensor, TensorData};
use rayon::prelude::*;

use super::checkpoint::StoredTensor;
use super::load::{ModulePath, in_burn_order};
use super::{Checkpoint, StateDictName};

/// The distribution that random weights follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initialization {
    /// Uniform within `±1/√fan_in` for weights and biases, as PyTorch starts convolutions and linear layers.
    FanIn,
    /// Uniform within `±√(6/fan_in)` for weights, which keeps the size of signals through ReLU (He, Zhang, Ren and Sun, 2015);
    /// all else within `±1/√fan_in` of the weight before it, about 1 for the scale and the running variance of batch
    /// normalisation.
    He,
    /// Near-normal with this standard deviation, as BERT starts; the scale of a layer norm is one plus such a value.
    /// Biases are random as well, unlike in BERT, so that no term of the network is invisible to a comparison.
    Normal(f64),
}

/// Replaces every parameter of `module` by values from `seed`.
pub fn randomize<M: Module>(module: M, seed: u64, initialization: Initialization, name: StateDictName) -> M {
    module.map(&mut Randomizer { walk: Walk::new(name, seed, initialization) })
}

/// The weights that [`randomize`] gives to a module of the architecture of `module`, under their `state_dict` names. Each
/// tensor is computed when it is read, so that the whole never has to be in memory.
pub fn random_checkpoint<M: Module>(
    module: &M,
    seed: u64,
    initialization: Initialization,
    name: StateDictName,
) -> Checkpoint {
    let mut collector = Collector { walk: Walk::new(name, seed, initialization), tensors: BTreeMap::new() };
    module.visit(&mut collector);
    Checkpoint::computed(format!("random weights from seed {seed}"), collector.tensors)
}

/// How the values of one parameter come about.
#[derive(Clone, Copy)]
struct Recipe {
    stream: u64,
    initialization: Initialization,
    fan_in: usize,
    is_weight: bool,
    is_scale: bool,
}

impl Recipe {
    fn values(&self, count: usize) -> Vec<f32> {
        let mut values = vec![0.0; count];
        let stream = self.stream;
        let mean = if self.is_scale { 1.0 } else { 0.0 };
        match self.initialization {
            Initialization::FanIn | Initialization::He => {
                let gain =
                    if self.is_weight && self.initialization == Initialization::He { 6.0_f64.sqrt() } else { 1.0 };
                let bound = (gain / (self.fan_in as f64).sqrt()) as f32;
                fill(&mut values, |index| mean + uniform(stream, index) * bound);
            }
            Initialization::Normal(deviation) => {
                let scale = (deviation / irwin_hall_deviation()) as f32;
                fill(&mut values, |index| mean + irwin_hall(stream, index) * scale);
            }
        }
        values
    }
}

/// A traversal of the parameters in the order of their fields.
struct Walk {
    path: ModulePath,
    name: StateDictName,
    seed: u64,
    initialization: Initialization,
    /// Of the weight seen last: a bias follows its weight and shares its bound.
    fan_in: usize,
}

impl Walk {
    fn new(name: StateDictName, seed: u64, initialization: Initialization) -> Self {
        Self { path: ModulePath::default(), name, seed, initialization, fan_in: 1 }
    }

    /// The name of the parameter where the traversal stands, its shape in PyTorch's order, and its values.
    fn meet<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> (String, Vec<usize>, Recipe) {
        let shape = self.path.stored_shape(param);
        let is_weight = self.path.field() == "weight";
        if is_weight {
            self.fan_in = shape.iter().skip(1).product();
        }
        let name = (self.name)(&self.path.joined());
        let recipe = Recipe {
            stream: stream(self.seed, &name),
            initialization: self.initialization,
            fan_in: self.fan_in,
            is_weight,
            is_scale: matches!(self.path.field(), "gamma" | "running_var"),
        };
        (name, shape, recipe)
    }
}

struct Randomizer {
    walk: Walk,
}

impl ModuleMapper for Randomizer {
    fn enter_module(&mut self, name: &str, kind: &str) {
        self.walk.path.enter(name, kind);
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.walk.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, shape, recipe) = self.walk.meet(&param);
        let data = TensorData::new(recipe.values(shape.iter().product()), shape);
        let tensor = Tensor::<D>::from_data(data, &param.lazy_device());
        let id = param.id;
        param.transform_for_load(in_burn_order(&self.walk.path, tensor), id)
    }
}

struct Collector {
    walk: Walk,
    tensors: BTreeMap<String, StoredTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, kind: &str) {
        self.walk.path.enter(name, kind);
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.walk.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (name, shape, recipe) = self.walk.meet(param);
        let count = shape.iter().product();
        let read = move || Ok(Bytes::from_elems(recipe.values(count)));
        self.tensors.insert(name, StoredTensor { dtype: DType::F32, shape, read: Arc::new(read) });
    }
}

fn fill(values: &mut [f32], value: impl Fn(u64) -> f32 + Sync) {
    const CHUNK: usize = 1 << 16;
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        let start = (chunk * CHUNK) as u64;
        for (index, slot) in (start..).zip(values) {
            *slot = value(index);
        }
    });
}

/// FNV-1a of the name, mixed with the seed: where a parameter's numbers begin.
fn stream(seed: u64, name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mix(seed) ^ hash
}

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn bits(stream: u64, index: u64) -> u64 {
    mix(stream.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Uniform in [-1, 1), in steps of 2^-23: exact in float32.
fn uniform(stream: u64, index: u64) -> f32 {
    let steps = (bits(stream, index) >> 40) as i32;
    (steps - (1 << 23)) as f32 / (1 << 23) as f32
}

/// The standard deviation of [`irwin_hall`].
fn irwin_hall_deviation() -> f64 {
    (4.0 * (65_536.0_f64 * 65_536.0 - 1.0) / 12.0).sqrt()
}

/// The centred sum of four 16-bit uniforms: near-normal, and an integer that float32 holds exactly.
fn irwin_hall(stream: u64, index: u64) -> f32 {
    let bits = bits(stream, index);
    let sum: i32 = (0..4).map(|part| (bits >> (16 * part)) as u16 as i32).sum();
    (sum - 131_070) as f32
}
