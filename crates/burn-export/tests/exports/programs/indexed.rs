//! Steps that read and write by index, of bits, and that resample: their types, and what Burn makes of them.

use burn::tensor::module::{attention, interpolate};
use burn::tensor::ops::{AttentionModuleOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Float, IndexingUpdateOp, Int, IntDType, Tensor};

use super::interpret::{float, int};
use super::operation::{Logic, Operation, Update, front};
use super::size::{Kind, Size, Type};
use super::value::{Ranked, Value, any, each, pair};

/// Shifts by a tensor are by less than so many bits.
const BITS: i64 = 4;

impl Operation {
    /// Reading and writing by index, and by order.
    pub fn indexed(&self, x: &Type, y: Option<&Type>, z: Option<&Type>) -> Option<Type> {
        let rank = x.shape.len();
        let number = x.kind != Kind::Bool;
        let axis = |axis: isize| Some(front(axis, rank)).filter(|axis| *axis < rank);
        let all = |shape: &[Size]| shape.iter().skip(1).fold(shape[0].clone(), |a, b| a.join(b, "*", |a, b| a * b));
        match self {
            // The CPU backend makes bytes of truths that it selects.
            Self::Select(at) if number => Some(x.with(axis(*at)?, all(&y.filter(|y| y.kind == Kind::Int)?.shape))),
            Self::GatherNd if number => Some(x.with(0, all(&y.filter(|y| y.kind == Kind::Int)?.shape))),
            Self::Gather(at) if number => {
                let y = y.filter(|y| y.kind == Kind::Int && same_but_for(x, y, front(*at, rank)))?;
                Some(x.shaped(y.shape.clone()))
            }
            Self::Scatter(update, at) if number => {
                let at = axis(*at)?;
                let y = y.filter(|y| y.kind == Kind::Int && same_but_for(x, y, at))?;
                update.applied(x, z.filter(|z| z.kind == x.kind && z.same_shape(y))?, at)
            }
            Self::SelectAssign(update, at) if number => {
                let at = axis(*at)?;
                update.applied(x, y.filter(|y| y.kind == x.kind && same_but_for(x, y, at))?, at)
            }
            Self::ScatterNd(update) if number => {
                update.applied(x, y.filter(|y| y.kind == x.kind && same_but_for(x, y, 0))?, 0)
            }
            Self::TopK(count, at) if number => {
                let at = axis(*at)?;
                let size = x.shape[at].map(|_| count.to_string(), |size| (size >= *count).then_some(*count))?;
                Some(x.with(at, size))
            }
            // Burn's sort keeps the order of equal elements only where there are few.
            Self::ArgSort(at, _) if number && x.is_exact() => {
                let largest = x.shape[axis(*at)?].largest();
                (largest <= 20).then(|| x.of(Kind::Int, largest as f64, Some(0)))
            }
            _ => None,
        }
    }

    /// Of the bits of whole numbers.
    pub fn of_bits(&self, x: &Type, y: Option<&Type>) -> Option<Type> {
        let up = |bound: f64| (bound + 1.0).log2().ceil().exp2();
        let y = y.filter(|y| y.kind == Kind::Int && y.same_shape(x));
        let bound = match self {
            Self::Bitwise(_) => up(x.bound.max(y?.bound)),
            Self::BitwiseScalar(_, scalar) => up(x.bound.max(*scalar as f64)),
            Self::BitwiseNot => x.bound + 1.0,
            Self::Shift(bits) => x.bound * (bits.max(&0).to_owned() as f64).exp2(),
            Self::ShiftBy(_) => {
                y?;
                x.bound * (BITS as f64).exp2()
            }
            _ => return None,
        };
        (x.kind == Kind::Int).then(|| x.of(Kind::Int, bound, Some(0)))
    }

    /// Layers that resample, and attention.
    pub fn resampled(&self, x: &Type, y: Option<&Type>, z: Option<&Type>) -> Option<Type> {
        let rank = x.shape.len();
        if x.kind != Kind::Float || rank != 4 {
            return None;
        }
        match self {
            Self::Interpolate(rows, columns, smooth) => {
                let larger = |size: &Size, by: usize| size.map(|text| format!("{text} * {by}"), |size| Some(size * by));
                let made = x.of(x.kind, x.bound, x.grid.filter(|_| !smooth));
                Some(made.with(2, larger(&x.shape[2], *rows)?).with(3, larger(&x.shape[3], *columns)?))
            }
            Self::Attention(causal) => {
                let tensor =
                    |other: Option<&Type>| other.filter(|y| y.kind == Kind::Float && y.shape.len() == 4).cloned();
                let (keys, values) = (tensor(y)?, tensor(z)?);
                let width = x.shape[3].value()?;
                let heads = |other: &Type| x.shape[..2].iter().zip(&other.shape).all(|(left, right)| left.same(right));
                let fits = heads(&keys)
                    && heads(&values)
                    && x.shape[3].same(&keys.shape[3])
                    && keys.shape[2].same(&values.shape[2])
                    && (!causal || x.shape[2].same(&keys.shape[2]));
                let tame = x.bound * keys.bound * width as f64 <= 64.0;
                (fits && tame).then(|| x.of(x.kind, values.bound, None).with(3, values.shape[3].clone()))
            }
            _ => None,
        }
    }
}

