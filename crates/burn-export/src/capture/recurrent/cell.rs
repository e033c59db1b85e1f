//! One step of a recurrent layer.

use burn::backend::capture::TensorId;
use burn::backend::ir::{ActivationOperationIr, FloatOperationIr, HardSigmoidOpIr, OperationIr, ScalarIr, TensorIr};

use super::reader::{Product, Reader};

/// Functions of gates and states that ONNX's operators know by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Sigmoid,
    Tanh,
    Relu,
    /// With the slope 0.2 and the middle 0.5.
    HardSigmoid,
}

impl Activation {
    const ALL: [Self; 4] = [Self::Sigmoid, Self::Tanh, Self::Relu, Self::HardSigmoid];

    /// ONNX's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Relu => "Relu",
            Self::HardSigmoid => "HardSigmoid",
        }
    }
}

/// The kind of a layer, with the functions in ONNX's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rnn {
        hidden: Activation,
    },
    /// `after`: the reset gate works on the product with the state, not on the state.
    Gru {
        gate: Activation,
        hidden: Activation,
        after: bool,
    },
    /// `coupled`: the forget gate is one minus the input gate.
    Lstm {
        gate: Activation,
        cell: Activation,
        hidden: Activation,
        coupled: bool,
    },
}

/// A whole layer: what its operation in the recording stands for.
///
/// Its inputs are the sequence `[batch, length, features]`; where they are given the first states `[batch, hidden]`, the
/// hidden one and the memory of an LSTM; then for each gate the weights `[features, hidden]` and `[hidden, hidden]` and the
/// biases that there are. Gates come in Burn's order: of an LSTM input, forget (unless coupled), output, cell; of a GRU
/// update, reset, new. Its outputs are the states of all steps `[batch, length, hidden]`, the last one, and the last memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    pub(crate) reverse: bool,
    pub(crate) given_state: bool,
    /// Whether the products with the input, and with the state, have biases.
    pub(crate) bias: [bool; 2],
}

impl Layer {
    /// The name of its operation, which tells all of it.
    pub(super) fn name(&self) -> String {
        let flags =
            [self.reverse, self.given_state, self.bias[0], self.bias[1]].map(|flag| if flag { "1" } else { "0" });
        let (name, functions, flag) = match self.kind {
            Kind::Rnn { hidden } => ("Rnn", vec![hidden], false),
            Kind::Gru { gate, hidden, after } => ("Gru", vec![gate, hidden], after),
            Kind::Lstm { gate, cell, hidden, coupled } => ("Lstm", vec![gate, cell, hidden], coupled),
        };
        let functions: Vec<&str> = functions.into_iter().map(Activation::name).collect();
        format!("Recurrent::{name}({}, {}, {})", functions.join(" "), u8::from(flag), flags.concat())
    }

    /// The layer of an operation's name; `None` for other custom operations.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.strip_prefix("Recurrent::")?.strip_suffix(')')?.split_once('(')?;
        let [functions, flag, flags] = <[&str; 3]>::try_from(rest.split(", ").collect::<Vec<_>>()).ok()?;
        let function = |name: &str| Activation::ALL.into_iter().find(|function| function.name() == name);
        let functions: Vec<Activation> = functions.split(' ').map(function).collect::<Option<_>>()?;
        let flag = flag == "1";
        let kind = match (kind, functions.as_slice()) {
            ("Rnn", [hidden]) => Kind::Rnn { hidden: *hidden },
            ("Gru", [gate, hidden]) => Kind::Gru { gate: *gate, hidden: *hidden, after: flag },
            ("Lstm", [gate, cell, hidden]) => Kind::Lstm { gate: *gate, cell: *cell, hidden: *hidden, coupled: flag },
            _ => return None,
        };
        let [reverse, given_state, input, state] = <[u8; 4]>::try_from(flags.as_bytes()).ok()?.map(|flag| flag == b'1');
        Some(Self { kind, reverse, given_state, bias: [input, state] })
    }
}

/// The products of a gate with the input and with the state.
#[derive(Clone)]
pub(super) struct Gate {
    weights: [TensorIr; 2],
    biases: [Option<TensorIr>; 2],
}

/// What every step of a layer has in common.
#[derive(Clone)]
pub(super) struct Cell {
    pub(super) kind: Kind,
    /// In Burn's order.
    gates: Vec<Gate>,
}

