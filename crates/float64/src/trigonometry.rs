//! Functions of the circle and of the hyperbola, and the exponential and logarithm near their zeros.
//!
//! ONNX Runtime has the sine, cosine, hyperbolic tangent, exponential and logarithm in float64; the others follow.

use std::f64::consts::{FRAC_PI_2, LN_2};

use super::erf::error_function;
use super::form::{Family, Form};
use super::writer::Expr;

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["Cos", "Sin", "Tanh"], 0, Form::Native),
    (&["Acos"], 0, Form::Map(|_, x| 2.0 * arc_tangent(((1.0 - x) / (1.0 + x)).sqrt()))),
    (&["Acosh"], 0, Form::Map(|_, x| far_or(x, log1p(x - 1.0 + ((x - 1.0) * (x + 1.0)).sqrt())))),
    (&["Asin"], 0, Form::Map(|_, x| arc_tangent(x / ((1.0 - x) * (1.0 + x)).sqrt()))),
    (&["Asinh"], 0, Form::Map(|_, x| inverse_sine(x))),
    (&["Atan"], 0, Form::Map(|_, x| arc_tangent(x))),
    (&["Atanh"], 0, Form::Map(|_, x| x.sign() * (0.5 * log1p(2.0 * x.abs() / (1.0 - x.abs()))))),
    (&["Cosh"], 0, Form::Map(|_, x| hyperbolic_cosine(x))),
    (&["Erf"], 0, Form::Map(|_, x| error_function(x))),
    (&["Sinh"], 0, Form::Map(|_, x| x.tanh() * hyperbolic_cosine(x))),
    (&["Tan"], 0, Form::Map(|_, x| x.sin() / x.cos())),
];

/// `e^x - 1 = tanh(x / 2) (e^x + 1)`, which cancels nowhere.
pub fn expm1(x: Expr<'_>) -> Expr<'_> {
    (0.5 * x).tanh() * (x.exp() + 1.0)
}

/// `log(1 + x)` for `x` of 0 or more. What rounding takes of `1 + x` is added to its logarithm to the first order, after
/// W. Kahan; above 2^53 nothing is left of the 1.
pub fn log1p(x: Expr<'_>) -> Expr<'_> {
    let sum = 1.0 + x;
    let lost = (x - (sum - 1.0)) / sum;
    sum.log() + x.less(2f64.powi(53)).select(lost, 0.0)
}

fn hyperbolic_cosine(x: Expr<'_>) -> Expr<'_> {
    (x.exp() + (-x).exp()) * 0.5
}

fn inverse_sine(x: Expr<'_>) -> Expr<'_> {
    let size = x.abs();
    // |x| + (sqrt(1 + x^2) - 1) without the difference; the quotient x^2 / (1 + sqrt(1 + x^2)) as a product.
    let rest = size * (size / (1.0 + (1.0 + size * size).sqrt()));
    x.sign() * far_or(size, log1p(size + rest))
}

/// `log(2 x)`, which both inverse functions are in float64 beyond 2^28, where squares may be infinite; elsewhere `near`.
fn far_or<'w>(x: Expr<'w>, near: Expr<'w>) -> Expr<'w> {
    x.greater(2f64.powi(28)).select(x.log() + LN_2, near)
}

/// Between -1 and 1, `x / (1 + 0.28 x^2)` is within 0.005 of the arc tangent; the tangent of what is missing, `d`, follows
/// from the sine and cosine of it, and the series of the arc tangent is exact for `d` up to `d^9 / 9 < 1e-21`. Beyond 1 the
/// arc tangents of `x` and `1 / x` make a right angle.
fn arc_tangent(x: Expr<'_>) -> Expr<'_> {
    let size = x.abs();
    let beyond = size.greater(1.0);
    let near = beyond.select(1.0 / size, size);
    let guess = near / (1.0 + 0.28 * near.square());
    let (sin, cos) = (guess.sin(), guess.cos());
    let missing = (near * cos - sin) / (cos + near * sin);
    let square = missing.square();
    let series = missing * (1.0 - square * (1.0 / 3.0 - square * (1.0 / 5.0 - square * (1.0 / 7.0))));
    let angle = guess + series;
    x.sign() * beyond.select(FRAC_PI_2 - angle, angle)
}
