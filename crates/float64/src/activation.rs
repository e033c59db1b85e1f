//! Activations by the formulas that define them, in forms that lose no digits.

use super::erf::error_function;
use super::forms::{Reason, Step};
use super::trigonometry::{expm1, log1p};
use super::writer::{Expr, Operand};

/// One value.
type One<'w> = Result<Expr<'w>, Reason>;

/// `x` where it is not negative, and elsewhere `below`.
fn rectified<'w>(x: Expr<'w>, below: Expr<'w>) -> Expr<'w> {
    x.less(0.0).select(below, x)
}

pub fn leaky_relu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(rectified(x, step.real("alpha") * x))
}

pub fn p_relu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(rectified(x, x * step.input(1)))
}

pub fn elu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(rectified(x, step.real("alpha") * expm1(x)))
}

pub fn selu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(step.real("gamma") * rectified(x, step.real("alpha") * expm1(x)))
}

/// `max(0, x) + min(0, alpha (e^(x / alpha) - 1))`.
pub fn celu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let (x, alpha) = (step.input(0), step.real("alpha"));
    Ok(x.max(0.0) + (alpha * expm1(x / alpha)).min(0.0))
}

pub fn clip<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let x = step.optional(1).map_or(x, |least| x.max(least));
    Ok(step.optional(2).map_or(x, |most| x.min(most)))
}

pub fn gelu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let half = 0.5 * x;
    Ok(match step.op.string("approximate") {
        Some("tanh") => {
            let inner = x + 0.044715 * (x * x * x);
            half * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * inner).tanh())
        }
        _ => half * (1.0 + error_function(x * std::f64::consts::FRAC_1_SQRT_2)),
    })
}

pub fn hard_sigmoid<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.real("alpha") * step.input(0) + step.real("beta");
    Ok(x.min(1.0).max(0.0))
}

pub fn hard_swish<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(x * (x + 3.0).max(0.0).min(6.0) / 6.0)
}

/// `1 / (1 + e^-x)`. ONNX Runtime's own kernel loses digits where the result is small.
pub fn logistic(x: Expr<'_>) -> Expr<'_> {
    let small = (-x.abs()).exp();
    x.less(0.0).select(small, 1.0) / (1.0 + small)
}

pub fn sigmoid<'w>(step: &Step<'_, 'w>) -> One<'w> {
    Ok(logistic(step.input(0)))
}

pub fn swish<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(x * logistic(step.real("alpha") * x))
}

/// `log(1 + e^x)`.
pub fn soft_plus(x: Expr<'_>) -> Expr<'_> {
    x.max(0.0) + log1p((-x.abs()).exp())
}

pub fn softplus<'w>(step: &Step<'_, 'w>) -> One<'w> {
    Ok(soft_plus(step.input(0)))
}

pub fn mish<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(x * soft_plus(x).tanh())
}

/// `x / (1 + |x|)`.
pub fn soft_sign(x: Expr<'_>) -> Expr<'_> {
    x / (1.0 + x.abs())
}

pub fn softsign<'w>(step: &Step<'_, 'w>) -> One<'w> {
    Ok(soft_sign(step.input(0)))
}

pub fn thresholded_relu<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    Ok(x.greater(step.real("alpha")).select(x, 0.0))
}

/// ONNX Runtime's own kernel adds the bias in float32.
pub fn shrink<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let (x, threshold, bias) = (step.input(0), step.real("lambd"), step.real("bias"));
    let above = x.greater(threshold).select(x - bias, 0.0.expr(step.writer));
    Ok(x.less(-threshold).select(x + bias, above))
}