fn same_but_for(x: &Type, y: &Type, axis: usize) -> bool {
    let same = |(place, (left, right)): (usize, (&Size, &Size))| place == axis || left.same(right);
    x.shape.len() == y.shape.len() && x.shape.iter().zip(&y.shape).enumerate().all(same)
}

impl Update {
    fn applied(self, x: &Type, values: &Type, axis: usize) -> Option<Type> {
        // Every update may meet the same element.
        let times = values.shape[axis].largest() as i32;
        let grids = x.grid.zip(values.grid);
        let (bound, grid) = match self {
            Self::Add => (x.bound + values.bound * f64::from(times), grids.map(|(left, right)| left.max(right))),
            Self::Mul => (x.bound * values.bound.max(1.0).powi(times), grids.map(|(left, right)| left + right * times)),
            Self::Min | Self::Max => (x.bound.max(values.bound), grids.map(|(left, right)| left.max(right))),
        };
        Some(x.of(x.kind, bound, grid))
    }

    fn burn(self) -> IndexingUpdateOp {
        match self {
            Self::Add => IndexingUpdateOp::Add,
            Self::Mul => IndexingUpdateOp::Mul,
            Self::Min => IndexingUpdateOp::Min,
            Self::Max => IndexingUpdateOp::Max,
        }
    }
}

/// The places in a tensor, brought below a size, in one row.
fn places(value: Value, size: usize) -> Tensor<1, Int> {
    any!(int(value), y => {
        let count = y.dims().iter().product::<usize>();
        y.remainder_scalar(size as i64).reshape([count])
    })
}

/// Every second place below a size, and around again, as many as `value` has along the axis.
fn every_second(value: &Value, axis: usize, size: usize) -> Tensor<1, Int> {
    let device = match value {
        Value::Float(value) => any!(value, value => value.device()),
        Value::Int(value) => any!(value, value => value.device()),
        Value::Bool(value) => any!(value, value => value.device()),
    };
    let count = value.dims()[axis];
    (Tensor::<1, Int>::arange(0..count as i64, &device) * 2 + 1).remainder_scalar(size as i64)
}

/// The same expression of two tensors of one kind, floats or whole numbers.
macro_rules! both_numbers {
    ($x:expr, $y:expr, $left:ident, $right:ident => $body:expr) => {
        match ($x, $y) {
            (Value::Float(x), Value::Float(y)) => Value::Float(pair!(x, y, $left, $right => $body)),
            (x, y) => Value::Int(pair!(int(x), int(y), $left, $right => $body)),
        }
    };
}

