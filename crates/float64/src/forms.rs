//! Which formula stands for which operator.

use super::writer::{Expr, Writer};
use super::{
    activation, attention, correlate, erf, grid, index, normalise, pool, quantise, recurrent, resize, trigonometry,
};
use onnx_model::shapes::{self, Extent, Op};
use onnx_model::{DataType, Tensor};

/// Why a node has no form.
pub type Reason = &'static str;

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

/// Writes what stands for an operator; `None` where the operator stays.
pub fn write<'w>(step: &Step<'_, 'w>) -> Result<Option<Vec<Expr<'w>>>, Reason> {
    Ok(Some(match step.op.node.op_type.as_str() {
        "Celu" => vec![activation::celu(step)?],
        "Clip" if step.writer.opset < 12 => vec![activation::clip(step)?],
        "Elu" => vec![activation::elu(step)?],
        "Gelu" => vec![activation::gelu(step)?],
        "HardSigmoid" => vec![activation::hard_sigmoid(step)?],
        "HardSwish" => vec![activation::hard_swish(step)?],
        "LeakyRelu" => vec![activation::leaky_relu(step)?],
        "Mish" => vec![activation::mish(step)?],
        "PRelu" => vec![activation::p_relu(step)?],
        "Selu" => vec![activation::selu(step)?],
        "Shrink" => vec![activation::shrink(step)?],
        "Sigmoid" => vec![activation::sigmoid(step)?],
        "Softplus" => vec![activation::softplus(step)?],
        "Softsign" => vec![activation::softsign(step)?],
        "Swish" => vec![activation::swish(step)?],
        "ThresholdedRelu" => vec![activation::thresholded_relu(step)?],
        "Erf" => vec![erf::erf(step)?],
        "Acos" => vec![trigonometry::acos(step)?],
        "Acosh" => vec![trigonometry::acosh(step)?],
        "Asin" => vec![trigonometry::asin(step)?],
        "Asinh" => vec![trigonometry::asinh(step)?],
        "Atan" => vec![trigonometry::atan(step)?],
        "Atanh" => vec![trigonometry::atanh(step)?],
        "Cosh" => vec![trigonometry::cosh(step)?],
        "Sinh" => vec![trigonometry::sinh(step)?],
        "Tan" => vec![trigonometry::tan(step)?],
        "Conv" => vec![correlate::conv(step)?],
        "ConvTranspose" => vec![correlate::transposed(step)?],
        "AveragePool" => vec![pool::average(step)?],
        "GlobalAveragePool" => vec![pool::global_average(step)?],
        "GlobalLpPool" => vec![pool::global_norm(step)?],
        "GlobalMaxPool" => vec![pool::global_max(step)?],
        "LpPool" => vec![pool::norm(step)?],
        "GroupNormalization" => vec![normalise::group(step)?],
        "InstanceNormalization" => vec![normalise::instance(step)?],
        "LRN" => vec![normalise::local_response(step)?],
        "LayerNormalization" => normalise::layer(step)?,
        "MeanVarianceNormalization" => vec![normalise::mean_variance(step)?],
        "RMSNormalization" => vec![normalise::root_mean_square(step)?],
        "Attention" => attention::attention(step)?,
        "RotaryEmbedding" => vec![attention::rotary(step)?],
        "GridSample" if step.writer.opset < 20 => vec![grid::sample(step)?],
        "Hardmax" => vec![index::hardmax(step)?],
        "Mean" => vec![index::mean(step)?],
        "NonZero" => vec![index::non_zero(step)?],
        "OneHot" => vec![index::one_hot(step)?],
        "DequantizeLinear" => vec![quantise::dequantize(step)?],
        "DynamicQuantizeLinear" => quantise::dynamic(step)?,
        "GRU" => recurrent::gated(step)?,
        "LSTM" => recurrent::long_short(step)?,
        "RNN" => recurrent::simple(step)?,
        "Resize" => vec![resize::resize(step)?],
        "QLinearConv" => vec![quantise::conv(step)?],
        "QLinearMatMul" => vec![quantise::matmul(step)?],
        "QuantizeLinear" => vec![quantise::quantize(step)?],
        "BatchNormalization" if trains(step) => return Err("it gathers statistics, as in training"),
        "Dropout" if drops(step) => return Err("it may drop values at random, as in training"),
        "Bernoulli" | "Multinomial" | "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike" => {
            return Err("it draws random numbers");
        }
        _ => return Ok(None),
    }))
}

fn trains(step: &Step) -> bool {
    step.int("training_mode") != 0 || step.op.node.outputs.iter().skip(1).any(|name| !name.is_empty())
}

/// Whether a `Dropout` may do anything: in inference it does nothing.
fn drops(step: &Step) -> bool {
    let off = |tensor: &Tensor| tensor.to_vec::<bool>().is_ok_and(|values| values == [false]);
    step.op.input(2).is_some() && !step.constant(2).is_some_and(off)
}
