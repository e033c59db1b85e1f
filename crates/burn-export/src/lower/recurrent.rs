//! Recurrent layers: one operator each, whatever their length.

use burn::backend::ir::{CustomOpIr, TensorIr};
use onnx_model::{Attribute, DataType};

use super::{Lowering, Result, internal};
use crate::capture::recurrent::{Activation, Kind, Layer};
use crate::elements;
use crate::graph::{Operand, ValueId};
use crate::symbolic::Dim;

/// The weights and biases of a gate: of the input, and of the state.
struct Gate {
    weights: [ValueId; 2],
    biases: [Option<ValueId>; 2],
}

impl Lowering<'_> {
    pub(super) fn custom(&mut self, op: &CustomOpIr) -> Result<()> {
        match Layer::parse(&op.id) {
            Some(layer) => self.recurrent(layer, op),
            None => Err(self.refuse(format!(
                "the custom operation {:?} has no ONNX form; write it with Burn's own operations for the export",
                op.id
            ))),
        }
    }

    /// `RNN`, `GRU` or `LSTM`, which take the sequence with its length in front, and weights as `[out, in]`, all gates in one.
    fn recurrent(&mut self, layer: Layer, op: &CustomOpIr) -> Result<()> {
        let mut given = op.inputs.iter();
        let x = self.next(&mut given)?;
        let memory = matches!(layer.kind, Kind::Lstm { .. });
        let states = usize::from(layer.given_state) * (1 + usize::from(memory));
        let states: Vec<ValueId> = (0..states).map(|_| self.next(&mut given)).collect::<Result<_>>()?;
        let gates = self.gates(layer, &mut given)?;
        let [batch, length, features] = <[Dim; 3]>::try_from(self.b.shape(x)).map_err(|_| internal("a sequence"))?;
        let hidden = self.fixed(&self.b.shape(gates[0].weights[1])[0].clone(), "size of the state")?;
        let count = gates.len() as i64;
        let x = self.b.transpose(x, &[1, 0, 2]);
        let mut inputs: Vec<Operand> = vec![x.into()];
        for (side, width) in [(0, features), (1, Dim::fixed(hidden))] {
            let turned: Vec<ValueId> = gates.iter().map(|gate| self.b.transpose(gate.weights[side], &[1, 0])).collect();
            let joined = self.b.concat(&turned, 0);
            inputs.push(self.b.reshape(joined, vec![Dim::fixed(1), Dim::fixed(count * hidden), width]).into());
        }
        inputs.push(self.biases(&gates, hidden));
        inputs.push(Operand::Absent);
        let state = vec![Dim::fixed(1), batch.clone(), Dim::fixed(hidden)];
        for value in states {
            inputs.push(self.b.reshape(value, state.clone()).into());
        }
        while inputs.last() == Some(&Operand::Absent) {
            inputs.pop();
        }
        let dtype = self.b.dtype(x);
        let all = vec![length.clone(), Dim::fixed(1), batch.clone(), Dim::fixed(hidden)];
        let mut kinds = vec![(dtype, all), (dtype, state.clone())];
        if memory {
            kinds.push((dtype, state));
        }
        // One element is the same from both ends.
        let reverse = layer.reverse && !length.is(1);
        let (name, attributes) = operator(layer.kind, hidden, reverse);
        let results = self.b.layer(name, inputs, attributes, kinds);
        let sequence = self.b.reshape(results[0], vec![length, batch.clone(), Dim::fixed(hidden)]);
        let sequence = self.b.transpose(sequence, &[1, 0, 2]);
        for (out, result) in op.outputs.iter().zip(std::iter::once(sequence).chain(results[1..].iter().copied())) {
            let shape = self.shape(out);
            let value = self.b.reshape(result, shape);
            self.bind(out, value)?;
        }
        Ok(())
    }

    fn next<'b>(&mut self, given: &mut impl Iterator<Item = &'b TensorIr>) -> Result<ValueId> {
        let tensor = given.next().ok_or_else(|| internal("a recurrent layer without all of its tensors"))?;
        self.value(tensor)
    }

    /// The gates in ONNX's order.
    fn gates<'b>(&mut self, layer: Layer, given: &mut impl Iterator<Item = &'b TensorIr>) -> Result<Vec<Gate>> {
        let count = match layer.kind {
            Kind::Rnn { .. } => 1,
            Kind::Gru { .. } | Kind::Lstm { coupled: true, .. } => 3,
            Kind::Lstm { coupled: false, .. } => 4,
        };
        let mut gates = Vec::new();
        for _ in 0..count {
            let weights = [self.next(given)?, self.next(given)?];
            let mut biases = [None, None];
            for (bias, has) in biases.iter_mut().zip(layer.bias) {
                *bias = has.then(|| self.next(given)).transpose()?;
            }
            gates.push(Gate { weights, biases });
        }
        if let Kind::Lstm { coupled, .. } = layer.kind {
            if coupled {
                // The weights of a gate that the operator does not compute have their place all the same.
                gates.insert(1, self.empty_gate(&gates[0].weights));
            }
            // Input, forget, output, cell: ONNX has the output in front of the forget gate.
            gates.swap(1, 2);
        }
        Ok(gates)
    }

    fn empty_gate(&mut self, like: &[ValueId; 2]) -> Gate {
        let weights = like.map(|weight| {
            let (dtype, shape) = (self.b.dtype(weight), self.b.shape(weight));
            let sizes: Vec<usize> = shape.iter().map(|dim| dim.as_fixed().unwrap_or(0) as usize).collect();
            self.zeros(dtype, &sizes)
        });
        Gate { weights, biases: [None, None] }
    }

    fn zeros(&mut self, dtype: DataType, sizes: &[usize]) -> ValueId {
        let zero = elements::element(dtype, 0.0, 0);
        self.b.constant(dtype, sizes, zero.repeat(sizes.iter().product()))
    }

    /// The biases of the input, gate by gate, then those of the state.
    fn biases(&mut self, gates: &[Gate], hidden: i64) -> Operand {
        if gates.iter().all(|gate| gate.biases == [None, None]) {
            return Operand::Absent;
        }
        let dtype = self.b.dtype(gates[0].weights[0]);
        let mut parts = Vec::new();
        for side in [0, 1] {
            for gate in gates {
                parts.push(gate.biases[side].unwrap_or_else(|| self.zeros(dtype, &[hidden as usize])));
            }
        }
        let joined = self.b.concat(&parts, 0);
        self.b.reshape(joined, vec![Dim::fixed(1), Dim::fixed(2 * gates.len() as i64 * hidden)]).into()
    }
}

