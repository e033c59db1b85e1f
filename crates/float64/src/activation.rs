//! Activations by the formulas that define them, in forms that lose no digits.

use super::erf::error_function;
use super::form::{Family, Form};
use super::step::{One, Reason, Step};
use super::trigonometry::{expm1, log1p};
use super::writer::{Expr, Operand};
use onnx_model::Tensor;

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["LogSoftmax", "LpNormalization", "Relu", "Softmax"], 0, Form::Native),
    // `max(0, x) + min(0, alpha (e^(x / alpha) - 1))`.
    (&["Celu"], 0, Form::Map(|step, x| x.max(0.0) + (step.real("alpha") * expm1(x / step.real("alpha"))).min(0.0))),
    (&["Clip"], 0, Form::One(clip)),
    (&["Clip"], 12, Form::Native),
    (&["Dropout"], 0, Form::Where(drops_nothing)),
    (&["Elu"], 0, Form::Map(|step, x| rectified(x, step.real("alpha") * expm1(x)))),
    (&["Gelu"], 0, Form::Map(gelu)),
    (&["HardSigmoid"], 0, Form::Map(|step, x| (step.real("alpha") * x + step.real("beta")).min(1.0).max(0.0))),
    (&["HardSwish"], 0, Form::Map(|_, x| x * (x + 3.0).max(0.0).min(6.0) / 6.0)),
    (&["LeakyRelu"], 0, Form::Map(|step, x| rectified(x, step.real("alpha") * x))),
    (&["Mish"], 0, Form::Map(|_, x| x * soft_plus(x).tanh())),
    (&["PRelu"], 0, Form::Map(|step, x| rectified(x, x * step.input(1)))),
    (&["Selu"], 0, Form::Map(|step, x| step.real("gamma") * rectified(x, step.real("alpha") * expm1(x)))),
    (&["Shrink"], 0, Form::Map(shrink)),
    (&["Sigmoid"], 0, Form::Map(|_, x| logistic(x))),
    (&["Softplus"], 0, Form::Map(|_, x| soft_plus(x))),
    (&["Softsign"], 0, Form::Map(|_, x| soft_sign(x))),
    (&["Swish"], 0, Form::Map(|step, x| x * logistic(step.real("alpha") * x))),
    (&["ThresholdedRelu"], 0, Form::Map(|step, x| x.greater(step.real("alpha")).select(x, 0.0))),
];

/// `x` where it is not negative, and elsewhere `below`.
fn rectified<'w>(x: Expr<'w>, below: Expr<'w>) -> Expr<'w> {
    x.less(0.0).select(below, x)
}

fn clip<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    // Attributes up to opset 10.
    let said = |name| step.op.node.float(name).map(|bound| f64::from(bound).expr(step.writer));
    let x = step.optional(1).or(said("min")).map_or(x, |least| x.max(least));
    Ok(step.optional(2).or(said("max")).map_or(x, |most| x.min(most)))
}

/// Whether a `Dropout` is known to do nothing, as in inference.
fn drops_nothing(step: &Step) -> Result<(), Reason> {
    let off = |tensor: &Tensor| tensor.to_vec::<bool>().is_ok_and(|values| values == [false]);
    match step.op.input(2).is_none() || step.constant(2).is_some_and(off) {
        true => Ok(()),
        false => Err("it may drop values at random, as in training"),
    }
}

fn gelu<'w>(step: &Step<'_, 'w>, x: Expr<'w>) -> Expr<'w> {
    let half = 0.5 * x;
    match step.op.string("approximate") {
        Some("tanh") => {
            let inner = x + 0.044715 * (x * x * x);
            half * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * inner).tanh())
        }
        _ => half * (1.0 + error_function(x * std::f64::consts::FRAC_1_SQRT_2)),
    }
}

/// `1 / (1 + e^-x)`. ONNX Runtime's own kernel loses digits where the result is small.
pub fn logistic(x: Expr<'_>) -> Expr<'_> {
    let small = (-x.abs()).exp();
    x.less(0.0).select(small, 1.0) / (1.0 + small)
}

/// `log(1 + e^x)`.
pub fn soft_plus(x: Expr<'_>) -> Expr<'_> {
    x.max(0.0) + log1p((-x.abs()).exp())
}

/// `x / (1 + |x|)`.
pub fn soft_sign(x: Expr<'_>) -> Expr<'_> {
    x / (1.0 + x.abs())
}

/// ONNX Runtime's own kernel adds the bias in float32.
fn shrink<'w>(step: &Step<'_, 'w>, x: Expr<'w>) -> Expr<'w> {
    let (threshold, bias) = (step.real("lambd"), step.real("bias"));
    let above = x.greater(threshold).select(x - bias, 0.0.expr(step.writer));
    x.less(-threshold).select(x + bias, above)
}
