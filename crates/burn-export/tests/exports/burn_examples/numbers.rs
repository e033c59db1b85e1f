//! Numbers: `simple-regression`, and `modern-lstm` at the length of its sequences.

use burn::module::Module;
use burn::nn::*;
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Tensor};

use crate::modules::agrees;

#[derive(Module, Debug)]
struct Regression {
    input: Linear,
    output: Linear,
    activation: Relu,
}

#[test]
fn the_simple_regression_example() {
    let device = Device::flex();
    let network = Regression {
        input: LinearConfig::new(8, 64).init(&device),
        output: LinearConfig::new(64, 1).init(&device),
        activation: Relu::new(),
    };
    agrees("simple-regression", &network, [0, 8], |network: &Regression, x: Tensor<2>| {
        network.output.forward(network.activation.forward(network.input.forward(x)))
    });
}

/// A cell with a norm on its gates, its memory and its output.
#[derive(Module, Debug)]
struct Cell {
    from_input: Linear,
    from_hidden: Linear,
    norm_gates: LayerNorm,
    norm_memory: LayerNorm,
    norm_hidden: LayerNorm,
}

impl Cell {
    fn new(input: usize, hidden: usize, device: &Device) -> Self {
        Self {
            from_input: LinearConfig::new(input, 4 * hidden).init(device),
            from_hidden: LinearConfig::new(hidden, 4 * hidden).init(device),
            norm_gates: LayerNormConfig::new(4 * hidden).init(device),
            norm_memory: LayerNormConfig::new(hidden).init(device),
            norm_hidden: LayerNormConfig::new(hidden).init(device),
        }
    }

    fn step(&self, x: Tensor<2>, [hidden, memory]: [Tensor<2>; 2]) -> [Tensor<2>; 2] {
        let gates = self.norm_gates.forward(self.from_input.forward(x)) + self.from_hidden.forward(hidden);
        let [input, forget, candidate, output] = gates.chunk(4, 1).try_into().unwrap_or_else(|_| panic!("four gates"));
        let memory = self.norm_memory.forward(sigmoid(forget) * memory + sigmoid(input) * tanh(candidate));
        let hidden = self.norm_hidden.forward(sigmoid(output) * tanh(memory.clone()));
        [hidden, memory]
    }
}

/// Two layers of cells in each direction, and a linear layer on the last step.
#[derive(Module, Debug)]
struct ModernLstm {
    forwards: Vec<Cell>,
    backwards: Vec<Cell>,
    output: Linear,
}

const HIDDEN: usize = 32;

fn layers(cells: &[Cell], x: Tensor<3>) -> Tensor<3> {
    let [batch, length, _] = x.dims();
    let nothing = || [0; 2].map(|_| Tensor::<2>::zeros([batch, HIDDEN], &x.device()));
    let mut states: Vec<[Tensor<2>; 2]> = cells.iter().map(|_| nothing()).collect();
    let mut outputs = Vec::new();
    for step in 0..length {
        let mut at: Tensor<2> = x.clone().narrow(1, step, 1).squeeze_dim(1);
        for (cell, state) in cells.iter().zip(&mut states) {
            *state = cell.step(at, state.clone());
            at = state[0].clone();
        }
        outputs.push(at);
    }
    Tensor::stack(outputs, 1)
}

#[test]
fn the_modern_lstm_example() {
    let device = Device::flex();
    let cells = || vec![Cell::new(1, HIDDEN, &device), Cell::new(HIDDEN, HIDDEN, &device)];
    let network =
        ModernLstm { forwards: cells(), backwards: cells(), output: LinearConfig::new(2 * HIDDEN, 1).init(&device) };
    agrees("modern-lstm", &network, [0, 10, 1], |network: &ModernLstm, x: Tensor<3>| {
        let backwards = layers(&network.backwards, x.clone().flip([1])).flip([1]);
        let both = Tensor::cat(vec![layers(&network.forwards, x), backwards], 2);
        network.output.forward(both.narrow(1, 9, 1).squeeze_dim::<2>(1))
    });
}
