//! One form for pools whose padding follows the size of the image.
//!
//! Burn hands padding to the pool where both sides of every axis are equal, and pads by an operation of its own elsewhere.
//! With `PaddingConfig::Same` and a stride that depends on the size, so that two traces of one network would differ.

use burn::backend::capture::TensorId;
use burn::backend::ir::{
    BaseOperationIr, BinaryOpIr, CreationOpIr, MaskFillOpIr, ModuleOperationIr, NumericOperationIr, OperationIr,
    PadModeIr, PadOpIr, ScalarIr, ScalarOpIr, TensorIr, TensorStatus,
};
use burn::tensor::{BoolStore, DType};

use super::trace::Trace;

/// The traces with every pool padded by an operation of its own, as Burn does where the sides differ; `None` where that
/// changes nothing.
pub(crate) fn pad_outside(traces: &[Trace]) -> Option<Vec<Trace>> {
    let any = |trace: &Trace| trace.operations.iter().any(|operation| Pool::of(operation).is_some());
    traces.iter().any(any).then(|| traces.iter().map(padded).collect())
}

fn padded(trace: &Trace) -> Trace {
    let mut fresh = Fresh(u64::MAX);
    let mut operations = Vec::with_capacity(trace.operations.len());
    for operation in &trace.operations {
        match Pool::of(operation) {
            // What Burn padded before has its form already.
            Some(pool) if !padded_before(&operations, &pool) => pool.write(&mut fresh, &mut operations),
            _ => operations.push(operation.clone()),
        }
    }
    Trace { operations, ..trace.clone() }
}

fn padded_before(operations: &[OperationIr], pool: &Pool<'_>) -> bool {
    operations.iter().any(|operation| match operation {
        OperationIr::NumericFloat(_, NumericOperationIr::Pad(pad)) => {
            let fill = match pad.mode {
                PadModeIr::Constant(ScalarIr::Float(fill)) => Some(fill),
                _ => None,
            };
            pad.out.id == pool.x.id && fill == Some(pool.fill()) && pool.padding.iter().all(|padding| *padding == 0)
        }
        _ => false,
    })
}

/// Identities that no recording has.
struct Fresh(u64);

impl Fresh {
    fn tensor(&mut self, shape: &[usize], dtype: DType) -> TensorIr {
        self.0 -= 1;
        TensorIr { id: TensorId::new(self.0), shape: shape.into(), status: TensorStatus::ReadOnly, dtype }
    }
}

/// A pool whose windows are the same where its padding is part of the image.
struct Pool<'a> {
    operation: &'a ModuleOperationIr,
    x: &'a TensorIr,
    out: &'a TensorIr,
    padding: &'a [usize],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Max,
    /// The mean over all places of the window.
    Mean,
    /// The mean over those that are not padding.
    MeanInside,
}

impl<'a> Pool<'a> {
    fn of(operation: &'a OperationIr) -> Option<Self> {
        use ModuleOperationIr as M;
        let OperationIr::Module(operation) = operation else { return None };
        let mean = |counts: bool| if counts { Kind::Mean } else { Kind::MeanInside };
        let one = std::slice::from_ref;
        let (x, out, padding, kind) = match operation {
            M::MaxPool1d(op) => (&op.x, &op.out, one(&op.padding), Kind::Max),
            M::MaxPool2d(op) => (&op.x, &op.out, op.padding.as_slice(), Kind::Max),
            M::AvgPool1d(op) => (&op.x, &op.out, one(&op.padding), mean(op.count_include_pad)),
            M::AvgPool2d(op) => (&op.x, &op.out, op.padding.as_slice(), mean(op.count_include_pad)),
            _ => return None,
        };
        let pool = Self { operation, x, out, padding, kind };
        (!pool.ends_in_padding()).then_some(pool)
    }

