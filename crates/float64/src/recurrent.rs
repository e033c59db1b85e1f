//! Recurrent layers as loops over the steps of the sequence.

use super::activation::{logistic, soft_plus, soft_sign};
use super::form::{Family, Form};
use super::step::{Outputs, Reason, Step};
use super::writer::{Expr, Operand};
use onnx_model::{Attribute, DataType, Dim, Graph, Node, Tensor, ValueInfo};

pub const FAMILY: Family =
    &[(&["GRU"], 0, Form::All(gated)), (&["LSTM"], 0, Form::All(long_short)), (&["RNN"], 0, Form::All(simple))];

/// A function between the gates.
type Activation = for<'w> fn(Expr<'w>) -> Expr<'w>;

/// One direction of a layer.
struct Direction<'w> {
    /// `[hidden, gates * hidden]`.
    recurrence: Expr<'w>,
    /// The bias of what is fed back, `[gates * hidden]`, where it is not part of what goes in.
    bias: Option<Expr<'w>>,
    /// `[3 * hidden]`.
    peepholes: Option<Expr<'w>>,
    hidden: i64,
    activations: Vec<Activation>,
}

impl<'w> Direction<'w> {
    /// The gate at `index` of values whose last axis holds all gates.
    fn gate(&self, x: Expr<'w>, index: i64) -> Expr<'w> {
        self.gates(x, index, index + 1)
    }

    fn gates(&self, x: Expr<'w>, start: i64, end: i64) -> Expr<'w> {
        x.slice(&[start * self.hidden], &[end * self.hidden], &[-1], &[1])
    }

    /// What is fed back to the gates from `start` up to `end`.
    fn fed(&self, state: Expr<'w>, start: i64, end: i64) -> Expr<'w> {
        let sums = state.matmul(self.gates(self.recurrence, start, end));
        self.bias.map_or(sums, |bias| sums + self.gates(bias, start, end))
    }

    /// The first two gates, of which `fed` is fed back.
    fn two_gates(&self, x: Expr<'w>, fed: Expr<'w>) -> [Expr<'w>; 2] {
        let both = (self.activations[0])(self.gates(x, 0, 2) + fed);
        [self.gate(both, 0), self.gate(both, 1)]
    }

    fn peephole(&self, gate: Expr<'w>, index: i64, state: Expr<'w>) -> Expr<'w> {
        self.peepholes.map_or(gate, |all| gate + self.gate(all, index) * state)
    }
}

/// The states after a step, from what goes in and the states before.
type Cell<'w> = fn(&Direction<'w>, Expr<'w>, &[Expr<'w>]) -> Vec<Expr<'w>>;

fn simple<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    let cell: Cell<'w> =
        |direction, x, state| vec![(direction.activations[0])(x + state[0].matmul(direction.recurrence))];
    layer(step, 1, 1, &["Tanh"], cell)
}

/// The gates are update, reset and new.
fn gated<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    let before: Cell<'w> = |direction, x, state| {
        let h = state[0];
        let [update, reset] = direction.two_gates(x, direction.fed(h, 0, 2));
        let new = (direction.activations[1])(direction.gate(x, 2) + direction.fed(reset * h, 2, 3));
        vec![(1.0 - update) * new + update * h]
    };
    let after: Cell<'w> = |direction, x, state| {
        let h = state[0];
        let fed = direction.fed(h, 0, 3);
        let [update, reset] = direction.two_gates(x, direction.gates(fed, 0, 2));
        let new = (direction.activations[1])(direction.gate(x, 2) + reset * direction.gate(fed, 2));
        vec![(1.0 - update) * new + update * h]
    };
    layer(step, 3, 1, &["Sigmoid", "Tanh"], if step.op.flag("linear_before_reset") { after } else { before })
}

/// The gates are input, output, forget and cell; so are the peepholes, but for the last.
fn long_short<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    if step.op.flag("input_forget") {
        return Err("its input and forget gates are coupled");
    }
    let cell: Cell<'w> = |direction, x, state| {
        let [f, g, h] = direction.activations[..] else { return state.to_vec() };
        let sums = x + state[0].matmul(direction.recurrence);
        let input = f(direction.peephole(direction.gate(sums, 0), 0, state[1]));
        let forget = f(direction.peephole(direction.gate(sums, 2), 2, state[1]));
        let cell = forget * state[1] + input * g(direction.gate(sums, 3));
        let output = f(direction.peephole(direction.gate(sums, 1), 1, cell));
        vec![output * h(cell), cell]
    };
    layer(step, 4, 2, &["Sigmoid", "Tanh", "Tanh"], cell)
}

