//! Which shape rule belongs to which operator.

use super::extent::Extent;
use super::op::{Dims, Op, axis, broadcast};
use super::{attention, constant_node, conv, index, matmul, normalise, reduce, regions, reshape, resize, slice};
use crate::check::Problem;

/// The shapes of a node's outputs, `None` where nothing is known. May be shorter than the list of outputs.
pub fn shapes(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    let one = |shape: Result<Option<Dims>, Problem>| shape.map(|shape| vec![shape]);
    match op.node.op_type.as_str() {
        // Element by element.
        "Abs" | "Acos" | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "BitwiseNot" | "Cast" | "CastLike"
        | "Ceil" | "Celu" | "Clip" | "Cos" | "Cosh" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu" | "HardSigmoid"
        | "HardSwish" | "Identity" | "IsInf" | "IsNaN" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Not"
        | "Reciprocal" | "Relu" | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin" | "Sinh" | "Softplus"
        | "Softsign" | "Sqrt" | "Swish" | "Tan" | "Tanh" | "ThresholdedRelu" | "RandomNormalLike"
        | "RandomUniformLike" | "Bernoulli" | "BitCast" | "RegexFullMatch" | "QuantizeLinear" | "DequantizeLinear" => {
            Ok(vec![op.dims(0).cloned()])
        }
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "And" | "Or" | "Xor" | "Equal" | "Greater" | "Less"
        | "GreaterOrEqual" | "LessOrEqual" | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "Where"
        | "Max" | "Min" | "Mean" | "Sum" | "StringConcat" => one(elementwise(op)),
        "PRelu" => one(one_way(op)),
        // The same shape, with an axis that must exist.
        "Softmax" | "LogSoftmax" | "Hardmax" => one(flattened(op)),
        "LpNormalization" => one(along(op, "axis")),
        "Dropout" => Ok(vec![op.dims(0).cloned(); 2]),
        "DynamicQuantizeLinear" => Ok(vec![op.dims(0).cloned(), Some(Vec::new()), Some(Vec::new())]),
        "Constant" => Ok(vec![constant_node(op.node).and_then(|value| value.dims)]),
        // Products.
        "MatMul" | "MatMulInteger" => one(matmul::matmul(op, 0, 1)),
        "QLinearMatMul" => one(matmul::matmul(op, 0, 3)),
        "Gemm" => one(matmul::gemm(op)),
        "Einsum" => one(matmul::einsum(op)),
        "Attention" => attention::attention(op),
        "RotaryEmbedding" => one(attention::rotary(op)),
        // Reductions.
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax" | "ReduceMean" | "ReduceMin"
        | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => one(reduce::reduce(op)),
        "ArgMax" | "ArgMin" => one(reduce::arg(op)),
        // Shapes.
        "Reshape" => one(reshape::reshape(op)),
        "Flatten" => one(reshape::flatten(op)),
        "Squeeze" => one(reshape::squeeze(op)),
        "Unsqueeze" => one(reshape::unsqueeze(op)),
        "Transpose" => one(reshape::transpose(op)),
        "Expand" => one(reshape::expand(op)),
        "Tile" => one(reshape::tile(op)),
        "Concat" => one(reshape::concat(op)),
        "Split" => slice::split(op),
        "Slice" => one(slice::slice(op)),
        "Pad" => one(slice::pad(op)),
        "DepthToSpace" => one(resize::depth_to_space(op)),
        "SpaceToDepth" => one(resize::space_to_depth(op)),
        "Shape" => one(reshape::shape(op)),
        "Size" => Ok(vec![Some(Vec::new())]),
        "ConstantOfShape" => Ok(vec![op.input(0).and_then(reshape::sized_by)]),
        "Range" => one(slice::range(op)),
        // Elements by position.
        "Gather" => one(index::gather(op)),
        "GatherElements" => one(index::gather_elements(op)),
        "GatherND" => one(index::gather_nd(op)),
        "ScatterElements" => one(index::scatter_elements(op)),
        "ScatterND" => one(index::scatter_nd(op)),
        "TensorScatter" => one(index::tensor_scatter(op)),
        "TopK" => index::top_k(op),
        "OneHot" => one(index::one_hot(op)),
        "NonZero" => one(index::non_zero(op)),
        "Compress" => one(index::compress(op)),
        "NonMaxSuppression" => one(index::non_max_suppression(op)),
        "CumSum" | "CumProd" => one(index::cumulative(op)),
        "Trilu" => one(index::matrices(op, "it must hold matrices")),
        "EyeLike" => one(op.rank_is(0, 2, "it must be a matrix").map(|()| op.dims(0).cloned())),
        "ReverseSequence" => one(index::reverse_sequence(op)),
        "Unique" => index::unique(op),
        "Det" => one(index::matrices(op, "it must hold matrices")
            .map(|dims| dims.map(|dims| dims[..dims.len().saturating_sub(2)].to_vec()))),
        // Made from attributes.
        "RandomNormal" | "RandomUniform" => {
            Ok(vec![op.ints("shape").map(|sizes| sizes.iter().map(|size| Some(Extent::known(*size))).collect())])
        }
        "Multinomial" => {
            let samples = op.int("sample_size").map(Extent::known);
            Ok(vec![Some(vec![op.dims(0).and_then(|dims| dims.first().cloned()).flatten(), samples])])
        }
        "BlackmanWindow" | "HammingWindow" | "HannWindow" => {
            Ok(vec![Some(vec![op.elements(0).and_then(|elements| elements.first().cloned()).flatten()])])
        }
        // Windows.
        "Conv" | "ConvInteger" => one(conv::conv(op, 0, 1)),
        "DeformConv" => one(conv::deformed(op)),
        "QLinearConv" => one(conv::conv(op, 0, 3)),
        "ConvTranspose" => one(conv::transposed(op)),
        "MaxPool" | "AveragePool" | "LpPool" => conv::pool(op),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => one(conv::global_pool(op)),
        "Col2Im" => one(regions::col2im(op)),
        "RoiAlign" => one(regions::roi_align(op)),
        "MaxRoiPool" => one(regions::max_roi_pool(op)),
        "MaxUnpool" => one(regions::max_unpool(op)),
        "CenterCropPad" => one(regions::center_crop_pad(op)),
        "Resize" => one(resize::resize(op)),
        "GridSample" => one(resize::grid_sample(op)),
        "AffineGrid" => one(resize::affine_grid(op)),
        // Normalisation and recurrence.
        "LayerNormalization" | "RMSNormalization" => normalise::layer(op),
        "BatchNormalization" => normalise::batch(op),
        "InstanceNormalization" => one(normalise::per_channel(op, &[1, 2])),
        "GroupNormalization" => one(normalise::group(op)),
        "LRN" | "MeanVarianceNormalization" => Ok(vec![op.dims(0).cloned()]),
        "LSTM" => normalise::recurrent(op, 4),
        "GRU" => normalise::recurrent(op, 3),
        "RNN" => normalise::recurrent(op, 1),
        _ => Ok(Vec::new()),
    }
}

