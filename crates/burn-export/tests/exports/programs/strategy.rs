//! Random programs. A program is drawn from numbers, each of which has a meaning whatever the others are: proptest
//! drops steps and lowers numbers, and the program stays legal.

use proptest::collection::vec;
use proptest::prelude::*;

use super::operation::{
    Along, Arithmetic, Comparison, Function, Logic, Operation, Pooling, Reduction, Rounding, Update,
};
use super::size::{Kind, Size, Type};
use super::{EDGES, INPUTS, Program, Step};

/// What one step is drawn from.
type Gene = (usize, [usize; 3], [usize; 3]);

/// Programs of one to eight steps at one of these opsets.
pub fn programs(opsets: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = Program> {
    let gene = (0usize..1000, [0usize..24, 0usize..16, 0usize..16], [0usize..8, 0usize..8, 0usize..8]);
    (vec(0usize..6, 15), vec(gene, 1..=8), opsets).prop_map(|(sizes, genes, opset)| {
        let mut program = Program { inputs: declare(&sizes), steps: Vec::new(), opset };
        for gene in genes {
            if let Some(step) = draw(&program, gene) {
                program.steps.push(step);
            }
        }
        program
    })
}

/// The types of the inputs. The first axis of each is dynamic, and one other may be.
fn declare(sizes: &[usize]) -> Vec<Type> {
    let mut sizes = sizes.iter().copied();
    let mut size = |axis: usize, rank: usize| match (axis, sizes.next().unwrap_or(0)) {
        (0, drawn) => Size::axis(drawn / 4),
        (_, 0) if axis == rank / 2 => Size::axis(1),
        (_, drawn) => Size::fixed(drawn.max(1)),
    };
    let declared = INPUTS.iter().map(|(name, kind, rank)| {
        let bound = [2.0, 6.0, 1.0][*kind as usize];
        let shape = (0..*rank).map(|axis| size(axis, *rank)).collect();
        Type { kind: *kind, shape, bound, grid: Some(if *kind == Kind::Float { 3 } else { 0 }), wild: *name == EDGES }
    });
    declared.collect()
}

/// The first step, from the drawn one on, that applies to values from the drawn ones on.
fn draw(program: &Program, (kind, numbers, operands): Gene) -> Option<Step> {
    let types = program.types();
    // The newest values come first, then the inputs in order.
    let mut order: Vec<usize> = (0..types.len()).collect();
    order[INPUTS.len()..].reverse();
    order.rotate_left(INPUTS.len());
    let from = |place: usize| {
        let start = operands[place] % order.len();
        order[start..].iter().chain(&order[..start]).copied()
    };
    for first in from(0) {
        let x = types[first];
        let kinds = 0..KINDS.len();
        for operation in kinds.map(|step| KINDS[(kind + step) % KINDS.len()](x.shape.len(), numbers)) {
            let found = match operation.arity() {
                1 => operation.result(&[x]).map(|made| (vec![first], made)),
                2 => from(1).find_map(|second| Some((vec![first, second], operation.result(&[x, types[second]])?))),
                _ => from(1).find_map(|mask| {
                    from(2).find_map(|third| {
                        let made = operation.result(&[x, types[mask], types[third]])?;
                        Some((vec![first, mask, third], made))
                    })
                }),
            };
            if let Some((operands, result)) = found
                && operation.since() <= program.opset
                && !is_fused_wrongly(program, &operation, first)
            {
                let parameters = operation.parameters(x);
                return Some(Step { operation, operands, parameters, result });
            }
        }
    }
    None
}

/// ONNX Runtime 1.32 takes the Cast in front of a layer normalisation that it puts together from its parts into the new
/// operator, and then refuses to load the graph, because the operator does not take truths or integers.
fn is_fused_wrongly(program: &Program, operation: &Operation, operand: usize) -> bool {
    let made_by = operand.checked_sub(INPUTS.len()).map(|step| &program.steps[step].operation);
    *operation == Operation::LayerNorm && program.opset < 17 && matches!(made_by, Some(Operation::Convert(_)))
}

/// A step of each kind, from the rank of its operand and three numbers, the first below 24 and the others below 16.
pub const KINDS: &[fn(usize, [usize; 3]) -> Operation] = &[
    |_, [a, ..]| Operation::Function(FUNCTIONS[a % FUNCTIONS.len()]),
    |_, [a, ..]| Operation::AddScalar(eighths(a)),
    |_, [a, ..]| Operation::MulScalar(eighths(a)),
    |_, [a, b, _]| Operation::Clamp(-eighths(a).abs(), eighths(b).abs()),
    |_, [a, ..]| {
        let all = [Rounding::Floor, Rounding::Ceil, Rounding::Round, Rounding::Trunc, Rounding::Sign];
        Operation::Round(all[a % all.len()])
    },
    |rank, [a, b, _]| {
        use Along::*;
        let all = [Softmax, LogSoftmax, CumSum, CumProd, CumMax, CumMin, Sort, SortDescending];
        Operation::Along(all[a % all.len()], signed(rank, b))
    },
    |rank, [a, b, _]| Operation::Reduce(REDUCTIONS[a % REDUCTIONS.len()], signed(rank, b)),
    |_, [a, ..]| Operation::ReduceAll(REDUCTIONS[a % REDUCTIONS.len()]),
    |rank, [a, ..]| Operation::ArgMax(signed(rank, a)),
    |_, [a, ..]| {
        use Arithmetic::*;
        Operation::Arithmetic([Add, Sub, Mul, Div, Max, Min, Hypot][a % 7])
    },
    |_, [a, ..]| Operation::Compare(COMPARISONS[a % COMPARISONS.len()]),
    |_, [a, b, _]| Operation::CompareScalar(COMPARISONS[a % COMPARISONS.len()], eighths(b)),
    |_, _| Operation::Matmul,
    |_, [a, ..]| Operation::Remainder(a as i64 % 5 + 2),
    |_, [a, ..]| Operation::Convert([Kind::Float, Kind::Int][a % 2]),
    |_, [a, ..]| Operation::Logic(LOGICS[a % 3]),
    |_, _| Operation::Not,
    |_, _| Operation::MaskWhere,
    |_, [a, ..]| Operation::MaskFill(eighths(a)),
    |_, [a, ..]| Operation::Causal(eighths(a)),
    |_, _| Operation::AddPositions,
    |rank, [a, ..]| Operation::DivideBySize(signed(rank, a)),
    |rank, [a, b, _]| Operation::SwapDims(signed(rank, a), signed(rank, b + 1)),
    |rank, [a, ..]| Operation::Merge(a % rank),
    |rank, [a, b, _]| Operation::Split(a % rank, b % 3 + 1),
    |rank, [a, ..]| Operation::Cross(a % rank),
    |_, _| Operation::Flatten,
    |rank, [a, ..]| Operation::Unsqueeze(a % (rank + 1)),
    |rank, [a, ..]| Operation::Squeeze(a % rank),
    |rank, [a, b, _]| Operation::ExpandLike(a % rank, b % rank),
    |rank, [a, b, _]| Operation::Repeat(signed(rank, a), b % 3 + 1),
    |rank, [a, b, c]| Operation::Slice(a % rank, b % 3, c % 3),
    |rank, [a, ..]| Operation::SliceStep(a % rank),
    |rank, [a, ..]| Operation::Last(a % rank),
    |rank, [a, ..]| Operation::Flip(signed(rank, a)),
    |_, [a, b, c]| Operation::Pad(a % 3, b % 3, eighths(c)),
    |rank, [a, ..]| Operation::Cat(signed(rank, a)),
    |_, [a, ..]| Operation::Unfold(a % 2 + 1),
    |_, [a, ..]| Operation::Linear(a % 4 + 1),
    |_, _| Operation::LayerNorm,
    |_, _| Operation::BatchNorm,
    |_, [a, b, c]| Operation::Conv(a % 3 + 1, b % 2 + 1, c % 2),
    |_, [a, b, c]| {
        let all = [Pooling::Max, Pooling::Average, Pooling::AverageInside];
        Operation::Pool(all[a % all.len()], b % 2 + 2, b / 2 % 2 + 1, c % 2)
    },
    |_, _| Operation::Embedding,
    |rank, [a, ..]| Operation::Select(signed(rank, a)),
    |rank, [a, ..]| Operation::Gather(signed(rank, a)),
    |_, _| Operation::GatherNd,
    |rank, [a, b, _]| Operation::Scatter(UPDATES[a % UPDATES.len()], signed(rank, b)),
    |rank, [a, b, _]| Operation::SelectAssign(UPDATES[a % UPDATES.len()], signed(rank, b)),
    |_, [a, ..]| Operation::ScatterNd(UPDATES[a % UPDATES.len()]),
    |rank, [a, b, _]| Operation::TopK(a % 3 + 1, signed(rank, b)),
    |rank, [a, b, _]| Operation::ArgSort(signed(rank, a), b % 2 == 1),
    |_, [a, ..]| Operation::Bitwise(LOGICS[a % 3]),
    |_, [a, b, _]| Operation::BitwiseScalar(LOGICS[a % 3], b as i64),
    |_, _| Operation::BitwiseNot,
    |_, [a, ..]| Operation::Shift([1, 2, 3, -1, -2, -3][a % 6]),
    |_, [a, ..]| Operation::ShiftBy(a % 2 == 0),
    |_, [a, b, c]| Operation::Interpolate(a % 3 + 1, b % 3 + 1, c % 2 == 1),
    |_, [a, ..]| Operation::Attention(a % 2 == 1),
    |_, [a, b, _]| Operation::ConvTranspose(a % 3 + 1, b % 2 + 1),
    |_, [a, ..]| Operation::AdaptivePool(a % 3 + 1),
    |rank, [a, b, _]| Operation::SliceAssign(a % rank, b % 3),
];

const UPDATES: [Update; 4] = [Update::Add, Update::Mul, Update::Min, Update::Max];

const LOGICS: [Logic; 3] = [Logic::And, Logic::Or, Logic::Xor];

const FUNCTIONS: &[Function] = {
    use Function::*;
    &[
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
        Exp,
        Log,
        Sqrt,
        Recip,
        LogSigmoid,
        HardSigmoid,
        Softplus,
        Elu,
        Atan,
        Asinh,
        Log1p,
    ]
};

const REDUCTIONS: [Reduction; 7] = {
    use Reduction::*;
    [Sum, Mean, Max, Min, Any, All, Prod]
};

const COMPARISONS: [Comparison; 6] = {
    use Comparison::*;
    [Equal, NotEqual, Greater, GreaterEqual, Lower, LowerEqual]
};

/// An axis from the front or from the back.
fn signed(rank: usize, number: usize) -> isize {
    let axis = (number / 2 % rank) as isize;
    if number.is_multiple_of(2) { axis } else { axis - rank as isize }
}

/// From 0 up and down: 0, 1, -0.5, …, all of them whole eighths.
fn eighths(number: usize) -> f64 {
    [0.0, 1.0, -0.5, 2.0, 0.125, -1.0, 1.5, -0.25, 0.5, -2.0, 0.75, -1.5, 3.0, -3.0, 0.25, -0.125][number % 16]
}
