//! Nodes written as formulas: `x.less(0.0).select(alpha * x, x)`.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use onnx_model::{Attribute, DataType, Graph, Node, Tensor, schema};

/// Writes nodes in order, and the constants that they need.
pub struct Writer {
    /// The opset of ONNX's own operators.
    pub opset: i64,
    state: RefCell<State>,
}

struct State {
    /// The values' names; an [`Expr`] is a position in them.
    names: Vec<String>,
    /// Names that are in use somewhere in the model.
    taken: HashSet<String>,
    /// The number of the last name made up.
    last: usize,
    /// The nodes of the graph that is being written.
    nodes: Vec<Node>,
    /// The name of the node that the nodes stand for, with which theirs begin.
    node_name: String,
    constants: HashMap<Tensor, usize>,
    /// Constants in the order in which they were first used.
    tensors: Vec<Tensor>,
}

/// A value of the graph that is being written.
#[derive(Clone, Copy)]
pub struct Expr<'w> {
    writer: &'w Writer,
    id: usize,
}

/// What stands beside a value in a formula: another value, a number, or an integer.
pub trait Operand<'w> {
    /// It as a value.
    fn expr(self, writer: &'w Writer) -> Expr<'w>;
}

impl<'w> Operand<'w> for Expr<'w> {
    fn expr(self, _: &'w Writer) -> Expr<'w> {
        self
    }
}

impl<'w> Operand<'w> for f64 {
    fn expr(self, writer: &'w Writer) -> Expr<'w> {
        writer.constant(Tensor::scalar("", self))
    }
}

impl<'w> Operand<'w> for f32 {
    fn expr(self, writer: &'w Writer) -> Expr<'w> {
        writer.constant(Tensor::scalar("", self))
    }
}

impl<'w> Operand<'w> for i64 {
    fn expr(self, writer: &'w Writer) -> Expr<'w> {
        writer.constant(Tensor::scalar("", self))
    }
}

impl State {
    /// A name for a node; the runtime takes none twice.
    fn name_node(&mut self, op_type: &str) -> String {
        self.last += 1;
        match self.node_name.as_str() {
            "" => String::new(),
            name => format!("{name}/{op_type}.{}", self.last),
        }
    }
}

impl Writer {
    /// A writer whose names differ from those `taken`.
    pub fn new(opset: i64, taken: HashSet<String>) -> Self {
        let state = State {
            names: Vec::new(),
            taken,
            last: 0,
            nodes: Vec::new(),
            node_name: String::new(),
            constants: HashMap::new(),
            tensors: Vec::new(),
        };
        Self { opset, state: RefCell::new(state) }
    }

    /// The value of this name.
    pub fn value(&self, name: &str) -> Expr<'_> {
        let names = &mut self.state.borrow_mut().names;
        names.push(name.to_owned());
        Expr { writer: self, id: names.len() - 1 }
    }

    /// A value under a new name.
    pub fn fresh(&self) -> Expr<'_> {
        let name = {
            let state = &mut *self.state.borrow_mut();
            loop {
                state.last += 1;
                let name = format!("float64.{}", state.last);
                if state.taken.insert(name.clone()) {
                    break name;
                }
            }
        };
        self.value(&name)
    }

    /// A constant; equal ones are kept once.
    pub fn constant(&self, tensor: Tensor) -> Expr<'_> {
        let found = self.state.borrow().constants.get(&tensor).copied();
        if let Some(id) = found {
            return Expr { writer: self, id };
        }
        let value = self.fresh();
        let state = &mut *self.state.borrow_mut();
        state.tensors.push(tensor.clone().named(&state.names[value.id]));
        state.constants.insert(tensor, value.id);
        value
    }

