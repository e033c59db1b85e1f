//! A program in Burn: on the capture device, and on the CPU with floats of 32 or 64 bits.

use burn::module::{Module, Param};
use burn::tensor::activation::*;
use burn::tensor::kind::Basic;
use burn::tensor::module::*;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions, PadMode};
use burn::tensor::{Bool, DType, Device, Float, FloatDType, Int, IntDType, Slice, Tensor, TensorData};

use super::operation::{
    Along, Arithmetic, Comparison, Function, Logic, Operation, Pooling, ROWS, Reduction, Rounding, front,
};
use super::size::Kind;
use super::value::{Ranked, Value, any, each, every, pair};
use super::{Program, indexed};
use crate::support::uniform;

/// The parameters of a program's layers, by rank.
#[derive(Module, Debug)]
pub struct Layers {
    one: Vec<Param<Tensor<1>>>,
    two: Vec<Param<Tensor<2>>>,
    three: Vec<Param<Tensor<3>>>,
    four: Vec<Param<Tensor<4>>>,
}

impl Layers {
    /// Uniform numbers; variances are positive.
    pub fn new(program: &Program, dtype: DType, device: &Device) -> Self {
        let mut layers = Self { one: Vec::new(), two: Vec::new(), three: Vec::new(), four: Vec::new() };
        for (step, made) in program.steps.iter().enumerate() {
            for (position, shape) in made.parameters.iter().enumerate() {
                let data = uniform((step * 10 + position) as u64, shape).convert_dtype(dtype);
                let options = (device, dtype);
                match shape.len() {
                    1 => {
                        let vector = Tensor::<1>::from_data(data, options);
                        let positive = made.operation == Operation::BatchNorm && position == 3;
                        layers.one.push(Param::from_tensor(if positive { vector.abs() + 0.5 } else { vector }));
                    }
                    2 => layers.two.push(Param::from_tensor(Tensor::from_data(data, options))),
                    3 => layers.three.push(Param::from_tensor(Tensor::from_data(data, options))),
                    _ => layers.four.push(Param::from_tensor(Tensor::from_data(data, options))),
                }
            }
        }
        layers
    }
}

/// The parameters in the order of the steps.
struct Cursor<'a> {
    layers: &'a Layers,
    taken: [usize; 4],
}

impl Cursor<'_> {
    fn place(&mut self, rank: usize) -> usize {
        self.taken[rank - 1] += 1;
        self.taken[rank - 1] - 1
    }

    fn vector(&mut self) -> Tensor<1> {
        let place = self.place(1);
        self.layers.one[place].val()
    }

    fn matrix(&mut self) -> Tensor<2> {
        let place = self.place(2);
        self.layers.two[place].val()
    }
}

/// Runs a program, and gives its outputs.
pub fn run(program: &Program, layers: &Layers, inputs: Vec<Value>, dtype: FloatDType) -> Vec<Value> {
    let mut values = inputs;
    let mut cursor = Cursor { layers, taken: [0; 4] };
    for step in &program.steps {
        let operands: Vec<Value> = step.operands.iter().map(|operand| values[*operand].clone()).collect();
        values.push(apply(&step.operation, operands, &mut cursor, dtype));
    }
    program.outputs().into_iter().map(|output| values[output].clone()).collect()
}

/// Its floats.
pub fn float(value: Value) -> Ranked<Float> {
    let Value::Float(value) = value else { panic!("not a float") };
    value
}

/// Its whole numbers.
pub fn int(value: Value) -> Ranked<Int> {
    let Value::Int(value) = value else { panic!("not an integer") };
    value
}

fn truth(value: Value) -> Ranked<Bool> {
    let Value::Bool(value) = value else { panic!("not a truth") };
    value
}

/// Of floats or of whole numbers.
macro_rules! numbers {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            Value::Float(value) => Value::Float(each!(value, $tensor => $body)),
            Value::Int(value) => Value::Int(each!(value, $tensor => $body)),
            Value::Bool(_) => panic!("truths are no numbers"),
        }
    };
}

