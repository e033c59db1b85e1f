//! One form for linear layers.
//!
//! Where that makes the product squarer, Burn folds the leading axes of a linear layer's input into one; elsewhere it
//! broadcasts the weight. Which of them it records depends on the sizes, and two traces of one network would differ.

use std::collections::{HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, BinaryOpIr, FloatOperationIr, MatmulOpIr, NumericOperationIr, OperationIr, ShapeOpIr, TensorIr,
};

/// Rewrites every `Reshape(MatMul(Reshape(x, [rows, k]), w) + Reshape(b, [1, n]), [.., n])` as
/// `MatMul(x, Reshape(w, [1, .., k, n])) + Reshape(b, [1, .., 1, n])`, with or without a bias.
pub(super) fn broadcast_weights(operations: Vec<OperationIr>, outputs: &[TensorId]) -> Vec<OperationIr> {
    let mut removed = HashSet::new();
    let mut replaced = HashMap::new();
    let uses = Uses::new(&operations, outputs);
    for index in 0..operations.len() {
        if let Some(folded) = Folded::find(&operations, &uses, index) {
            removed.extend([folded.fold_at, folded.unfold_at]);
            replaced.extend(folded.broadcast(index));
        }
    }
    let kept = operations.into_iter().enumerate().filter(|(index, _)| !removed.contains(index));
    kept.flat_map(|(index, operation)| replaced.remove(&index).unwrap_or_else(|| vec![operation])).collect()
}

/// Who makes and who uses each tensor.
struct Uses {
    makers: HashMap<TensorId, usize>,
    users: HashMap<TensorId, Vec<usize>>,
}

impl Uses {
    fn new(operations: &[OperationIr], outputs: &[TensorId]) -> Self {
        let (mut makers, mut users) = (HashMap::new(), HashMap::<TensorId, Vec<usize>>::new());
        for (index, operation) in operations.iter().enumerate() {
            if matches!(operation, OperationIr::Drop(_)) {
                continue;
            }
            makers.extend(operation.outputs().map(|out| (out.id, index)));
            operation.inputs().for_each(|input| users.entry(input.id).or_default().push(index));
        }
        // An output of the network has a user outside.
        outputs.iter().for_each(|id| users.entry(*id).or_default().push(operations.len()));
        Self { makers, users }
    }

    /// The only operation that uses a tensor.
    fn only(&self, id: TensorId) -> Option<usize> {
        self.users.get(&id).filter(|users| users.len() == 1).and_then(|users| users.first().copied())
    }
}

/// A linear layer over folded axes.
struct Folded<'a> {
    fold_at: usize,
    unfold_at: usize,
    product: &'a MatmulOpIr,
    dtype: burn::tensor::DType,
    /// The input before it is folded.
    x: &'a TensorIr,
    /// The result after it is unfolded.
    result: &'a TensorIr,
    bias: Option<Bias<'a>>,
}

struct Bias<'a> {
    add_at: usize,
    add: &'a BinaryOpIr,
    dtype: burn::tensor::DType,
    reshape_at: usize,
    reshape: &'a ShapeOpIr,
}

impl<'a> Folded<'a> {
    /// The layer whose product is the operation at `index`.
    fn find(operations: &'a [OperationIr], uses: &Uses, index: usize) -> Option<Self> {
        let OperationIr::Float(dtype, FloatOperationIr::Matmul(product)) = operations.get(index)? else { return None };
        let fold_at = *uses.makers.get(&product.lhs.id)?;
        let x = &reshape_at(operations, fold_at)?.input;
        let rank = x.shape.num_dims();
        if rank < 3 || product.rhs.shape.num_dims() != 2 || uses.only(product.lhs.id) != Some(index) {
            return None;
        }
        let mut next_at = uses.only(product.out.id)?;
        let bias = Bias::find(operations, uses, next_at, product.out.id);
        if let Some(bias) = &bias {
            next_at = uses.only(bias.add.out.id)?;
        }
        let result = &reshape_at(operations, next_at)?.out;
        let (before, after) = (x.shape.to_vec(), result.shape.to_vec());
        let unfolds = before.get(..rank - 1) == after.get(..rank - 1) && after.len() == rank;
        let same_ends =
            before.last() == product.lhs.shape.to_vec().last() && after.last() == product.out.shape.to_vec().last();
        (unfolds && same_ends).then_some(Self { fold_at, unfold_at: next_at, product, dtype: *dtype, x, result, bias })
    }

    /// The operations that take the places of the product, the bias and its addition.
    fn broadcast(self, product_at: usize) -> Vec<(usize, Vec<OperationIr>)> {
        let stretched = |tensor: &TensorIr, from: &TensorIr| {
            let own = from.shape.to_vec();
            let ones = self.x.shape.num_dims() - own.len();
            TensorIr { shape: [vec![1; ones], own].concat().into(), ..tensor.clone() }
        };
        let weight = stretched(&self.product.lhs, &self.product.rhs);
        let product = match &self.bias {
            Some(_) => TensorIr { shape: self.result.shape.clone(), ..self.product.out.clone() },
            None => self.result.clone(),
        };
        let reshape = ShapeOpIr { input: self.product.rhs.clone(), out: weight.clone() };
        let matmul = MatmulOpIr { lhs: self.x.clone(), rhs: weight, out: product.clone() };
        let mut replaced = vec![(
            product_at,
            vec![
                OperationIr::BaseFloat(BaseOperationIr::Reshape(reshape)),
                OperationIr::Float(self.dtype, FloatOperationIr::Matmul(matmul)),
            ],
        )];
        if let Some(bias) = &self.bias {
            let row = stretched(&bias.reshape.out, &bias.reshape.input);
            let reshape = ShapeOpIr { input: bias.reshape.input.clone(), out: row.clone() };
            let add = BinaryOpIr { lhs: product, rhs: row, out: self.result.clone() };
            replaced.push((bias.reshape_at, vec![OperationIr::BaseFloat(BaseOperationIr::Reshape(reshape))]));
            let add = OperationIr::NumericFloat(bias.dtype, NumericOperationIr::Add(add));
            replaced.push((bias.add_at, vec![add]));
        }
        replaced
    }
}

impl<'a> Bias<'a> {
    /// The addition at `add_at` of a vector as a row to the product.
    fn find(operations: &'a [OperationIr], uses: &Uses, add_at: usize, product: TensorId) -> Option<Self> {
        let OperationIr::NumericFloat(dtype, NumericOperationIr::Add(add)) = operations.get(add_at)? else {
            return None;
        };
        let reshape_at_index = *uses.makers.get(&add.rhs.id)?;
        let reshape = reshape_at(operations, reshape_at_index)?;
        let is_row = reshape.input.shape.num_dims() == 1 && uses.only(add.rhs.id) == Some(add_at);
        (add.lhs.id == product && is_row).then_some(Self {
            add_at,
            add,
            dtype: *dtype,
            reshape_at: reshape_at_index,
            reshape,
        })
    }
}

fn reshape_at(operations: &[OperationIr], index: usize) -> Option<&ShapeOpIr> {
    match operations.get(index)? {
        OperationIr::BaseFloat(BaseOperationIr::Reshape(reshape)) => Some(reshape),
        _ => None,
    }
}
