//! From Burn's operations to ONNX operators: one file for each family.
//!
//! Every operation either gets operators that are legal at the opset, or is refused by name. A number that follows an
//! axis has to be asked for by the code that lowers the operation; what nobody asked for is an error, so that nothing
//! is baked in silently.

mod activation;
mod arithmetic;
mod attention;
mod builder;
mod comparison;
mod constants;
mod convolution;
mod cumulative;
mod elementwise;
mod indexing;
mod integer;
mod interpolation;
mod module;
mod movement;
mod normalization;
mod pooling;
mod recurrent;
mod reduction;
mod scatter;
mod slicing;
mod sorting;
mod widening;

use std::collections::{BTreeSet, HashMap};

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, BoolOperationIr, OperationIr, ScalarIr, TensorIr};
use onnx_model::DataType;

pub(crate) use builder::Builder;

use crate::elements::{self, data_type};
use crate::error::{ExportError, FailedOperation};
use crate::graph::{Graph, Operand, Source, ValueId};
use crate::opset::Opset;
use crate::paths::Modules;
use crate::program::{Number, Operation, Program};
use crate::signature::InputSpec;
use crate::symbolic::{Dim, shape_text};

type Result<T> = std::result::Result<T, ExportError>;

/// Writes the program as ONNX operators of an opset.
pub(crate) fn lower(program: &Program, inputs: &[InputSpec], modules: Modules<'_>, opset: Opset) -> Result<Graph> {
    let Modules { parameters, visits } = modules;
    let mut builder = Builder::new(opset);
    builder.graph.parameters = parameters.to_vec();
    let mut values = HashMap::new();
    for (position, id) in program.inputs.iter().enumerate() {
        let spec = inputs.get(position).map(|spec| spec.name.clone()).unwrap_or_default();
        let dtype = program.input_dtypes.get(position).copied().ok_or_else(|| internal("an input without a type"))?;
        let dtype = data_type(dtype, || format!("input {spec:?}"))?;
        if dtype == DataType::BF16 && opset < Opset::V13 {
            let operation = Box::new(FailedOperation { name: format!("input {spec:?} of bf16"), ..Default::default() });
            return Err(ExportError::OpsetTooLow { operation, opset, lowest: Opset::V13 });
        }
        let shape = program.shapes.get(id).cloned().unwrap_or_default();
        let value = builder.graph.add(dtype, shape, Source::Input(position));
        builder.graph.inputs.push(value);
        values.insert(*id, value);
    }
    for (id, visit) in sorted(&program.parameters) {
        let index = visits.get(visit).copied().ok_or_else(|| internal("a parameter that was not read"))?;
        let parameter = parameters.get(index).ok_or_else(|| internal("a parameter that was not read"))?;
        let dtype = data_type(parameter.dtype, || format!("parameter {:?}", parameter.path))?;
        let shape = parameter.shape.iter().map(|size| Dim::fixed(*size as i64)).collect();
        values.insert(id, builder.graph.add(dtype, shape, Source::Parameter { index, permutation: None }));
    }
    let recorded: Vec<&OperationIr> = program.operations.iter().map(|operation| &operation.ir).collect();
    let paths = modules.paths(&recorded, program.parameters.iter().map(|(id, visit)| (*id, *visit)));
    let Some(placeholder) = program.operations.first() else {
        return finish(builder, program, values);
    };
    let mut lowering = Lowering { b: builder, program, values, operation: placeholder, taken: BTreeSet::new() };
    for (operation, path) in program.operations.iter().zip(paths) {
        lowering.operation = operation;
        lowering.taken.clear();
        lowering.b.path = path;
        let first = lowering.b.graph.nodes.len();
        lowering.operation(&operation.ir)?;
        lowering.widen(first)?;
        lowering.all_taken()?;
    }
    let Lowering { b, mut values, .. } = lowering;
    let mut b = b;
    b.path = String::new();
    constants::missing_outputs(&mut b, program, &mut values)?;
    finish(b, program, values)
}

fn finish(mut builder: Builder, program: &Program, mut values: HashMap<TensorId, ValueId>) -> Result<Graph> {
    constants::missing_outputs(&mut builder, program, &mut values)?;
    for id in &program.outputs {
        let value = values.get(id).copied().ok_or_else(|| internal("an output that nothing computes"))?;
        builder.graph.outputs.push(value);
    }
    Ok(builder.graph)
}

fn sorted(parameters: &HashMap<TensorId, usize>) -> Vec<(TensorId, usize)> {
    let mut sorted: Vec<_> = parameters.iter().map(|(id, visit)| (*id, *visit)).collect();
    sorted.sort_unstable_by_key(|(_, visit)| *visit);
    sorted
}