    /// Whether it rounds up where that counts: the last window along an axis reaches beyond the padding, and whether there is such a
    /// window depends on what is image and what is padding.
    fn ends_in_padding(&self) -> bool {
        use ModuleOperationIr as M;
        let one = std::slice::from_ref;
        let (ceil, kernel, stride, dilation) = match self.operation {
            M::MaxPool1d(op) => (op.ceil_mode, one(&op.kernel_size), one(&op.stride), one(&op.dilation)),
            M::MaxPool2d(op) => (op.ceil_mode, &op.kernel_size[..], &op.stride[..], &op.dilation[..]),
            M::AvgPool1d(op) => (op.ceil_mode, one(&op.kernel_size), one(&op.stride), &[1][..]),
            M::AvgPool2d(op) => (op.ceil_mode, &op.kernel_size[..], &op.stride[..], &[1; 2][..]),
            _ => return false,
        };
        let even = |axis: usize| {
            let (size, padding) = (self.x.shape[axis + 2], self.padding[axis]);
            let extent = dilation[axis] * (kernel[axis] - 1) + 1;
            let room = (size + 2 * padding).checked_sub(extent);
            padding == 0 || padding < extent && room.is_some_and(|room| room.is_multiple_of(stride[axis]))
        };
        ceil && !(0..self.padding.len()).all(even)
    }

    fn fill(&self) -> f64 {
        if self.kind == Kind::Max { f64::NEG_INFINITY } else { 0.0 }
    }

    /// The operations that Burn records of a pool with uneven padding.
    fn write(&self, fresh: &mut Fresh, operations: &mut Vec<OperationIr>) {
        let dtype = self.x.dtype;
        if self.kind != Kind::MeanInside {
            let padded = self.pad(self.x, fresh, operations);
            operations.push(self.over(padded, self.out.clone()));
            return;
        }
        // Which share of each window is inside.
        let mut plane = self.x.shape.to_vec();
        plane.iter_mut().take(2).for_each(|size| *size = 1);
        let ones = fresh.tensor(&plane, dtype);
        operations.push(OperationIr::BaseFloat(BaseOperationIr::Ones(CreationOpIr { out: ones.clone() })));
        let valid = self.pad(&ones, fresh, operations);
        let padded = self.pad(self.x, fresh, operations);
        let mean = fresh.tensor(&self.out.shape.to_vec(), dtype);
        operations.push(self.over(padded, mean.clone()));
        let mut windows = self.out.shape.to_vec();
        windows.iter_mut().take(2).for_each(|size| *size = 1);
        let share = fresh.tensor(&windows, dtype);
        operations.push(self.over(valid, share.clone()));
        let empty = fresh.tensor(&windows, DType::Bool(BoolStore::U8));
        let is_zero = ScalarOpIr { lhs: share.clone(), rhs: ScalarIr::Float(0.0), out: empty.clone() };
        operations.push(OperationIr::BaseFloat(BaseOperationIr::EqualElem(is_zero)));
        let divisor = fresh.tensor(&windows, dtype);
        let fill = MaskFillOpIr { tensor: share, mask: empty, value: ScalarIr::Float(1.0), out: divisor.clone() };
        operations.push(OperationIr::BaseFloat(BaseOperationIr::MaskFill(fill)));
        let divide = BinaryOpIr { lhs: mean, rhs: divisor, out: self.out.clone() };
        operations.push(OperationIr::NumericFloat(dtype, NumericOperationIr::Div(divide)));
    }

    fn pad(&self, input: &TensorIr, fresh: &mut Fresh, operations: &mut Vec<OperationIr>) -> TensorIr {
        let mut padding = vec![(0, 0); 2];
        padding.extend(self.padding.iter().map(|side| (*side, *side)));
        let shape = input.shape.to_vec();
        let shape: Vec<usize> =
            shape.iter().zip(&padding).map(|(size, (before, after))| size + before + after).collect();
        let out = fresh.tensor(&shape, input.dtype);
        let mode = PadModeIr::Constant(ScalarIr::Float(self.fill()));
        let pad = PadOpIr { input: input.clone(), out: out.clone(), padding, mode };
        operations.push(OperationIr::NumericFloat(input.dtype, NumericOperationIr::Pad(pad)));
        out
    }

    /// The pool over another input, without padding.
    fn over(&self, input: TensorIr, result: TensorIr) -> OperationIr {
        use ModuleOperationIr as M;
        let mut operation = self.operation.clone();
        let (x, out) = match &mut operation {
            M::MaxPool1d(op) => {
                op.padding = 0;
                (&mut op.x, &mut op.out)
            }
            M::MaxPool2d(op) => {
                op.padding = [0; 2];
                (&mut op.x, &mut op.out)
            }
            M::AvgPool1d(op) => {
                op.padding = 0;
                (&mut op.x, &mut op.out)
            }
            M::AvgPool2d(op) => {
                op.padding = [0; 2];
                (&mut op.x, &mut op.out)
            }
            _ => return OperationIr::Module(operation),
        };
        (*x, *out) = (input, result);
        OperationIr::Module(operation)
    }
}
