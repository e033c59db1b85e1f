//! The recording as one program whose sizes are expressions over the axes.

mod constants;
mod hints;
pub(crate) mod merge;
mod run;
mod skeleton;

use std::collections::{BTreeMap, HashMap};

use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use burn::tensor::DType;

pub(crate) use constants::{AffineTerm, Constant, Number};
pub(crate) use skeleton::Frames;

use crate::symbolic::{Dim, Known};

/// What `forward` does, at any size.
#[derive(Clone)]
pub(crate) struct Program {
    /// The names of the dynamic axes.
    pub(crate) axes: Vec<String>,
    pub(crate) known: Known,
    pub(crate) operations: Vec<Operation>,
    pub(crate) shapes: HashMap<TensorId, Vec<Dim>>,
    pub(crate) constants: HashMap<TensorId, Constant>,
    /// Position among the module's parameter visits.
    pub(crate) parameters: HashMap<TensorId, usize>,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) input_dtypes: Vec<DType>,
    pub(crate) outputs: Vec<TensorId>,
}

/// One operation with the numbers in it that follow axes.
#[derive(Clone)]
pub(crate) struct Operation {
    /// As recorded at the base sizes.
    pub(crate) ir: OperationIr,
    /// `NumericFloat::Add`.
    pub(crate) name: String,
    /// Numbers other than tensor shapes that follow an axis, by their place in the operation.
    pub(crate) dims: BTreeMap<String, Dim>,
    /// Scalars that follow an axis, by their position.
    pub(crate) scalars: BTreeMap<usize, Number>,
}

impl Program {
    /// The program at one size of each axis; `None` where a size is not a whole number there.
    pub(crate) fn at(&self, sizes: &[i64]) -> Option<Self> {
        let fix = |dim: &Dim| dim.eval(sizes).map(Dim::fixed);
        let fix_all = |dims: &[Dim]| dims.iter().map(fix).collect::<Option<Vec<Dim>>>();
        let mut fixed = self.clone();
        for shape in fixed.shapes.values_mut() {
            *shape = fix_all(shape)?;
        }
        for constant in fixed.constants.values_mut() {
            match constant {
                Constant::Affine { offset, steps, .. } => {
                    for term in std::iter::once(offset).chain(steps) {
                        if let AffineTerm::Whole(dim) = term {
                            *dim = fix(dim)?;
                        }
                    }
                }
                Constant::Sizes(sizes, _) => *sizes = fix_all(sizes)?,
                Constant::Fixed(_) | Constant::Fill(_) | Constant::Triangle { .. } => {}
            }
        }
        for operation in &mut fixed.operations {
            for dim in operation.dims.values_mut() {
                *dim = fix(dim)?;
            }
            for number in operation.scalars.values_mut() {
                match number {
                    Number::Whole(dim) | Number::Reciprocal(dim) | Number::Root(dim) | Number::ReciprocalRoot(dim) => {
                        *dim = fix(dim)?;
                    }
                }
            }
        }
        Some(fixed)
    }
}
