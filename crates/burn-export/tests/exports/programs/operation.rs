//! The steps that programs are composed of, and what they make of types.

use super::size::{Kind, Size, Type};

/// A step. Axes may be negative, as Burn counts them.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A function of each float.
    Function(Function),
    /// `x + scalar`.
    AddScalar(f64),
    /// `x * scalar`.
    MulScalar(f64),
    /// Between two scalars.
    Clamp(f64, f64),
    /// A step function of each float.
    Round(Rounding),
    /// Along an axis that stays.
    Along(Along, isize),
    /// Over an axis that shrinks to one.
    Reduce(Reduction, isize),
    /// Over everything.
    ReduceAll(Reduction),
    /// The place of the largest.
    ArgMax(isize),
    /// Element by element, with axes of size one stretched.
    Arithmetic(Arithmetic),
    /// A comparison of two tensors.
    Compare(Comparison),
    /// A comparison with a scalar.
    CompareScalar(Comparison, f64),
    /// A matrix product.
    Matmul,
    /// Remainder by a scalar, for whole numbers.
    Remainder(i64),
    /// A conversion of the elements.
    Convert(Kind),
    /// Of truths.
    Logic(Logic),
    /// The opposite of truths.
    Not,
    /// The second where the mask says so.
    MaskWhere,
    /// A scalar where the mask says so.
    MaskFill(f64),
    /// `x` where not above the diagonal of the last two axes, else a scalar.
    Causal(f64),
    /// `arange` over the last axis, added.
    AddPositions,
    /// Divided by the size of an axis.
    DivideBySize(isize),
    /// Two axes swapped.
    SwapDims(isize, isize),
    /// Two neighbouring axes become one.
    Merge(usize),
    /// An axis becomes two, the first of this size.
    Split(usize, usize),
    /// The sizes of two neighbours change places while the elements stay.
    Cross(usize),
    /// Every axis becomes one.
    Flatten,
    /// A new axis of size one.
    Unsqueeze(usize),
    /// Without an axis of size one.
    Squeeze(usize),
    /// An axis of size one as large as another axis.
    ExpandLike(usize, usize),
    /// An axis several times over.
    Repeat(isize, usize),
    /// Without so many at the start and at the end of an axis.
    Slice(usize, usize, usize),
    /// Every second of an axis.
    SliceStep(usize),
    /// The last of an axis.
    Last(usize),
    /// Backwards.
    Flip(isize),
    /// So many before and behind the last axis.
    Pad(usize, usize, f64),
    /// Joined along an axis.
    Cat(isize),
    /// Windows of three over the last axis.
    Unfold(usize),
    /// A linear layer to this many features.
    Linear(usize),
    /// A layer normalisation over the last axis.
    LayerNorm,
    /// A batch normalisation of axis 1.
    BatchNorm,
    /// A convolution to three channels: kernel, stride, padding.
    Conv(usize, usize, usize),
    /// A pooling: its kind, kernel, stride, padding.
    Pool(Pooling, usize, usize, usize),
    /// A transposed convolution to three channels: kernel, stride.
    ConvTranspose(usize, usize),
    /// Averages over this many windows along each axis after the first two.
    AdaptivePool(usize),
    /// The second tensor written over the first along an axis, from this place on.
    SliceAssign(usize, usize),
    /// Rows of a table, by the indices' remainder.
    Embedding,
    /// What lies at places along an axis: the second tensor's, in any shape, by their remainder.
    Select(isize),
    /// The same with a place for each element.
    Gather(isize),
    /// The same along the first axis, with places as coordinates.
    GatherNd,
    /// The third tensor written at the places that the second has along an axis.
    Scatter(Update, isize),
    /// The second tensor written at every second place along an axis, and around again.
    SelectAssign(Update, isize),
    /// The same along the first axis, with places as coordinates.
    ScatterNd(Update),
    /// The largest along an axis.
    TopK(usize, isize),
    /// The order of what lies along an axis, without its signs; descending or not.
    ArgSort(isize, bool),
    /// The bits of two tensors.
    Bitwise(Logic),
    /// The bits of a tensor and a scalar.
    BitwiseScalar(Logic, i64),
    /// The opposite of all bits.
    BitwiseNot,
    /// By so many bits to the left, or to the right.
    Shift(i64),
    /// The first by as many bits as the second has, by its remainder, to the left or to the right.
    ShiftBy(bool),
    /// The last two axes so many times larger, smoothly or not.
    Interpolate(usize, usize, bool),
    /// Queries, keys and values; causal or not.
    Attention(bool),
}

/// How a new value meets the old one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    Add,
    Mul,
    Min,
    Max,
}