fn elementwise(op: &Op) -> Result<Option<Dims>, Problem> {
    let shapes: Option<Vec<&Dims>> = op.inputs.iter().map(|input| input.as_ref()?.dims.as_ref()).collect();
    shapes.map(|shapes| broadcast(&shapes)).transpose()
}

/// The second input broadcasts to the first, and not the other way round.
fn one_way(op: &Op) -> Result<Option<Dims>, Problem> {
    let (Some(to), Some(from)) = (op.dims(0), op.dims(1)) else { return Ok(op.dims(0).cloned()) };
    let both = broadcast(&[to, from])?;
    let grows = |(before, after): (&Option<Extent>, &Option<Extent>)| match (before, after) {
        (Some(before), Some(after)) => before.as_known().is_some() && before.differs(after),
        _ => false,
    };
    match both.len() > to.len() || to.iter().zip(&both).any(grows) {
        true => Err(Problem::Rank { input: 1, found: from.len(), rule: "it must broadcast to the first input" }),
        false => Ok(Some(to.clone())),
    }
}

fn along(op: &Op, attribute: &str) -> Result<Option<Dims>, Problem> {
    if let (Some(rank), Some(value)) = (op.rank(0), op.int(attribute)) {
        axis(value, rank)?;
    }
    Ok(op.dims(0).cloned())
}

/// Softmax and its kin before opset 13 flatten at the axis, which may then also be the rank.
fn flattened(op: &Op) -> Result<Option<Dims>, Problem> {
    match op.rank(0) {
        Some(rank) if op.schema.since < 13 && op.int("axis") == i64::try_from(rank).ok() => Ok(op.dims(0).cloned()),
        _ => along(op, "axis"),
    }
}