    /// A vector of integers: axes, sizes, bounds.
    pub fn ints(&self, values: &[i64]) -> Expr<'_> {
        self.constant(Tensor::vector("", values))
    }

    /// The attributes or inputs by which an operator takes its axes at this opset.
    fn axes_are_attribute(&self, op_type: &str) -> bool {
        schema::find(op_type, self.opset).is_some_and(|schema| schema.attribute("axes").is_some())
    }

    /// Writes a node of one output.
    pub fn node(&self, op_type: &str, inputs: &[Expr], attributes: &[(&str, Attribute)]) -> Expr<'_> {
        let mut node = Node::new(op_type).inputs(inputs.iter().map(|input| input.name()));
        for (name, value) in attributes {
            node = node.attribute(*name, value.clone());
        }
        let output = self.fresh();
        self.push(node.output(output.name()));
        output
    }

    /// Writes a node as it is.
    pub fn push(&self, mut node: Node) {
        let state = &mut *self.state.borrow_mut();
        if node.name.is_empty() {
            node.name = state.name_node(&node.op_type);
        }
        state.nodes.push(node);
    }

    /// Joins integer vectors.
    pub fn concat(&self, parts: &[Expr], axis: i64) -> Expr<'_> {
        self.node("Concat", parts, &[("axis", axis.into())])
    }

    /// The sum of one or more values.
    pub fn sum<'w>(&'w self, parts: &[Expr<'w>]) -> Expr<'w> {
        match parts {
            [only] => *only,
            _ => self.node("Sum", parts, &[]),
        }
    }

    /// The integers from 0 up to and without `end`, a scalar.
    pub fn range<'w>(&'w self, end: Expr<'w>) -> Expr<'w> {
        self.node("Range", &[0.expr(self), end, 1.expr(self)], &[])
    }

    /// Writes the graph that `write` writes apart from the one around it, and returns its nodes.
    pub fn apart<T>(&self, write: impl FnOnce() -> T) -> (T, Vec<Node>) {
        let around = std::mem::take(&mut self.state.borrow_mut().nodes);
        let made = write();
        let nodes = std::mem::replace(&mut self.state.borrow_mut().nodes, around);
        (made, nodes)
    }

    /// Writes the nodes that stand for the node of name `node_name`, and gives the values that `write` returns these names.
    pub fn stand_for<'w, E>(
        &'w self,
        node_name: &str,
        outputs: &[String],
        write: impl FnOnce() -> Result<Vec<Expr<'w>>, E>,
    ) -> Result<(), E> {
        let start = self.state.borrow().nodes.len();
        node_name.clone_into(&mut self.state.borrow_mut().node_name);
        let written = write();
        match &written {
            Ok(values) => {
                for (value, output) in values.iter().zip(outputs).filter(|(_, output)| !output.is_empty()) {
                    self.rename(start, *value, output);
                }
            }
            Err(_) => self.state.borrow_mut().nodes.truncate(start),
        }
        self.state.borrow_mut().node_name.clear();
        written.map(|_| ())
    }

    /// Gives a value another name, for which it must come from a node written from `start` on; else it is copied.
    fn rename(&self, start: usize, value: Expr, to: &str) {
        let from = value.name();
        let state = &mut *self.state.borrow_mut();
        let nodes = &mut state.nodes[start..];
        let fresh = |name: &String| *name == from && from.starts_with("float64.");
        if !nodes.iter().any(|node| node.outputs.iter().any(fresh)) {
            let node_name = state.name_node("Identity");
            state.nodes.push(Node::new("Identity").named(node_name).input(from).output(to));
            return;
        }
        for name in nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().chain(&mut node.outputs)) {
            if *name == from {
                to.clone_into(name);
            }
        }
        to.clone_into(&mut state.names[value.id]);
    }

    /// The constants that were used.
    pub fn into_constants(self) -> Vec<Tensor> {
        self.state.into_inner().tensors
    }
}

macro_rules! unary {
    ($($name:ident $op_type:literal),*) => {$(
        pub fn $name(self) -> Self {
            self.unary($op_type)
        }
    )*};
}

macro_rules! binary {
    ($($name:ident $op_type:literal),*) => {$(
        pub fn $name(self, other: impl Operand<'w>) -> Self {
            self.binary($op_type, other)
        }
    )*};
}

impl<'w> Expr<'w> {
    /// The name by which nodes refer to it.
    pub fn name(self) -> String {
        self.writer.state.borrow().names[self.id].clone()
    }