/// Functions of each float; steep ones on what keeps them tame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    Neg,
    Abs,
    Relu,
    Square,
    LeakyRelu,
    Gelu,
    Silu,
    Sigmoid,
    Tanh,
    Erf,
    Sin,
    Cos,
    /// Of what is clamped to -3 and 3.
    Exp,
    /// Of the absolute value and a half.
    Log,
    /// Of the absolute value and a half.
    Sqrt,
    /// Of the absolute value and a half.
    Recip,
    LogSigmoid,
    HardSigmoid,
    Softplus,
    Elu,
    Atan,
    Asinh,
    /// Of the absolute value.
    Log1p,
}

/// Step functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rounding {
    Floor,
    Ceil,
    Round,
    Trunc,
    Sign,
}

/// What goes along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Along {
    Softmax,
    LogSoftmax,
    CumSum,
    CumProd,
    CumMax,
    CumMin,
    Sort,
    SortDescending,
}

/// Reductions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reduction {
    Sum,
    Mean,
    Prod,
    Max,
    Min,
    /// Of truths.
    Any,
    /// Of truths.
    All,
}

/// Of two tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    /// By the absolute value and a half.
    Div,
    Max,
    Min,
    /// Of floats.
    Hypot,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Lower,
    LowerEqual,
}

/// Of two truths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Logic {
    And,
    Or,
    Xor,
}

/// Poolings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pooling {
    Max,
    Average,
    /// Without the padding in the count.
    AverageInside,
}

/// An axis counted from the front.
pub fn front(axis: isize, rank: usize) -> usize {
    if axis < 0 { rank.saturating_add_signed(axis) } else { axis.unsigned_abs() }
}

/// How many rows the table of an embedding has.
pub const ROWS: i64 = 5;

impl Operation {
    /// How many tensors it takes.
    pub fn arity(&self) -> usize {
        match self {
            Self::MaskWhere | Self::Scatter(..) | Self::Attention(_) => 3,
            Self::Arithmetic(_)
            | Self::Compare(_)
            | Self::Matmul
            | Self::Logic(_)
            | Self::MaskFill(_)
            | Self::Cat(_)
            | Self::Select(_)
            | Self::Gather(_)
            | Self::GatherNd
            | Self::SelectAssign(..)
            | Self::SliceAssign(..)
            | Self::ScatterNd(_)
            | Self::Bitwise(_)
            | Self::ShiftBy(_) => 2,
            _ => 1,
        }
    }

    /// The lowest opset that has it.
    pub fn since(&self) -> i64 {
        match self {
            // A mask of the lowest bits is a remainder.
            Self::BitwiseScalar(Logic::And, mask) if mask.count_ones() == mask.trailing_ones() => 11,
            Self::Bitwise(_) | Self::BitwiseScalar(..) => 18,
            Self::ShiftBy(_) => 12,
            _ => 11,
        }
    }

    /// The shapes of the parameters that it needs.
    pub fn parameters(&self, x: &Type) -> Vec<Vec<usize>> {
        let size = |axis: usize| x.shape.get(axis).and_then(Size::value).unwrap_or(1);
        let last = size(x.shape.len() - 1);
        match self {
            Self::Linear(features) => vec![vec![last, *features], vec![*features]],
            Self::LayerNorm => vec![vec![last], vec![last]],
            Self::BatchNorm => vec![vec![size(1)]; 4],
            Self::Conv(kernel, ..) => {
                let mut weight = vec![3, size(1)];
                weight.resize(x.shape.len(), *kernel);
                vec![weight, vec![3]]
            }
            Self::ConvTranspose(kernel, _) => {
                let mut weight = vec![size(1), 3];
                weight.resize(x.shape.len(), *kernel);
                vec![weight, vec![3]]
            }
            Self::Embedding => vec![vec![ROWS as usize, 4]],
            _ => Vec::new(),
        }
    }

    /// The type of its result, or none where it does not apply.
    pub fn result(&self, operands: &[&Type]) -> Option<Type> {
        let x = *operands.first()?;
        let y = operands.get(1).copied();
        let made = self.applied(x, y, operands.get(2).copied())?;
        let wild = operands.iter().any(|operand| operand.wild);
        let made = Type { wild: wild && made.kind == Kind::Float, ..made };
        (made.is_tame() && (!wild || self.takes_edges())).then_some(made)
    }