/// Of two tensors of numbers of one kind.
macro_rules! two_numbers {
    ($left:expr, $right:expr, $x:ident, $y:ident => $body:expr) => {
        match ($left, $right) {
            (Value::Float(left), Value::Float(right)) => Value::Float(pair!(left, right, $x, $y => $body)),
            (Value::Int(left), Value::Int(right)) => Value::Int(pair!(left, right, $x, $y => $body)),
            _ => panic!("tensors of different kinds"),
        }
    };
}

fn apply(operation: &Operation, operands: Vec<Value>, cursor: &mut Cursor<'_>, dtype: FloatDType) -> Value {
    let mut operands = operands.into_iter();
    let mut next = || operands.next().unwrap_or_else(|| panic!("{operation:?} lacks an operand"));
    let x = next();
    let dims = x.dims();
    match operation {
        Operation::Function(function) => Value::Float(each!(float(x), x => function_of(*function, x))),
        Operation::AddScalar(scalar) => numbers!(x, x => x + *scalar),
        Operation::MulScalar(scalar) => numbers!(x, x => x * *scalar),
        Operation::Clamp(low, high) => numbers!(x, x => x.clamp(*low, *high)),
        Operation::Round(rounding) => Value::Float(each!(float(x), x => match rounding {
            Rounding::Floor => x.floor(),
            Rounding::Ceil => x.ceil(),
            Rounding::Round => x.round(),
            Rounding::Trunc => x.trunc(),
            Rounding::Sign => x.sign(),
        })),
        Operation::Along(along, at) => Value::Float(each!(float(x), x => match along {
            Along::Softmax => softmax(x, *at),
            Along::LogSoftmax => log_softmax(x, *at),
            Along::CumSum => x.cumsum(*at),
            Along::CumProd => x.cumprod(*at),
            Along::CumMax => x.cummax(*at),
            Along::CumMin => x.cummin(*at),
            Along::Sort => x.sort(*at),
            Along::SortDescending => x.sort_descending(*at),
        })),
        Operation::Reduce(reduction, at) => match x {
            Value::Bool(x) => Value::Bool(each!(x, x => match reduction {
                Reduction::All => x.all_dim(*at),
                _ => x.any_dim(*at),
            })),
            x => numbers!(x, x => match reduction {
                Reduction::Sum => x.sum_dim(*at),
                Reduction::Mean => x.mean_dim(*at),
                Reduction::Prod => x.prod_dim(*at),
                Reduction::Max => x.max_dim(*at),
                _ => x.min_dim(*at),
            }),
        },
        Operation::ReduceAll(reduction) => reduce_all(*reduction, x),
        Operation::ArgMax(at) => Value::Int(match x {
            Value::Float(x) => each!(x, x => x.argmax(*at).cast(IntDType::I64)),
            x => each!(int(x), x => x.argmax(*at).cast(IntDType::I64)),
        }),
        Operation::Arithmetic(arithmetic) => arithmetic_of(*arithmetic, x, next()),
        Operation::Compare(comparison) => compare(*comparison, x, next()),
        Operation::CompareScalar(comparison, scalar) => compare_scalar(*comparison, x, *scalar),
        Operation::Matmul => Value::Float(pair!(float(x), float(next()), x, y => x.matmul(y))),
        Operation::Remainder(by) => Value::Int(each!(int(x), x => x.remainder_scalar(*by))),
        Operation::Convert(Kind::Float) => Value::Float(match x {
            Value::Bool(x) => each!(x, x => x.float().cast(dtype)),
            x => each!(int(x), x => x.float().cast(dtype)),
        }),
        Operation::Convert(_) => Value::Int(match x {
            Value::Bool(x) => each!(x, x => x.int().cast(IntDType::I64)),
            x => each!(float(x), x => x.int().cast(IntDType::I64)),
        }),
        Operation::Logic(logic) => Value::Bool(pair!(truth(x), truth(next()), x, y => match logic {
            Logic::And => x.bool_and(y),
            Logic::Or => x.bool_or(y),
            Logic::Xor => x.bool_xor(y),
        })),
        Operation::Not => Value::Bool(each!(truth(x), x => x.bool_not())),
        Operation::MaskWhere => mask_where(x, truth(next()), next()),
        Operation::MaskFill(scalar) => match x {
            Value::Float(x) => Value::Float(pair!(x, truth(next()), x, mask => x.mask_fill(mask, *scalar))),
            x => Value::Int(pair!(int(x), truth(next()), x, mask => x.mask_fill(mask, *scalar))),
        },
        Operation::Causal(scalar) => Value::Float(each!(float(x), x => {
            let mask = Tensor::tril_mask(x.dims(), 0, &x.device());
            x.mask_fill(mask, *scalar)
        })),
        Operation::AddPositions => Value::Float(each!(float(x), x => {
            let positions = Tensor::<1, Int>::arange(0..dims[dims.len() - 1] as i64, &x.device());
            x + positions.float().cast(dtype).unsqueeze()
        })),
        Operation::DivideBySize(at) => {
            let size = dims[front(*at, dims.len())];
            Value::Float(each!(float(x), x => x / size as f64))
        }
        Operation::Embedding => {
            let shape: Vec<usize> = dims.iter().copied().chain([4]).collect();
            let rows = dims.iter().product();
            let indices: Tensor<2, Int> = any!(int(x), x => x.remainder_scalar(ROWS).reshape([1, rows]));
            Value::Float(Ranked::Three(embedding(cursor.matrix(), indices)).reshape(&shape))
        }
        Operation::Cat(at) => match (x, next()) {
            (Value::Float(x), Value::Float(y)) => Value::Float(pair!(x, y, x, y => Tensor::cat(vec![x, y], *at))),
            (Value::Int(x), Value::Int(y)) => Value::Int(pair!(x, y, x, y => Tensor::cat(vec![x, y], *at))),
            (x, y) => Value::Bool(pair!(truth(x), truth(y), x, y => Tensor::cat(vec![x, y], *at))),
        },
        Operation::Linear(_) => {
            let (weight, bias) = (cursor.matrix(), cursor.vector());
            Value::Float(each!(float(x), x => linear(x, weight, Some(bias))))
        }
        Operation::LayerNorm => {
            let (gain, bias) = (cursor.vector(), cursor.vector());
            Value::Float(each!(float(x), x => layer_norm(x, gain, Some(bias), 1e-5)))
        }
        Operation::BatchNorm => {
            let [gain, bias, mean, variance] = std::array::from_fn(|_| cursor.vector());
            Value::Float(each!(float(x), x => batch_norm(x, gain, bias, mean, variance, 1e-5)))
        }
        Operation::Conv(_, stride, padding) => convolution(float(x), *stride, *padding, cursor),
        Operation::ConvTranspose(_, stride) => transposed(float(x), *stride, cursor),
        Operation::AdaptivePool(windows) => Value::Float(match float(x) {
            Ranked::Three(x) => Ranked::Three(adaptive_avg_pool1d(x, *windows)),
            Ranked::Four(x) => Ranked::Four(adaptive_avg_pool2d(x, [*windows; 2])),
            x => panic!("a pooling of rank {}", x.dims().len()),
        }),
        Operation::SliceAssign(at, start) => match (x, next()) {
            (Value::Float(x), Value::Float(y)) => Value::Float(pair!(x, y, x, y => overwritten(x, y, *at, *start))),
            (Value::Int(x), Value::Int(y)) => Value::Int(pair!(x, y, x, y => overwritten(x, y, *at, *start))),
            (x, y) => Value::Bool(pair!(truth(x), truth(y), x, y => overwritten(x, y, *at, *start))),
        },
        Operation::Pool(kind, kernel, stride, padding) => pooling(*kind, float(x), *kernel, *stride, *padding),
        other => indexed::run(other, x.clone(), next).unwrap_or_else(|| moved(other, x, &dims)),
    }
}

