//! Who makes each tensor of a recording, and what that is.

use std::collections::{HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, FloatOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr, ScalarIr, SliceOpIr,
    TensorIr,
};

/// A recording, read from results back to operands.
pub(super) struct Reader<'a> {
    operations: &'a [OperationIr],
    makers: HashMap<TensorId, usize>,
    /// Sequences of states that a later step writes into.
    written_over: HashSet<TensorId>,
}

/// `x @ weight + bias`.
pub(super) struct Product<'a> {
    pub(super) x: &'a TensorIr,
    pub(super) weight: &'a TensorIr,
    pub(super) bias: Option<&'a TensorIr>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(operations: &'a [OperationIr]) -> Self {
        let (mut makers, mut written_over) = (HashMap::new(), HashSet::new());
        for (index, operation) in operations.iter().enumerate() {
            if !matches!(operation, OperationIr::Drop(_)) {
                makers.extend(operation.outputs().map(|out| (out.id, index)));
            }
            if let Some(write) = super::write(operation) {
                written_over.insert(write.tensor.id);
            }
        }
        Self { operations, makers, written_over }
    }

    pub(super) fn operation(&self, index: usize) -> &'a OperationIr {
        &self.operations[index]
    }

    pub(super) fn maker(&self, id: TensorId) -> Option<usize> {
        self.makers.get(&id).copied()
    }

    pub(super) fn is_written_over(&self, id: TensorId) -> bool {
        self.written_over.contains(&id)
    }

    fn made(&self, id: TensorId) -> Option<&'a OperationIr> {
        self.maker(id).map(|index| &self.operations[index])
    }

    fn base(&self, id: TensorId) -> Option<&'a BaseOperationIr> {
        match self.made(id)? {
            OperationIr::BaseFloat(operation) => Some(operation),
            _ => None,
        }
    }

    fn numeric(&self, id: TensorId) -> Option<&'a NumericOperationIr> {
        match self.made(id)? {
            OperationIr::NumericFloat(_, operation) => Some(operation),
            _ => None,
        }
    }

    pub(super) fn is_zero(&self, id: TensorId) -> bool {
        matches!(self.base(id), Some(BaseOperationIr::Zeros(_)))
    }

    /// What is reshaped into a tensor.
    pub(super) fn reshaped(&self, id: TensorId) -> Option<&'a TensorIr> {
        match self.base(id)? {
            BaseOperationIr::Reshape(reshape) => Some(&reshape.input),
            _ => None,
        }
    }

    pub(super) fn slice(&self, id: TensorId) -> Option<&'a SliceOpIr> {
        match self.base(id)? {
            BaseOperationIr::Slice(slice) => Some(slice),
            _ => None,
        }
    }

    pub(super) fn sum(&self, id: TensorId) -> Option<[&'a TensorIr; 2]> {
        match self.numeric(id)? {
            NumericOperationIr::Add(sum) => Some([&sum.lhs, &sum.rhs]),
            _ => None,
        }
    }

    pub(super) fn product(&self, id: TensorId) -> Option<[&'a TensorIr; 2]> {
        match self.numeric(id)? {
            NumericOperationIr::Mul(product) => Some([&product.lhs, &product.rhs]),
            _ => None,
        }
    }

    /// What one is taken minus.
    pub(super) fn rest_to_one(&self, id: TensorId) -> Option<TensorId> {
        let NumericOperationIr::AddScalar(sum) = self.numeric(id)? else { return None };
        let one = match sum.rhs {
            ScalarIr::Float(value) => value == 1.0,
            ScalarIr::Int(value) => value == 1,
            _ => false,
        };
        match self.made(sum.lhs.id)? {
            OperationIr::NumericFloat(_, NumericOperationIr::Neg(negated)) if one => Some(negated.input.id),
            _ => None,
        }
    }

    /// A linear layer of rows.
    pub(super) fn linear(&self, id: TensorId) -> Option<Product<'a>> {
        match self.made(id)? {
            OperationIr::Module(ModuleOperationIr::Linear(op)) => {
                Some(Product { x: &op.x, weight: &op.weight, bias: op.bias.as_ref() })
            }
            OperationIr::Float(_, FloatOperationIr::Matmul(op)) => {
                Some(Product { x: &op.lhs, weight: &op.rhs, bias: None })
            }
            OperationIr::NumericFloat(_, NumericOperationIr::Add(sum)) => {
                let bias = self.reshaped(sum.rhs.id).filter(|bias| bias.shape.num_dims() == 1)?;
                match self.linear(sum.lhs.id)? {
                    Product { x, weight, bias: None } => Some(Product { x, weight, bias: Some(bias) }),
                    Product { .. } => None,
                }
            }
            _ => None,
        }
    }

    pub(super) fn made_by(&self, id: TensorId) -> Option<&'a OperationIr> {
        self.made(id)
    }
}
