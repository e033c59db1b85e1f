//! Pools by sums.

use super::form::{Family, Form};
use super::step::{One, Reason, Step};
use super::window::{Window, kernel_shape};
use super::writer::{Expr, Operand};
use onnx_model::Tensor;

pub const FAMILY: Family = &[
    (&["AveragePool"], 0, Form::One(average)),
    (&["GlobalAveragePool"], 0, Form::One(global_average)),
    (&["GlobalLpPool"], 0, Form::One(global_norm)),
    (&["GlobalMaxPool"], 0, Form::One(global_max)),
    (&["LpPool"], 0, Form::One(norm)),
    (&["MaxPool", "RoiAlign"], 0, Form::Native),
];

fn average<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let window = Window::new(step, kernel_shape(step)?)?;
    let padding = window.padding(step, x)?;
    let sums = window.sums(padding.around(x, 0.0));
    let with_padding = step.op.flag("count_include_pad");
    if padding.extra.is_none() && (padding.none || with_padding) {
        return Ok(sums / window.places() as f64);
    }
    // How many values each window has.
    let size = step.writer.concat(&[step.writer.ints(&[1, 1]), x.shape().from(2)], 0);
    let ones = step.writer.node("ConstantOfShape", &[size], &[("value", Tensor::vector("", &[1.0f64]).into())]);
    Ok(sums / window.sums(padding.around(ones, f64::from(u8::from(with_padding)))))
}

fn norm<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let window = Window::new(step, kernel_shape(step)?)?;
    let padding = window.padding(step, x)?;
    let p = step.int("p");
    Ok(root(window.sums(padding.around(power(x, p), 0.0)), p))
}

/// `|x|^p`.
fn power(x: Expr<'_>, p: i64) -> Expr<'_> {
    match p {
        1 => x.abs(),
        2 => x.square(),
        _ => x.abs().pow(p as f64),
    }
}

/// The inverse of [`power`].
fn root(x: Expr<'_>, p: i64) -> Expr<'_> {
    match p {
        1 => x,
        2 => x.sqrt(),
        _ => x.pow((1.0 / p as f64).expr(x.writer())),
    }
}

fn spatial(step: &Step) -> Result<Vec<i64>, Reason> {
    Ok((2..step.rank(0)? as i64).collect())
}

fn global_average<'w>(step: &Step<'_, 'w>) -> One<'w> {
    Ok(step.input(0).mean(&spatial(step)?))
}

fn global_max<'w>(step: &Step<'_, 'w>) -> One<'w> {
    Ok(step.input(0).reduce("ReduceMax", &spatial(step)?, true))
}

fn global_norm<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let p = step.int("p");
    Ok(root(power(step.input(0), p).reduce("ReduceSum", &spatial(step)?, true), p))
}