/// Steps that only move elements.
fn moved(operation: &Operation, x: Value, dims: &[usize]) -> Value {
    let rank = dims.len();
    let mut shape = dims.to_vec();
    match operation {
        Operation::SwapDims(left, right) => every!(x, x => x.swap_dims(*left, *right)),
        Operation::Merge(at) => {
            shape[*at] *= shape.remove(at + 1);
            x.reshape(&shape)
        }
        Operation::Split(at, by) => {
            shape[*at] /= by;
            shape.insert(*at, *by);
            x.reshape(&shape)
        }
        Operation::Cross(at) => {
            shape.swap(*at, at + 1);
            x.reshape(&shape)
        }
        Operation::Flatten => x.reshape(&[dims.iter().product()]),
        Operation::Unsqueeze(at) => {
            shape.insert(*at, 1);
            x.reshape(&shape)
        }
        Operation::Squeeze(at) => {
            shape.remove(*at);
            x.reshape(&shape)
        }
        Operation::ExpandLike(at, like) => {
            shape[*at] = shape[*like];
            every!(x, x => x.expand(burn::tensor::Shape::from(shape).dims()))
        }
        Operation::Repeat(at, times) => every!(x, x => x.repeat_dim(*at, *times)),
        Operation::Slice(at, start, end) => {
            let kept = Slice::new(*start as isize, Some((dims[*at] - end) as isize), 1);
            every!(x, x => x.slice_dim(*at, kept))
        }
        Operation::SliceStep(at) => every!(x, x => x.slice_dim(*at, Slice::new(0, None, 2))),
        Operation::Last(at) => every!(x, x => x.narrow(*at, dims[*at] - 1, 1)),
        Operation::Flip(at) => every!(x, x => x.flip([*at])),
        Operation::Pad(before, behind, scalar) => {
            let pads: Vec<(usize, usize)> =
                (0..rank).map(|axis| if axis + 1 == rank { (*before, *behind) } else { (0, 0) }).collect();
            Value::Float(each!(float(x), x => x.pad(pads.as_slice(), PadMode::Constant(*scalar as f32))))
        }
        Operation::Unfold(step) => Value::Float(match float(x) {
            Ranked::One(x) => Ranked::Two(x.unfold(-1, 3, *step)),
            Ranked::Two(x) => Ranked::Three(x.unfold(-1, 3, *step)),
            Ranked::Three(x) => Ranked::Four(x.unfold(-1, 3, *step)),
            Ranked::Four(_) => panic!("windows would have rank 5"),
        }),
        other => panic!("{other:?} is not among the steps that move elements"),
    }
}

