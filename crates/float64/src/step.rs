//! A node, as the formulas see it.

use super::writer::{Expr, Writer};
use onnx_model::shapes::{self, Extent, Op};
use onnx_model::{DataType, Tensor};

/// Why a node has no form.
pub type Reason = &'static str;

/// The only output of a node.
pub type One<'w> = Result<Expr<'w>, Reason>;

/// The outputs of a node, in order.
pub type Outputs<'w> = Result<Vec<Expr<'w>>, Reason>;

/// A node that a formula stands for.
pub struct Step<'a, 'w> {
    /// The node, and what is known of its inputs.
    pub op: &'a Op<'a>,
    /// What writes.
    pub writer: &'w Writer,
    /// The inputs that are constant.
    pub constants: Vec<Option<&'a Tensor>>,
    /// The element type of the first output, before it is widened.
    pub output: Option<DataType>,
}

impl<'w> Step<'_, 'w> {
    /// The input at `position`, which is there.
    pub fn input(&self, position: usize) -> Expr<'w> {
        self.writer.value(self.op.node.inputs.get(position).map_or("", String::as_str))
    }

    /// The input at `position`, when it is there.
    pub fn optional(&self, position: usize) -> Option<Expr<'w>> {
        self.op.input(position).map(|_| self.input(position))
    }

    /// All inputs.
    pub fn inputs(&self) -> Vec<Expr<'w>> {
        (0..self.op.node.inputs.len()).map(|position| self.input(position)).collect()
    }

    /// A number among the attributes or its default.
    pub fn real(&self, name: &str) -> f64 {
        self.op.float(name).unwrap_or(0.0).into()
    }

    /// An integer among the attributes or its default.
    pub fn int(&self, name: &str) -> i64 {
        self.op.int(name).unwrap_or(0)
    }

    /// The rank of an input.
    pub fn rank(&self, position: usize) -> Result<usize, Reason> {
        self.op.rank(position).ok_or("the rank of its input is not known")
    }

    /// The sizes of an input, where they are fixed.
    pub fn sizes(&self, position: usize) -> Result<Vec<Option<i64>>, Reason> {
        let dims = self.op.dims(position).ok_or("the rank of its input is not known")?;
        Ok(dims.iter().map(|size| size.as_ref().and_then(Extent::as_known)).collect())
    }

    /// The attribute `name` as the position of an axis of `rank`.
    pub fn axis(&self, name: &str, rank: usize) -> Result<i64, Reason> {
        let position = shapes::axis(self.int(name), rank).map_err(|_| "its axis is outside of its input")?;
        Ok(position as i64)
    }

    /// The constant at `position`.
    pub fn constant(&self, position: usize) -> Option<&Tensor> {
        self.constants.get(position).copied().flatten()
    }
}
