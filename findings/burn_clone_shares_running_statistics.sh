#!/usr/bin/env bash
# Burn (crate burn 0.22.1, CPU backend flex): a clone of a module shares the running statistics of its batch normalisations.
#
# Expected: a clone is a module of its own, as it is for weights: training or mapping the clone leaves the original alone.
# `Module::map` takes the module by value and returns another, so that `module.clone().map(...)` looks free of side effects.
# Seen: the clone's weights are its own and its running statistics are not. A training pass of the clone changes what the
# original answers in inference. Casting the clone to float64 turns the original's statistics into float64 as well, while its
# weights stay float32. `Module::valid` gives a module with statistics of its own.
#
# Why it matters: a clone is how one keeps the best network so far, an average of weights, or a copy in a higher precision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
burn = { version = "=0.22.1", default-features = false, features = ["std", "flex", "autodiff"] }

[profile.dev]
debug = false
TOML
cat > "$folder/src/main.rs" <<'RUST'
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{DType, Device, Tensor};

struct ToF64;

impl ModuleMapper for ToF64 {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}

/// What the module makes of 3 in inference.
fn answer(module: &BatchNorm) -> f32 {
    module.valid().forward(Tensor::<2>::from_floats([[3.0]], &Device::flex())).into_scalar()
}

fn types(module: &BatchNorm) -> [DType; 2] {
    [module.gamma.val().dtype(), module.running_mean.value().dtype()]
}

fn main() {
    let device = Device::flex().autodiff();
    let original = BatchNormConfig::new(1).init(&device);
    let (copied, own) = (original.clone(), original.valid().train());
    let before = answer(&original);
    for (name, module) in [("valid().train()", &own), ("clone()", &copied)] {
        module.forward(Tensor::<2>::from_floats([[10.0], [30.0]], &device));
        println!("after a training pass of original.{name}, the original makes {} of 3 (before: {before})", answer(&original));
        assert_eq!(answer(&original) != before, name == "clone()", "Burn has changed");
    }

    let original = BatchNormConfig::new(1).init(&Device::flex());
    let cast = original.clone().map(&mut ToF64);
    println!("types of weight and running mean: original {:?}, its clone, cast {:?}", types(&original), types(&cast));
    assert_eq!(types(&cast), [DType::F64, DType::F64], "Burn has changed");
    assert_eq!(types(&original), [DType::F32, DType::F64], "Burn has changed");
}
RUST
nice -n 10 cargo run --quiet --manifest-path "$folder/Cargo.toml"