fn function_of<const D: usize>(function: Function, x: Tensor<D>) -> Tensor<D> {
    match function {
        Function::Neg => -x,
        Function::Abs => x.abs(),
        Function::Relu => relu(x),
        Function::Square => x.square(),
        Function::LeakyRelu => leaky_relu(x, 0.125),
        Function::Gelu => gelu(x),
        Function::Silu => silu(x),
        Function::Sigmoid => sigmoid(x),
        Function::Tanh => tanh(x),
        Function::Erf => x.erf(),
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Exp => x.clamp(-3.0, 3.0).exp(),
        Function::Log => (x.abs() + 0.5).log(),
        Function::Sqrt => (x.abs() + 0.5).sqrt(),
        Function::Recip => (x.abs() + 0.5).recip(),
        Function::LogSigmoid => log_sigmoid(x),
        Function::HardSigmoid => hard_sigmoid(x, 0.25, 0.5),
        Function::Softplus => softplus(x, 1.0),
        Function::Elu => elu(x, 1.0),
        Function::Atan => x.atan(),
        Function::Asinh => x.asinh(),
        Function::Log1p => x.abs().log1p(),
    }
}

fn reduce_all(reduction: Reduction, x: Value) -> Value {
    match x {
        Value::Bool(x) => Value::Bool(Ranked::One(any!(x, x => match reduction {
            Reduction::All => x.all(),
            _ => x.any(),
        }))),
        Value::Float(x) => Value::Float(Ranked::One(any!(x, x => match reduction {
            Reduction::Sum => x.sum(),
            Reduction::Mean => x.mean(),
            Reduction::Prod => x.prod(),
            Reduction::Max => x.max(),
            _ => x.min(),
        }))),
        Value::Int(x) => Value::Int(Ranked::One(any!(x, x => match reduction {
            Reduction::Sum => x.sum(),
            Reduction::Prod => x.prod(),
            Reduction::Max => x.max(),
            _ => x.min(),
        }))),
    }
}