    /// Whether Burn and ONNX agree about infinities and NaN; where not, `lists/edge_values.txt` has it.
    fn takes_edges(&self) -> bool {
        let extreme = |reduction: &Reduction| matches!(reduction, Reduction::Max | Reduction::Min);
        match self {
            // Burn sorts a NaN with a sign before everything else.
            Self::Along(Along::Sort | Along::SortDescending | Along::CumMax | Along::CumMin, _)
            | Self::Arithmetic(Arithmetic::Hypot)
            | Self::AdaptivePool(_)
            | Self::TopK(..)
            | Self::Round(Rounding::Sign)
            | Self::ArgMax(_)
            | Self::ArgSort(..)
            | Self::Convert(_)
            | Self::Pool(Pooling::Max, ..)
            | Self::Interpolate(.., true)
            | Self::Attention(_) => false,
            Self::Reduce(reduction, _) | Self::ReduceAll(reduction) => !extreme(reduction),
            Self::Scatter(update, _) | Self::SelectAssign(update, _) | Self::ScatterNd(update) => {
                !matches!(update, Update::Min | Update::Max)
            }
            _ => true,
        }
    }

    fn applied(&self, x: &Type, y: Option<&Type>, z: Option<&Type>) -> Option<Type> {
        let rank = x.shape.len();
        let float = x.kind == Kind::Float;
        let number = x.kind != Kind::Bool;
        let axis = |axis: isize| Some(front(axis, rank)).filter(|axis| *axis < rank);
        let eighths = x.grid.map(|grid| grid.max(3));
        match self {
            Self::Function(function) if float => Some(function.applied(x)),
            Self::AddScalar(scalar) if number => Some(x.of(x.kind, x.bound + scalar.abs(), eighths)),
            Self::MulScalar(scalar) if number => {
                Some(x.of(x.kind, x.bound * scalar.abs().max(0.1), x.grid.map(|grid| grid + 3)))
            }
            Self::Clamp(low, high) if number => Some(x.of(x.kind, low.abs().max(high.abs()), eighths)),
            Self::Round(_) if float && x.is_exact() => Some(x.of(x.kind, x.bound + 1.0, Some(0))),
            Self::Along(along, at) if float => along.applied(x, axis(*at)?),
            Self::Reduce(reduction, at) => {
                let at = axis(*at)?;
                let made = reduction.applied(x, x.shape[at].largest())?;
                Some(made.with(at, Size::fixed(1)))
            }
            Self::ReduceAll(reduction) => {
                let made = reduction.applied(x, x.shape.iter().map(Size::largest).product())?;
                Some(made.shaped(vec![Size::fixed(1)]))
            }
            Self::ArgMax(at) if number && x.is_exact() => {
                let at = axis(*at)?;
                Some(x.of(Kind::Int, x.shape[at].largest() as f64, Some(0)).with(at, Size::fixed(1)))
            }
            Self::Arithmetic(arithmetic) if number => arithmetic.applied(x, y.filter(|y| y.kind == x.kind)?),
            Self::Compare(comparison) => {
                let y = y.filter(|y| y.kind == x.kind && y.same_shape(x))?;
                let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
                let applies = x.is_exact() && y.is_exact() && (number || !ordered);
                applies.then(|| x.of(Kind::Bool, 1.0, Some(0)))
            }
            Self::CompareScalar(..) if number && x.is_exact() => Some(x.of(Kind::Bool, 1.0, Some(0))),
            Self::Matmul if float && rank >= 2 => {
                let y = y.filter(|y| y.kind == Kind::Float && y.shape.len() == rank)?;
                let inner = x.shape[rank - 1].clone();
                let fits = inner.same(&y.shape[rank - 2])
                    && x.shape[..rank - 2].iter().zip(&y.shape).all(|(left, right)| left.same(right));
                let grid = x.grid.zip(y.grid).map(|(left, right)| left + right);
                let made = x.of(Kind::Float, inner.largest() as f64 * x.bound * y.bound, grid);
                fits.then(|| made.with(rank - 1, y.shape[rank - 1].clone()))
            }
            Self::Remainder(by) if x.kind == Kind::Int => Some(x.of(Kind::Int, *by as f64, Some(0))),
            Self::Convert(kind) if *kind != x.kind && *kind != Kind::Bool => {
                (*kind == Kind::Float || x.is_exact()).then(|| x.of(*kind, x.bound, Some(0)))
            }
            Self::Logic(_) if !number => y.filter(|y| y.kind == Kind::Bool && y.same_shape(x)).map(|_| x.clone()),
            Self::Not if !number => Some(x.clone()),
            Self::MaskWhere => {
                y.filter(|mask| mask.kind == Kind::Bool && mask.same_shape(x))?;
                let z = z.filter(|z| z.kind == x.kind && z.same_shape(x))?;
                let grid = x.grid.zip(z.grid).map(|(left, right)| left.max(right));
                Some(x.of(x.kind, x.bound.max(z.bound), grid))
            }
            Self::MaskFill(scalar) if number => {
                y.filter(|mask| mask.kind == Kind::Bool && mask.same_shape(x))?;
                Some(x.of(x.kind, x.bound.max(scalar.abs()), eighths))
            }
            Self::Causal(scalar) if float && rank >= 2 => Some(x.of(x.kind, x.bound.max(scalar.abs()), eighths)),
            Self::AddPositions if float => Some(x.of(x.kind, x.bound + x.shape[rank - 1].largest() as f64, x.grid)),
            Self::DivideBySize(at) if float => axis(*at).map(|_| x.of(x.kind, x.bound, None)),
            Self::Embedding if x.kind == Kind::Int && rank < 4 => {
                let mut made = x.of(Kind::Float, 1.0, None);
                made.shape.push(Size::fixed(4));
                Some(made)
            }
            _ => self
                .moved(x, y)
                .or_else(|| self.layered(x))
                .or_else(|| self.indexed(x, y, z))
                .or_else(|| self.of_bits(x, y))
                .or_else(|| self.resampled(x, y, z)),
        }
    }
}