fn internal(message: &str) -> ExportError {
    ExportError::Internal { message: message.to_string() }
}

/// The operation at hand and everything before it.
pub(crate) struct Lowering<'a> {
    pub(crate) b: Builder,
    program: &'a Program,
    values: HashMap<TensorId, ValueId>,
    operation: &'a Operation,
    /// The numbers that were asked for.
    taken: BTreeSet<String>,
}

impl Lowering<'_> {
    fn operation(&mut self, operation: &OperationIr) -> Result<()> {
        match operation {
            OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => self.base(op),
            OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => self.numeric(op),
            OperationIr::Bool(op) => self.boolean(op),
            OperationIr::Int(op) => self.integer(op),
            OperationIr::Float(_, op) => self.float(op),
            OperationIr::Module(op) => self.module(op),
            OperationIr::Activation(op) => self.activation(op),
            OperationIr::Custom(op) => self.custom(op),
            OperationIr::Distributed(_) => {
                Err(self.refuse("collective operations belong to training; export the network without them"))
            }
            OperationIr::Init(_) | OperationIr::Drop(_) => Ok(()),
        }
    }

    fn base(&mut self, op: &BaseOperationIr) -> Result<()> {
        use BaseOperationIr as B;
        match op {
            B::Reshape(op) => self.reshape(op),
            B::SwapDims(op) => self.swap_dims(op),
            B::Permute(op) => self.permute(op),
            B::Flip(op) => self.flip(op),
            B::Expand(op) => self.expand(op),
            B::Unfold(op) => self.unfold(op),
            B::Slice(op) => self.slice(op),
            B::SliceAssign(op) => self.slice_assign(op),
            B::Select(op) => self.select(op),
            B::SelectAssign(op) => self.select_assign(op),
            B::MaskWhere(op) => self.mask_where(op),
            B::MaskFill(op) => self.mask_fill(op),
            B::Gather(op) => self.gather(op),
            B::Scatter(op) => self.scatter(op),
            B::ScatterNd(op) => self.scatter_nd(op),
            B::GatherNd(op) => self.gather_nd(op),
            B::Equal(op) => self.compare("Equal", op),
            B::EqualElem(op) => self.compare_scalar("Equal", op),
            B::NotEqual(op) => self.differ(op),
            B::NotEqualElem(op) => self.differ_scalar(op),
            B::RepeatDim(op) => self.repeat_dim(op),
            B::Cat(op) => self.cat(op),
            B::Cast(op) => self.cast(op),
            B::Empty(op) => self.filled(&op.out, 0),
            B::Zeros(op) => self.filled(&op.out, 0),
            B::Ones(op) => self.filled(&op.out, 1),
            B::All(op) => self.every(op),
            B::Any(op) => self.some(op),
            B::AllDim(op) => self.every_along(op),
            B::AnyDim(op) => self.some_along(op),
        }
    }

    fn boolean(&mut self, op: &BoolOperationIr) -> Result<()> {
        match op {
            BoolOperationIr::IntoFloat(op) | BoolOperationIr::IntoInt(op) => self.cast(op),
            BoolOperationIr::Not(op) => self.unary("Not", op),
            BoolOperationIr::And(op) => self.binary("And", op),
            BoolOperationIr::Or(op) => self.binary("Or", op),
            BoolOperationIr::Xor(op) => self.binary("Xor", op),
        }
    }

    /// The value of a tensor.
    pub(crate) fn value(&mut self, tensor: &TensorIr) -> Result<ValueId> {
        if let Some(value) = self.values.get(&tensor.id) {
            return Ok(*value);
        }
        let value = constants::write(&mut self.b, self.program, tensor.id)?;
        self.values.insert(tensor.id, value);
        Ok(value)
    }

    /// The symbolic shape of a tensor.
    pub(crate) fn shape(&self, tensor: &TensorIr) -> Vec<Dim> {
        self.program.shapes.get(&tensor.id).cloned().unwrap_or_default()
    }

    pub(crate) fn dtype(&self, tensor: &TensorIr) -> Result<DataType> {
        data_type(tensor.dtype, || self.at_fault().to_string())
    }

    /// Makes `value` the result of the operation, in the type that Burn gives it.
    pub(crate) fn bind(&mut self, out: &TensorIr, value: ValueId) -> Result<()> {
        let value = self.b.cast(value, data_type(out.dtype, || self.at_fault().to_string())?);
        let expected = self.shape(out);
        let found = self.b.graph.shape(value);
        if *found != expected {
            let same = |(left, right)| self.program.known.same(left, right);
            if found.len() != expected.len() || !found.iter().zip(&expected).all(same) {
                let text = |dims: &[Dim]| shape_text(dims, &self.program.axes);
                return Err(ExportError::Internal {
                    message: format!(
                        "{} gave the shape {} where the recording has {}",
                        self.operation.name,
                        text(found),
                        text(&expected)
                    ),
                });
            }
            // Another form of the same sizes: the one that the recording has proven.
            self.b.graph.values[value.0].shape = expected;
        }
        self.values.insert(out.id, value);
        Ok(())
    }

    /// A number that may follow an axis, by its place in the operation.
    pub(crate) fn number(&mut self, place: &str, base: i64) -> Dim {
        self.taken.insert(place.to_string());
        self.operation.dims.get(place).cloned().unwrap_or(Dim::fixed(base))
    }

    /// Numbers under this place follow from the shapes, which are proven.
    pub(crate) fn follows_from_shapes(&mut self, place: &str) {
        let places: Vec<String> =
            self.operation.dims.keys().filter(|other| other.starts_with(place)).cloned().collect();
        self.taken.extend(places);
    }

    /// A scalar of the operation as a tensor.
    pub(crate) fn scalar(&mut self, position: usize, scalar: ScalarIr, dtype: DataType) -> ValueId {
        self.taken.insert(format!("scalar {position}"));
        let number = self.operation.scalars.get(&position).cloned();
        match number {
            None => {
                let (real, whole) = both(scalar);
                self.b.constant(dtype, &[], elements::element(dtype, real, whole))
            }
            Some(number) => constants::number(&mut self.b, &number, dtype),
        }
    }

    /// A scalar that ONNX wants as an attribute.
    pub(crate) fn fixed_scalar(&mut self, position: usize, scalar: ScalarIr) -> Result<f64> {
        match self.operation.scalars.get(&position) {
            None => Ok(both(scalar).0),
            Some(number) => Err(self.dynamic("scalar", number.dim())),
        }
    }

    fn all_taken(&self) -> Result<()> {
        if let Some((place, dim)) = self.operation.dims.iter().find(|(place, _)| !self.taken.contains(*place)) {
            return Err(self.dynamic(place.trim_start_matches('/'), dim));
        }
        let untaken = |position: &usize| !self.taken.contains(&format!("scalar {position}"));
        match self.operation.scalars.iter().find(|(position, _)| untaken(position)) {
            Some((_, number)) => Err(self.dynamic("scalar", number.dim())),
            None => Ok(()),
        }
    }

    /// The operation at hand, for an error.
    fn at_fault(&self) -> Box<FailedOperation> {
        let shapes = self.operation.ir.inputs().map(|input| shape_text(&self.shape(input), &self.program.axes));
        let (name, path) = (self.operation.name.clone(), self.b.path.clone());
        Box::new(FailedOperation { name, path, shapes: shapes.collect() })
    }

    pub(crate) fn dynamic(&self, what: &str, dim: &Dim) -> ExportError {
        ExportError::DynamicNumber {
            operation: self.at_fault(),
            what: what.to_string(),
            formula: dim.display(&self.program.axes).to_string(),
        }
    }

    /// The size, if no axis changes it.
    pub(crate) fn fixed(&self, dim: &Dim, what: &str) -> Result<i64> {
        dim.as_fixed().ok_or_else(|| self.dynamic(what, dim))
    }

    pub(crate) fn refuse(&self, reason: impl Into<String>) -> ExportError {
        ExportError::Unsupported { operation: self.at_fault(), reason: reason.into() }
    }

    /// Demands an opset.
    pub(crate) fn need(&self, lowest: Opset) -> Result<()> {
        if self.b.opset >= lowest {
            return Ok(());
        }
        Err(ExportError::OpsetTooLow { operation: self.at_fault(), opset: self.b.opset, lowest })
    }

    /// Sizes as an operand.
    pub(crate) fn sizes(dims: impl IntoIterator<Item = Dim>) -> Operand {
        Operand::Dims(dims.into_iter().collect())
    }
}

fn both(scalar: ScalarIr) -> (f64, i64) {
    match scalar {
        ScalarIr::Float(value) => (value, value as i64),
        ScalarIr::Int(value) => (value as f64, value),
        ScalarIr::UInt(value) => (value as f64, value as i64),
        ScalarIr::Bool(value) => (f64::from(u8::from(value)), i64::from(value)),
    }
}

impl Number {
    /// The size that the number is made of.
    pub(crate) fn dim(&self) -> &Dim {
        match self {
            Number::Whole(dim) | Number::Reciprocal(dim) | Number::Root(dim) | Number::ReciprocalRoot(dim) => dim,
        }
    }
}