/// The operator, and its attributes where they are not the defaults.
fn operator(kind: Kind, hidden: i64, reverse: bool) -> (&'static str, Vec<(&'static str, Attribute)>) {
    use Activation::{Sigmoid, Tanh};
    let mut attributes: Vec<(&'static str, Attribute)> = vec![("hidden_size", hidden.into())];
    if reverse {
        attributes.push(("direction", "reverse".into()));
    }
    let (name, functions, defaults): (_, Vec<Activation>, &[Activation]) = match kind {
        Kind::Rnn { hidden } => ("RNN", vec![hidden], &[Tanh]),
        Kind::Gru { gate, hidden, after } => {
            if after {
                attributes.push(("linear_before_reset", 1i64.into()));
            }
            ("GRU", vec![gate, hidden], &[Sigmoid, Tanh])
        }
        Kind::Lstm { gate, cell, hidden, coupled } => {
            if coupled {
                attributes.push(("input_forget", 1i64.into()));
            }
            ("LSTM", vec![gate, cell, hidden], &[Sigmoid, Tanh, Tanh])
        }
    };
    if functions != defaults {
        let names: Vec<String> = functions.into_iter().map(|function| function.name().to_string()).collect();
        attributes.push(("activations", names.into()));
    }
    (name, attributes)
}