    /// The writer that it belongs to.
    pub fn writer(self) -> &'w Writer {
        self.writer
    }

    fn unary(self, op_type: &str) -> Self {
        self.writer.node(op_type, &[self], &[])
    }

    fn binary(self, op_type: &str, other: impl Operand<'w>) -> Self {
        self.writer.node(op_type, &[self, other.expr(self.writer)], &[])
    }

    // By the names of the operators.
    unary! { abs "Abs", ceil "Ceil", cos "Cos", exp "Exp", floor "Floor", log "Log", not "Not", round "Round", shape "Shape", sign "Sign",
    sin "Sin", sqrt "Sqrt", tanh "Tanh" }
    binary! { equal "Equal", greater "Greater", less "Less", max "Max", min "Min", pow "Pow" }

    /// `x * x`.
    pub fn square(self) -> Self {
        self * self
    }

    /// Of a truth value: `yes` where it holds and `no` elsewhere.
    pub fn select(self, yes: impl Operand<'w>, no: impl Operand<'w>) -> Self {
        let writer = self.writer;
        writer.node("Where", &[self, yes.expr(writer), no.expr(writer)], &[])
    }

    /// The matrix product.
    pub fn matmul(self, other: Self) -> Self {
        self.binary("MatMul", other)
    }

    /// The same values as another type.
    pub fn cast(self, to: DataType) -> Self {
        self.writer.node("Cast", &[self], &[("to", to.into())])
    }

    /// `ReduceSum` and its like over these axes.
    pub fn reduce(self, op_type: &str, axes: &[i64], keep: bool) -> Self {
        let writer = self.writer;
        let keep = ("keepdims", Attribute::from(keep));
        match writer.axes_are_attribute(op_type) {
            true => writer.node(op_type, &[self], &[keep, ("axes", axes.into())]),
            false => writer.node(op_type, &[self, writer.ints(axes)], &[keep]),
        }
    }

    /// The mean over these axes, which are kept with size 1.
    pub fn mean(self, axes: &[i64]) -> Self {
        self.reduce("ReduceMean", axes, true)
    }

    /// The same elements with other sizes; 0 keeps a size, and one may be -1.
    pub fn reshape(self, sizes: &[i64]) -> Self {
        self.binary("Reshape", self.writer.ints(sizes))
    }

    /// The same elements with computed sizes.
    pub fn reshape_to(self, sizes: Self) -> Self {
        self.binary("Reshape", sizes)
    }

    /// The axes in another order.
    pub fn transpose(self, order: &[i64]) -> Self {
        self.writer.node("Transpose", &[self], &[("perm", order.into())])
    }

    /// New axes of size 1.
    pub fn unsqueeze(self, axes: &[i64]) -> Self {
        match self.writer.axes_are_attribute("Unsqueeze") {
            true => self.writer.node("Unsqueeze", &[self], &[("axes", axes.into())]),
            false => self.binary("Unsqueeze", self.writer.ints(axes)),
        }
    }

    /// Without these axes of size 1.
    pub fn squeeze(self, axes: &[i64]) -> Self {
        match self.writer.axes_are_attribute("Squeeze") {
            true => self.writer.node("Squeeze", &[self], &[("axes", axes.into())]),
            false => self.binary("Squeeze", self.writer.ints(axes)),
        }
    }

    /// The elements at `indices` along an axis.
    pub fn gather(self, indices: impl Operand<'w>, axis: i64) -> Self {
        let writer = self.writer;
        writer.node("Gather", &[self, indices.expr(writer)], &[("axis", axis.into())])
    }

    /// From `starts` up to `ends` in steps along these axes.
    pub fn slice(self, starts: &[i64], ends: &[i64], axes: &[i64], steps: &[i64]) -> Self {
        let writer = self.writer;
        let whole = |(start, (end, step)): (&i64, (&i64, &i64))| *start == 0 && *end == i64::MAX && *step == 1;
        if starts.iter().zip(ends.iter().zip(steps)).all(whole) {
            return self;
        }
        let bounds = [starts, ends, axes, steps].map(|bounds| writer.ints(bounds));
        writer.node("Slice", &[self, bounds[0], bounds[1], bounds[2], bounds[3]], &[])
    }

    /// Of a vector: the elements from `start` on.
    pub fn from(self, start: i64) -> Self {
        self.slice(&[start], &[i64::MAX], &[0], &[1])
    }

    /// With `pads` elements of `value` before and after each axis, first all before and then all after; negative numbers
    /// cut off.
    pub fn pad(self, pads: Self, value: f64) -> Self {
        let writer = self.writer;
        writer.node("Pad", &[self, pads, value.expr(writer)], &[])
    }

    /// As [`Self::pad`] with zeros, for fixed numbers.
    pub fn pad_zeros(self, pads: &[i64]) -> Self {
        match pads.iter().all(|pad| *pad == 0) {
            true => self,
            false => self.pad(self.writer.ints(pads), 0.0),
        }
    }
}

macro_rules! arithmetic {
    ($($name:ident $function:ident $op_type:literal),*) => {$(
        impl<'w, O: Operand<'w>> std::ops::$name<O> for Expr<'w> {
            type Output = Expr<'w>;

            fn $function(self, other: O) -> Expr<'w> {
                self.binary($op_type, other)
            }
        }

        impl<'w> std::ops::$name<Expr<'w>> for f64 {
            type Output = Expr<'w>;

            fn $function(self, other: Expr<'w>) -> Expr<'w> {
                self.expr(other.writer).binary($op_type, other)
            }
        }
    )*};
}

arithmetic! { Add add "Add", Sub sub "Sub", Mul mul "Mul", Div div "Div" }

impl std::ops::Neg for Expr<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        self.unary("Neg")
    }
}

/// Every name of a graph and of its subgraphs.
pub fn names(graph: &Graph, names: &mut HashSet<String>) {
    let values = graph.inputs.iter().chain(&graph.outputs).chain(&graph.value_infos).map(|value| &value.name);
    names.extend(values.chain(graph.initializers.iter().map(|tensor| &tensor.name)).cloned());
    for node in &graph.nodes {
        names.extend(node.inputs.iter().chain(&node.outputs).cloned());
        node.subgraphs().for_each(|subgraph| self::names(subgraph, names));
    }
}