/// Runs a step of this file.
pub fn run(operation: &Operation, x: Value, mut next: impl FnMut() -> Value) -> Option<Value> {
    let dims = x.dims();
    let rank = dims.len();
    Some(match operation {
        Operation::Select(at) => {
            let places = places(next(), dims[front(*at, rank)]);
            match x {
                Value::Float(x) => Value::Float(each!(x, x => x.select(*at, places))),
                x => Value::Int(each!(int(x), x => x.select(*at, places))),
            }
        }
        Operation::GatherNd => {
            let places = places(next(), dims[0]);
            let places: Tensor<2, Int> = places.unsqueeze_dim(1);
            match x {
                Value::Float(x) => Value::Float(each!(x, x => x.gather_nd(places))),
                x => Value::Int(each!(int(x), x => x.gather_nd(places))),
            }
        }
        Operation::Gather(at) => {
            let size = dims[front(*at, rank)] as i64;
            let places = int(next());
            match x {
                Value::Float(x) => Value::Float(pair!(x, places, x, y => x.gather(*at, y.remainder_scalar(size)))),
                x => Value::Int(pair!(int(x), places, x, y => x.gather(*at, y.remainder_scalar(size)))),
            }
        }
        Operation::Scatter(update, at) => scatter(x, int(next()), next(), *at, update.burn()),
        Operation::SelectAssign(update, at) => {
            let (at, y) = (front(*at, rank), next());
            let places = every_second(&y, at, dims[at]);
            both_numbers!(x, y, x, y => x.select_assign(at, places, y, update.burn()))
        }
        Operation::ScatterNd(update) => {
            let y = next();
            let places: Tensor<2, Int> = every_second(&y, 0, dims[0]).unsqueeze_dim(1);
            both_numbers!(x, y, x, y => x.scatter_nd(places, y, update.burn()))
        }
        Operation::TopK(count, at) => match x {
            Value::Float(x) => Value::Float(each!(x, x => x.topk(*count, *at))),
            x => Value::Int(each!(int(x), x => x.topk(*count, *at))),
        },
        // Burn puts a negative zero below zero, and ONNX beside it.
        Operation::ArgSort(at, descending) => Value::Int(match x {
            Value::Float(x) => each!(x, x => order(x.abs(), *at, *descending)),
            x => each!(int(x), x => if *descending { x.argsort_descending(*at) } else { x.argsort(*at) }
                .cast(IntDType::I64)),
        }),
        Operation::Bitwise(logic) => Value::Int(pair!(int(x), int(next()), x, y => match logic {
            Logic::And => x.bitwise_and(y),
            Logic::Or => x.bitwise_or(y),
            Logic::Xor => x.bitwise_xor(y),
        })),
        Operation::BitwiseScalar(logic, scalar) => Value::Int(each!(int(x), x => match logic {
            Logic::And => x.bitwise_and_scalar(*scalar),
            Logic::Or => x.bitwise_or_scalar(*scalar),
            Logic::Xor => x.bitwise_xor_scalar(*scalar),
        })),
        Operation::BitwiseNot => Value::Int(each!(int(x), x => x.bitwise_not())),
        Operation::Shift(bits) => Value::Int(each!(int(x), x => match *bits {
            bits if bits < 0 => x.bitwise_right_shift_scalar(-bits),
            bits => x.bitwise_left_shift_scalar(bits),
        })),
        Operation::ShiftBy(left) => Value::Int(pair!(int(x), int(next()), x, y => {
            let bits = y.remainder_scalar(BITS);
            if *left { x.bitwise_left_shift(bits) } else { x.bitwise_right_shift(bits) }
        })),
        Operation::Interpolate(rows, columns, smooth) => {
            let mode = if *smooth { InterpolateMode::Bilinear } else { InterpolateMode::Nearest };
            let size = [dims[2] * rows, dims[3] * columns];
            let options = InterpolateOptions::new(mode).with_output_size(size).with_align_corners(false);
            Value::Float(Ranked::Four(interpolate(four(x), options)))
        }
        Operation::Attention(causal) => {
            let options = AttentionModuleOptions { is_causal: *causal, ..Default::default() };
            let (keys, values) = (four(next()), four(next()));
            Value::Float(Ranked::Four(attention(four(x), keys, values, None, None, options)))
        }
        _ => return None,
    })
}

fn order<const D: usize>(x: Tensor<D>, axis: isize, descending: bool) -> Tensor<D, Int> {
    let order = if descending { x.argsort_descending(axis) } else { x.argsort(axis) };
    order.cast(IntDType::I64)
}

fn four(value: Value) -> Tensor<4> {
    let Ranked::<Float>::Four(value) = float(value) else { panic!("not of rank 4") };
    value
}

fn scatter(x: Value, places: Ranked<Int>, values: Value, axis: isize, update: IndexingUpdateOp) -> Value {
    macro_rules! scattered {
        ($x:expr, $values:expr) => {
            match ($x, places, $values) {
                (Ranked::One(x), Ranked::One(y), Ranked::One(z)) => Ranked::One(written(x, y, z, axis, update)),
                (Ranked::Two(x), Ranked::Two(y), Ranked::Two(z)) => Ranked::Two(written(x, y, z, axis, update)),
                (Ranked::Three(x), Ranked::Three(y), Ranked::Three(z)) => Ranked::Three(written(x, y, z, axis, update)),
                (Ranked::Four(x), Ranked::Four(y), Ranked::Four(z)) => Ranked::Four(written(x, y, z, axis, update)),
                _ => panic!("places of another rank"),
            }
        };
    }
    match (x, values) {
        (Value::Float(x), Value::Float(values)) => Value::Float(scattered!(x, values)),
        (x, values) => Value::Int(scattered!(int(x), int(values))),
    }
}

fn written<const D: usize, K: burn::tensor::kind::Basic>(
    x: Tensor<D, K>,
    places: Tensor<D, Int>,
    values: Tensor<D, K>,
    axis: isize,
    update: IndexingUpdateOp,
) -> Tensor<D, K> {
    let size = x.dims()[front(axis, D)] as i64;
    x.scatter(axis, places.remainder_scalar(size), values, update)
}
