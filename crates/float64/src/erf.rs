//! The error function.
//!
//! ONNX Runtime has it in float32 alone. Below 1 it is `x` times a polynomial in `x^2`; above, what it lacks of 1 is
//! `e^(-x^2)` times a polynomial in `2 / (2 + x)`, the variable of W. H. Press et al., "Numerical Recipes", section 6.2.2. The
//! coefficients interpolate at Chebyshev's nodes (`scripts/erf.py`). The result is off by less than 3e-16 of itself.

use super::writer::Expr;

/// Of `erf(x) / x` in `2 x^2 - 1`.
const NEAR: [f64; 12] = [
    0.9654687386698673,
    -0.1405360890227171,
    0.019852496688984218,
    -0.0022854855611440855,
    0.00021751715603563488,
    -1.75371694412802e-05,
    1.2233827638093572e-06,
    -7.51156925108609e-08,
    4.115751500265885e-09,
    -2.035231956483527e-10,
    9.21125018742823e-12,
    -3.80659122412214e-13,
];

/// Of `e^(x^2) erfc(x)` in `2 / (2 + x)`, brought from 1/4 and 2/3 to -1 and 1.
const FAR: [f64; 15] = [
    0.2214295402299318,
    0.16189356804102537,
    0.038560570425181566,
    0.0055888162818258785,
    0.00019713917776008889,
    -8.079220411804128e-05,
    -7.340518284999869e-06,
    1.979561158209264e-06,
    1.6350102372087984e-07,
    -7.005170205475373e-08,
    -5.926361315281833e-10,
    2.622350032514279e-09,
    -2.634243021000669e-10,
    -7.290508535165398e-11,
    1.8620989806815163e-11,
];

/// From here on the error function is 1 in float64.
const LAST: f64 = 6.0;

/// `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `x`.
pub fn error_function(x: Expr<'_>) -> Expr<'_> {
    let near = x * polynomial(&NEAR, 2.0 * x.square() - 1.0);
    let size = x.abs().min(LAST);
    let (low, high) = (0.25, 2.0 / 3.0);
    let variable = (2.0 / (2.0 + size) - (high + low) / 2.0) * (2.0 / (high - low));
    let far = x.sign() * (1.0 - (-size.square()).exp() * polynomial(&FAR, variable));
    size.less(1.0).select(near, far)
}

fn polynomial<'w>(coefficients: &[f64], x: Expr<'w>) -> Expr<'w> {
    let (last, rest) = coefficients.split_last().expect("a polynomial has a coefficient");
    let (next, rest) = rest.split_last().expect("it is no constant");
    let highest = *last * x + *next;
    rest.iter().rev().fold(highest, |sum, coefficient| sum * x + *coefficient)
}