fn arithmetic_of(arithmetic: Arithmetic, x: Value, y: Value) -> Value {
    if arithmetic == Arithmetic::Div {
        return Value::Float(pair!(float(x), float(y), x, y => x / (y.abs() + 0.5)));
    }
    if arithmetic == Arithmetic::Hypot {
        return Value::Float(pair!(float(x), float(y), x, y => x.hypot(y)));
    }
    two_numbers!(x, y, x, y => match arithmetic {
        Arithmetic::Add => x + y,
        Arithmetic::Sub => x - y,
        Arithmetic::Mul => x * y,
        Arithmetic::Max => x.max_pair(y),
        Arithmetic::Min | Arithmetic::Div | Arithmetic::Hypot => x.min_pair(y),
    })
}

fn compare(comparison: Comparison, x: Value, y: Value) -> Value {
    macro_rules! ordered {
        ($x:expr, $y:expr) => {
            pair!($x, $y, x, y => match comparison {
                Comparison::Equal => x.equal(y),
                Comparison::NotEqual => x.not_equal(y),
                Comparison::Greater => x.greater(y),
                Comparison::GreaterEqual => x.greater_equal(y),
                Comparison::Lower => x.lower(y),
                Comparison::LowerEqual => x.lower_equal(y),
            })
        };
    }
    Value::Bool(match (x, y) {
        (Value::Float(x), Value::Float(y)) => ordered!(x, y),
        (Value::Int(x), Value::Int(y)) => ordered!(x, y),
        (x, y) => pair!(truth(x), truth(y), x, y => match comparison {
            Comparison::Equal => x.equal(y),
            _ => x.not_equal(y),
        }),
    })
}

fn compare_scalar(comparison: Comparison, x: Value, scalar: f64) -> Value {
    macro_rules! compared {
        ($x:expr, $scalar:expr) => {
            each!($x, x => match comparison {
                Comparison::Equal => x.equal_scalar($scalar),
                Comparison::NotEqual => x.not_equal_scalar($scalar),
                Comparison::Greater => x.greater_scalar($scalar),
                Comparison::GreaterEqual => x.greater_equal_scalar($scalar),
                Comparison::Lower => x.lower_scalar($scalar),
                Comparison::LowerEqual => x.lower_equal_scalar($scalar),
            })
        };
    }
    Value::Bool(match x {
        Value::Float(x) => compared!(x, scalar),
        x => compared!(int(x), scalar as i64),
    })
}

fn mask_where(x: Value, mask: Ranked<Bool>, other: Value) -> Value {
    macro_rules! chosen {
        ($x:expr, $other:expr) => {
            match ($x, mask, $other) {
                (Ranked::One(x), Ranked::One(mask), Ranked::One(other)) => Ranked::One(x.mask_where(mask, other)),
                (Ranked::Two(x), Ranked::Two(mask), Ranked::Two(other)) => Ranked::Two(x.mask_where(mask, other)),
                (Ranked::Three(x), Ranked::Three(mask), Ranked::Three(other)) => {
                    Ranked::Three(x.mask_where(mask, other))
                }
                (Ranked::Four(x), Ranked::Four(mask), Ranked::Four(other)) => Ranked::Four(x.mask_where(mask, other)),
                _ => panic!("a mask of another rank"),
            }
        };
    }
    match (x, other) {
        (Value::Float(x), Value::Float(other)) => Value::Float(chosen!(x, other)),
        (Value::Int(x), Value::Int(other)) => Value::Int(chosen!(x, other)),
        (x, other) => Value::Bool(chosen!(truth(x), truth(other))),
    }
}

