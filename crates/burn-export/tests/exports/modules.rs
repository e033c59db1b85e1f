//! Every module of `burn::nn` that runs inference, with random weights, against Burn.

mod activations;
mod attention;
mod convolutions;
mod norms;
mod parts;
mod pools;
mod recurrent;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};

use crate::support::{Runner, difference, uniform};

/// Exports `module` with one input, whose axes `0` are `n` and others of size zero are `m`, and compares at several
/// sizes.
pub fn agrees<M: Module, const I: usize, const O: usize>(
    name: &str,
    module: &M,
    axes: [usize; I],
    forward: impl Fn(&M, Tensor<I>) -> Tensor<O>,
) {
    agrees_from(Opset::V11, name, module, axes, forward);
}

/// [`agrees`] for what needs an opset.
pub fn agrees_from<M: Module, const I: usize, const O: usize>(
    lowest: Opset,
    name: &str,
    module: &M,
    axes: [usize; I],
    forward: impl Fn(&M, Tensor<I>) -> Tensor<O>,
) {
    let device = Device::flex();
    for opset in [Opset::V11, Opset::V17, Opset::V21, Opset::V28].into_iter().filter(|opset| *opset >= lowest) {
        let declared = axes.iter().enumerate().map(|(position, size)| match (position, size) {
            (0, 0) => Axis::dynamic("n"),
            (_, 0) => Axis::dynamic("m").range(1..=40),
            (_, size) => Axis::fixed(*size),
        });
        let exporter = OnnxExporter::new().opset(opset).input("x", declared).output("y");
        let model = exporter.export(module, &forward).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{name}: {error}\n{}", model.model()));
        for (n, m) in [(1, 1), (1, 9), (6, 1), (2, 8), (13, 33)] {
            let shape: Vec<usize> = axes
                .iter()
                .enumerate()
                .map(|(position, size)| match (position, size) {
                    (0, 0) => n,
                    (_, 0) => m,
                    (_, size) => *size,
                })
                .collect();
            let data = uniform(7, &shape);
            let found = runner.run(&[("x", &data)]).unwrap_or_else(|error| panic!("{name}, n {n}, m {m}: {error}"));
            let expected = forward(&module.valid(), Tensor::from_data(data, &device)).into_data();
            let text = difference(&found[0], &expected, 2e-5);
            assert_eq!(text, None, "{name}, opset {opset}, n {n}, m {m}\n{}", model.model());
        }
    }
}