/// A layer whose cell has so many gates and states, with these activations unless the node names others.
fn layer<'w>(step: &Step<'_, 'w>, gates: i64, states: usize, defaults: &[&str], cell: Cell<'w>) -> Outputs<'w> {
    let writer = step.writer;
    if step.op.flag("layout") {
        return Err("its batch comes first");
    }
    if step.op.float("clip").is_some() || step.op.node.attributes.contains_key("activation_alpha") {
        return Err("its activations have parameters");
    }
    let hidden = step.sizes(2)?.get(2).copied().flatten().or(step.op.int("hidden_size"));
    let hidden = hidden.filter(|size| (1..1 << 31).contains(size)).ok_or("the size of its state is not known")?;
    let x = step.input(0);
    let backwards: &[bool] = match step.op.string("direction").unwrap_or("forward") {
        "forward" => &[false],
        "reverse" => &[true],
        _ => &[false, true],
    };
    let activations = activations(step, backwards.len(), defaults)?;
    let mut made = vec![Vec::new(); 1 + states];
    for (index, (backwards, activations)) in backwards.iter().zip(activations).enumerate() {
        let of = |position| step.optional(position).map(|value| value.gather(index as i64, 0));
        let (weight, recurrence) = (step.input(1).gather(index as i64, 0), step.input(2).gather(index as i64, 0));
        let bias = of(3).map(|both| {
            let half = gates * hidden;
            (both.slice(&[0], &[half], &[0], &[1]), both.slice(&[half], &[2 * half], &[0], &[1]))
        });
        let mut into = x.matmul(weight.transpose(&[1, 0]));
        let mut direction =
            Direction { recurrence: recurrence.transpose(&[1, 0]), bias: None, peepholes: of(7), hidden, activations };
        if let Some((before, fed)) = bias {
            into = into + before;
            // A gate may come between what is fed back and its bias.
            match gates {
                3 => direction.bias = Some(fed),
                _ => into = into + fed,
            }
        }
        let zeros = || {
            let sizes = writer.concat(&[x.shape().slice(&[1], &[2], &[0], &[1]), writer.ints(&[hidden])], 0);
            writer.node("ConstantOfShape", &[sizes], &[("value", Tensor::vector("", &[0.0f64]).into())])
        };
        let initial: Vec<_> = (0..states).map(|state| of(5 + state).unwrap_or_else(zeros)).collect();
        for (all, part) in made.iter_mut().zip(scan(step, &direction, into, &initial, *backwards, cell)) {
            all.push(part);
        }
    }
    // The directions are the second axis of the sequence, and the first of the states.
    let joined = made.iter().enumerate().map(|(position, parts)| {
        let axis = i64::from(position == 0);
        let parts: Vec<_> = parts.iter().map(|part: &Expr<'w>| part.unsqueeze(&[axis])).collect();
        writer.concat(&parts, axis)
    });
    Ok(joined.collect())
}

fn hyperbolic_tangent(x: Expr<'_>) -> Expr<'_> {
    x.tanh()
}

fn rectify(x: Expr<'_>) -> Expr<'_> {
    x.max(0.0)
}

/// The activations of each direction.
fn activations(step: &Step, directions: usize, defaults: &[&str]) -> Result<Vec<Vec<Activation>>, Reason> {
    let named: Vec<&str> = match step.op.node.attributes.get("activations") {
        Some(Attribute::Strings(names)) => names.iter().map(String::as_str).collect(),
        _ => defaults.repeat(directions),
    };
    if named.len() != defaults.len() * directions {
        return Err("it has too few or too many activations");
    }
    let found = named.iter().map(|name| {
        Ok(match name.to_lowercase().as_str() {
            "sigmoid" => logistic as Activation,
            "tanh" => hyperbolic_tangent,
            "relu" => rectify,
            "softplus" => soft_plus,
            "softsign" => soft_sign,
            _ => return Err("one of its activations is not known"),
        })
    });
    let found: Vec<Activation> = found.collect::<Result<_, _>>()?;
    Ok(found.chunks(defaults.len()).map(<[_]>::to_vec).collect())
}

/// One direction over the steps of the sequence, whose values `into` each cell are ready: the first state after each step,
/// and the states after the last.
fn scan<'w>(
    step: &Step<'_, 'w>,
    direction: &Direction<'w>,
    into: Expr<'w>,
    initial: &[Expr<'w>],
    backwards: bool,
    cell: Cell<'w>,
) -> Vec<Expr<'w>> {
    let writer = step.writer;
    let lengths = step.optional(4).map(|lengths| lengths.cast(DataType::I64).unsqueeze(&[1]));
    let before: Vec<_> = initial.iter().map(|_| writer.fresh()).collect();
    let (x, time) = (writer.fresh(), writer.fresh());
    let (after, nodes) = writer.apart(|| {
        let mut after = cell(direction, x, &before);
        let mut first = after[0];
        if let Some(lengths) = lengths {
            // Beyond the end of a sequence its state stays, and what comes out is zero.
            let goes_on = time.less(lengths);
            after = after.iter().zip(&before).map(|(after, before)| goes_on.select(*after, *before)).collect();
            first = goes_on.select(first, 0.0.expr(writer));
        }
        // An output of a graph has a name of its own.
        after.into_iter().chain([first]).map(|value| writer.node("Identity", &[value], &[])).collect::<Vec<_>>()
    });
    // The runtime wants shapes here where it cannot infer those of what goes in.
    let value = |value: &Expr, last| ValueInfo::new(value.name(), DataType::F64, [Dim::Unknown, last]);
    let state = |state| value(state, Dim::Known(direction.hidden as u64));
    let mut body = Graph { nodes, ..Graph::new(format!("{}.step", x.name())) };
    body.inputs = before.iter().map(state).chain([value(&x, Dim::Unknown)]).collect();
    body.outputs = after.iter().map(state).collect();
    let mut inputs: Vec<_> = initial.iter().chain([&into]).map(|input| input.name()).collect();
    if lengths.is_some() {
        body.inputs.push(ValueInfo::new(time.name(), DataType::I64, []));
        inputs.push(writer.range(into.shape().gather(0, 0)).name());
    }
    let made: Vec<_> = after.iter().map(|_| writer.fresh()).collect();
    let scanned = inputs.len() - initial.len();
    let node = Node::new("Scan").inputs(inputs).outputs(made.iter().map(|value| value.name()));
    let node = node.attribute("body", body).attribute("num_scan_inputs", scanned as i64);
    let node = node.attribute("scan_input_directions", vec![i64::from(backwards); scanned]);
    writer.push(node.attribute("scan_output_directions", [i64::from(backwards)]));
    let (states, sequence) = made.split_at(initial.len());
    [sequence, states].concat()
}