fn convolution(x: Ranked<Float>, stride: usize, padding: usize, cursor: &mut Cursor<'_>) -> Value {
    Value::Float(match x {
        Ranked::Three(x) => {
            let place = cursor.place(3);
            let (weight, bias) = (cursor.layers.three[place].val(), cursor.vector());
            Ranked::Three(conv1d(x, weight, Some(bias), ConvOptions::new([stride], [padding], [1], 1)))
        }
        Ranked::Four(x) => {
            let place = cursor.place(4);
            let (weight, bias) = (cursor.layers.four[place].val(), cursor.vector());
            Ranked::Four(conv2d(x, weight, Some(bias), ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1)))
        }
        _ => panic!("a convolution of rank {}", x.dims().len()),
    })
}

fn transposed(x: Ranked<Float>, stride: usize, cursor: &mut Cursor<'_>) -> Value {
    Value::Float(match x {
        Ranked::Three(x) => {
            let place = cursor.place(3);
            let (weight, bias) = (cursor.layers.three[place].val(), cursor.vector());
            let options = ConvTransposeOptions::new([stride], [0], [0], [1], 1);
            Ranked::Three(conv_transpose1d(x, weight, Some(bias), options))
        }
        Ranked::Four(x) => {
            let place = cursor.place(4);
            let (weight, bias) = (cursor.layers.four[place].val(), cursor.vector());
            let options = ConvTransposeOptions::new([stride; 2], [0; 2], [0; 2], [1; 2], 1);
            Ranked::Four(conv_transpose2d(x, weight, Some(bias), options))
        }
        _ => panic!("a convolution of rank {}", x.dims().len()),
    })
}

fn overwritten<const D: usize, K: Basic>(x: Tensor<D, K>, y: Tensor<D, K>, at: usize, start: usize) -> Tensor<D, K> {
    let end = start + y.dims()[at];
    let slices: [Slice; D] = std::array::from_fn(|axis| match axis == at {
        true => Slice::new(start as isize, Some(end as isize), 1),
        false => Slice::new(0, None, 1),
    });
    x.slice_assign(slices, y)
}

fn pooling(kind: Pooling, x: Ranked<Float>, kernel: usize, stride: usize, padding: usize) -> Value {
    let inside = kind == Pooling::Average;
    Value::Float(match (x, kind) {
        (Ranked::Three(x), Pooling::Max) => {
            let options = MaxPoolOptions::new([kernel]).with_stride([stride]).with_padding([padding]);
            Ranked::Three(max_pool1d(x, options))
        }
        (Ranked::Four(x), Pooling::Max) => {
            let options = MaxPoolOptions::new([kernel; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
            Ranked::Four(max_pool2d(x, options))
        }
        (Ranked::Three(x), _) => {
            let options = AvgPoolOptions::new([kernel]).with_stride([stride]).with_padding([padding]);
            Ranked::Three(avg_pool1d(x, options.with_count_include_pad(inside)))
        }
        (Ranked::Four(x), _) => {
            let options = AvgPoolOptions::new([kernel; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
            Ranked::Four(avg_pool2d(x, options.with_count_include_pad(inside)))
        }
        (x, _) => panic!("a pooling of rank {}", x.dims().len()),
    })
}

/// The inputs of a program as tensors.
pub fn inputs(data: &[TensorData], dtype: DType, device: &Device) -> Vec<Value> {
    let data = |position: usize| data[position].clone();
    let float = |position: usize| data(position).convert_dtype(dtype);
    vec![
        Value::Float(Ranked::Two(Tensor::from_data(float(0), (device, dtype)))),
        Value::Float(Ranked::Three(Tensor::from_data(float(1), (device, dtype)))),
        Value::Float(Ranked::Four(Tensor::from_data(float(2), (device, dtype)))),
        Value::Int(Ranked::Two(Tensor::from_data(data(3), (device, DType::I64)))),
        Value::Bool(Ranked::Two(Tensor::from_data(data(4), device))),
        Value::Float(Ranked::Two(Tensor::from_data(float(5), (device, dtype)))),
    ]
}