/// The states between two steps.
pub(super) struct State {
    pub(super) hidden: TensorIr,
    /// Of an LSTM.
    pub(super) memory: Option<TensorIr>,
}

/// One step.
pub(super) struct Step {
    pub(super) cell: Cell,
    pub(super) input: TensorId,
    pub(super) before: State,
    pub(super) after: State,
}

impl Cell {
    /// Whether both have the same weights and functions.
    pub(super) fn is(&self, other: &Self) -> bool {
        let ids = |cell: &Self| cell.tensors().map(|tensor| tensor.id).collect::<Vec<_>>();
        self.kind == other.kind && self.biases() == other.biases() && ids(self) == ids(other)
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = TensorIr> {
        self.gates.iter().flat_map(|gate| gate.weights.iter().chain(gate.biases.iter().flatten())).cloned()
    }

    /// Whether all gates have biases, of the input and of the state.
    pub(super) fn biases(&self) -> [bool; 2] {
        [0, 1].map(|side| self.gates.iter().all(|gate| gate.biases[side].is_some()))
    }
}

impl State {
    pub(super) fn is(&self, other: &Self) -> bool {
        let memory = |state: &Self| state.memory.as_ref().map(|memory| memory.id);
        self.hidden.id == other.hidden.id && memory(self) == memory(other)
    }
}

/// The step whose result is this state.
pub(super) fn step(reader: &Reader<'_>, state: &TensorIr) -> Option<Step> {
    let step = lstm(reader, state).or_else(|| gru(reader, state)).or_else(|| rnn(reader, state))?;
    // Either all gates have a bias or none has.
    let biases = step.cell.biases();
    let consistent =
        step.cell.gates.iter().all(|gate| [0, 1].iter().all(|side| gate.biases[*side].is_some() == biases[*side]));
    consistent.then_some(step)
}

fn rnn(reader: &Reader<'_>, state: &TensorIr) -> Option<Step> {
    let (hidden, sum) = function(reader, state.id)?;
    let gate = Sum::find(reader, sum)?;
    Some(Step {
        cell: Cell { kind: Kind::Rnn { hidden }, gates: vec![gate.gate] },
        input: gate.input,
        before: State { hidden: gate.state, memory: None },
        after: State { hidden: state.clone(), memory: None },
    })
}

/// `h = o * f(c)`, `c = forget * c_before + input * candidate`.
fn lstm(reader: &Reader<'_>, state: &TensorIr) -> Option<Step> {
    let [output, bent] = reader.product(state.id)?;
    let (gate, output) = function(reader, output.id)?;
    let output = Sum::find(reader, output)?;
    let (hidden, memory) = function_of(reader, bent.id)?;
    let [kept, new] = reader.sum(memory.id)?;
    let ([forget, before], [input, candidate]) = (reader.product(kept.id)?, reader.product(new.id)?);
    let (input_function, input_sum) = function(reader, input.id)?;
    let (cell, candidate) = function(reader, candidate.id)?;
    let (input_sum, candidate) = (Sum::find(reader, input_sum)?, Sum::find(reader, candidate)?);
    let coupled = reader.rest_to_one(forget.id) == Some(input.id);
    let mut sums = vec![input_sum];
    if !coupled {
        let (forget_function, forget) = function(reader, forget.id)?;
        sums.push(Sum::find(reader, forget)?);
        if forget_function != gate {
            return None;
        }
    }
    sums.extend([output, candidate]);
    if input_function != gate {
        return None;
    }
    let (source, hidden_before, gates) = together(sums)?;
    Some(Step {
        cell: Cell { kind: Kind::Lstm { gate, cell, hidden, coupled }, gates },
        input: source,
        before: State { hidden: hidden_before, memory: Some(before.clone()) },
        after: State { hidden: state.clone(), memory: Some(memory.clone()) },
    })
}

/// `h = new * (1 - update) + update * h_before`.
fn gru(reader: &Reader<'_>, state: &TensorIr) -> Option<Step> {
    let [fresh, kept] = reader.sum(state.id)?;
    let ([new, rest], [update, before]) = (reader.product(fresh.id)?, reader.product(kept.id)?);
    if reader.rest_to_one(rest.id) != Some(update.id) {
        return None;
    }
    let (gate, update) = function(reader, update.id)?;
    let (hidden, new) = function(reader, new.id)?;
    let [of_input, of_state] = reader.sum(new)?;
    let from_input = reader.linear(of_input.id)?;
    // The reset gate works on the product with the state, or on the state before the product.
    let (after, reset, from_state) = match reader.product(of_state.id) {
        Some([reset, product]) => (true, reset, reader.linear(product.id)?),
        None => {
            let product = reader.linear(of_state.id)?;
            let [own, reset] = reader.product(product.x.id)?;
            (false, reset, Product { x: own, ..product })
        }
    };
    let (reset_function, reset) = function(reader, reset.id)?;
    if reset_function != gate || from_state.x.id != before.id {
        return None;
    }
    let new = Sum { input: from_input.x.id, state: from_state.x.clone(), gate: Gate::of(&from_input, &from_state) };
    let (source, hidden_before, gates) = together(vec![Sum::find(reader, update)?, Sum::find(reader, reset)?, new])?;
    (hidden_before.id == before.id).then_some(Step {
        cell: Cell { kind: Kind::Gru { gate, hidden, after }, gates },
        input: source,
        before: State { hidden: hidden_before, memory: None },
        after: State { hidden: state.clone(), memory: None },
    })
}

/// The sum of a gate's products.
struct Sum {
    input: TensorId,
    state: TensorIr,
    gate: Gate,
}

impl Sum {
    fn find(reader: &Reader<'_>, sum: TensorId) -> Option<Self> {
        let [left, right] = reader.sum(sum)?;
        let (input, state) = (reader.linear(left.id)?, reader.linear(right.id)?);
        Some(Self { input: input.x.id, state: state.x.clone(), gate: Gate::of(&input, &state) })
    }
}

impl Gate {
    fn of(input: &Product<'_>, state: &Product<'_>) -> Self {
        Self {
            weights: [input.weight.clone(), state.weight.clone()],
            biases: [input.bias.cloned(), state.bias.cloned()],
        }
    }
}

/// The input and the state that all sums read.
fn together(sums: Vec<Sum>) -> Option<(TensorId, TensorIr, Vec<Gate>)> {
    let (input, state) = sums.first().map(|sum| (sum.input, sum.state.clone()))?;
    let same = sums.iter().all(|sum| sum.input == input && sum.state.id == state.id);
    same.then(|| (input, state, sums.into_iter().map(|sum| sum.gate).collect()))
}

fn function(reader: &Reader<'_>, id: TensorId) -> Option<(Activation, TensorId)> {
    function_of(reader, id).map(|(function, operand)| (function, operand.id))
}

/// The function that made a tensor, and its operand.
fn function_of<'a>(reader: &Reader<'a>, id: TensorId) -> Option<(Activation, &'a TensorIr)> {
    match reader.made_by(id)? {
        OperationIr::Activation(ActivationOperationIr::Sigmoid(op)) => Some((Activation::Sigmoid, &op.input)),
        OperationIr::Activation(ActivationOperationIr::Relu(op)) => Some((Activation::Relu, &op.input)),
        OperationIr::Activation(ActivationOperationIr::HardSigmoid(op)) if is_default(op) => {
            Some((Activation::HardSigmoid, &op.tensor))
        }
        OperationIr::Float(_, FloatOperationIr::Tanh(op)) => Some((Activation::Tanh, &op.input)),
        _ => None,
    }
}

fn is_default(op: &HardSigmoidOpIr) -> bool {
    let is = |scalar: ScalarIr, number: f64| matches!(scalar, ScalarIr::Float(value) if (value - number).abs() < 1e-7);
    is(op.alpha, 0.2) && is(op.beta, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_read_back_from_its_name() {
        let (gate, cell, hidden) = (Activation::Sigmoid, Activation::Tanh, Activation::HardSigmoid);
        let kinds = [
            Kind::Rnn { hidden },
            Kind::Gru { gate, hidden, after: true },
            Kind::Lstm { gate, cell, hidden, coupled: false },
        ];
        for kind in kinds {
            for (reverse, given_state, bias) in [(false, true, [true, false]), (true, false, [false, true])] {
                let layer = Layer { kind, reverse, given_state, bias };
                assert_eq!(Layer::parse(&layer.name()), Some(layer), "{}", layer.name());
            }
        }
        assert_eq!(Layer::parse("someone's own operation"), None);
    }
}