impl Function {
    fn applied(self, x: &Type) -> Type {
        let bound = match self {
            Self::Neg | Self::Abs | Self::Relu | Self::LeakyRelu | Self::Gelu | Self::Silu => x.bound,
            Self::Square => x.bound * x.bound,
            Self::Sigmoid | Self::Tanh | Self::Erf | Self::Sin | Self::Cos => 1.0,
            Self::Exp => 20.1,
            Self::Log => (x.bound + 0.5).ln().abs().max(0.7),
            Self::Sqrt => (x.bound + 0.5).sqrt(),
            Self::Recip => 2.0,
            Self::LogSigmoid | Self::Softplus => x.bound + 0.7,
            Self::HardSigmoid => 1.0,
            Self::Elu => x.bound.max(1.0),
            Self::Atan => 1.6,
            Self::Asinh | Self::Log1p => (2.0 * x.bound + 2.0).ln(),
        };
        let grid = match self {
            Self::Neg | Self::Abs | Self::Relu => x.grid,
            Self::Square => x.grid.map(|grid| 2 * grid),
            _ => None,
        };
        x.of(Kind::Float, bound, grid)
    }
}

impl Along {
    fn applied(self, x: &Type, axis: usize) -> Option<Type> {
        let size = x.shape[axis].largest() as f64;
        Some(match self {
            Self::Softmax => x.of(x.kind, 1.0, None),
            Self::LogSoftmax => x.of(x.kind, 2.0 * x.bound + size.ln(), None),
            Self::CumSum => x.of(x.kind, x.bound * size, x.grid),
            Self::CumProd => x.of(x.kind, x.bound.max(1.0).powf(size), None),
            Self::CumMax | Self::CumMin | Self::Sort | Self::SortDescending => x.clone(),
        })
    }
}

impl Reduction {
    fn applied(self, x: &Type, count: usize) -> Option<Type> {
        match (self, x.kind) {
            (Self::Any | Self::All, Kind::Bool) => Some(x.clone()),
            (Self::Sum, Kind::Float | Kind::Int) => Some(x.of(x.kind, x.bound * count as f64, x.grid)),
            (Self::Mean, Kind::Float) => Some(x.of(x.kind, x.bound, None)),
            (Self::Prod, Kind::Float | Kind::Int) => {
                let grid = if x.kind == Kind::Int { x.grid } else { None };
                Some(x.of(x.kind, x.bound.max(1.0).powf(count as f64), grid))
            }
            (Self::Max | Self::Min, Kind::Float | Kind::Int) => Some(x.clone()),
            _ => None,
        }
    }
}

impl Arithmetic {
    fn applied(self, x: &Type, y: &Type) -> Option<Type> {
        let stretched = |(left, right): (&Size, &Size)| match (left.value(), right.value()) {
            _ if left.same(right) => Some(left.clone()),
            (Some(1), _) => Some(right.clone()),
            (_, Some(1)) => Some(left.clone()),
            _ => None,
        };
        let shape: Option<Vec<Size>> = x.shape.iter().zip(&y.shape).map(stretched).collect();
        let shape = shape.filter(|_| x.shape.len() == y.shape.len())?;
        let finer = x.grid.zip(y.grid).map(|(left, right)| left.max(right));
        let (bound, grid) = match self {
            Self::Add | Self::Sub => (x.bound + y.bound, finer),
            Self::Mul => (x.bound * y.bound, x.grid.zip(y.grid).map(|(left, right)| left + right)),
            Self::Div if x.kind == Kind::Float => (x.bound * 2.0, None),
            Self::Div => return None,
            Self::Max | Self::Min => (x.bound.max(y.bound), finer),
            Self::Hypot if x.kind == Kind::Float => (x.bound + y.bound, None),
            Self::Hypot => return None,
        };
        Some(x.of(x.kind, bound, grid).shaped(shape))
    }
}
