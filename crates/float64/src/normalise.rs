//! Normalisations. Means are taken off before squares are summed, so that nothing cancels.

use super::correlate::per_channel;
use super::form::{Family, Form};
use super::step::{One, Outputs, Reason, Step};
use super::writer::Expr;

pub const FAMILY: Family = &[
    (&["BatchNormalization"], 0, Form::Where(infers)),
    (&["GroupNormalization"], 0, Form::One(group)),
    (&["InstanceNormalization"], 0, Form::One(instance)),
    (&["LRN"], 0, Form::One(local_response)),
    (&["LayerNormalization"], 0, Form::All(layer)),
    (&["MeanVarianceNormalization"], 0, Form::One(mean_variance)),
    (&["RMSNormalization"], 0, Form::One(root_mean_square)),
];

/// Whether a `BatchNormalization` takes its statistics as they are given, channel by channel.
fn infers(step: &Step) -> Result<(), Reason> {
    if step.int("training_mode") != 0 || step.op.node.outputs.iter().skip(1).any(|name| !name.is_empty()) {
        return Err("it gathers statistics, as in training");
    }
    match step.op.int("spatial") {
        Some(0) => Err("it has statistics for each place"),
        _ => Ok(()),
    }
}

/// `x` less its mean, the mean, and the square root of the variance plus `epsilon`.
fn moments<'w>(x: Expr<'w>, axes: &[i64], epsilon: f64) -> (Expr<'w>, Expr<'w>, Expr<'w>) {
    let mean = x.mean(axes);
    let rest = x - mean;
    (rest, mean, (rest.square().mean(axes) + epsilon).sqrt())
}

/// The axes from the attribute `axis` to the last.
fn last_axes(step: &Step) -> Result<Vec<i64>, Reason> {
    let rank = step.rank(0)?;
    Ok((step.axis("axis", rank)? - rank as i64..0).collect())
}

fn layer<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    let (rest, mean, deviation) = moments(step.input(0), &last_axes(step)?, step.real("epsilon"));
    let scaled = rest / deviation * step.input(1);
    let result = step.optional(2).map_or(scaled, |bias| scaled + bias);
    let further = step.op.node.outputs.len() > 1;
    Ok(if further { vec![result, mean, 1.0 / deviation] } else { vec![result] })
}

fn root_mean_square<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let size = (x.square().mean(&last_axes(step)?) + step.real("epsilon")).sqrt();
    Ok(x / size * step.input(1))
}

fn scaled<'w>(step: &Step<'_, 'w>, x: Expr<'w>, axes: usize) -> Expr<'w> {
    x * per_channel(step.input(1), axes) + per_channel(step.input(2), axes)
}

fn instance<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let rank = step.rank(0)?;
    let axes: Vec<i64> = (2..rank as i64).collect();
    let (rest, _, deviation) = moments(step.input(0), &axes, step.real("epsilon"));
    Ok(scaled(step, rest / deviation, rank.saturating_sub(2)))
}

fn group<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let rank = step.rank(0)?;
    let (rest, _, deviation) = moments(x.reshape(&[0, step.int("num_groups"), -1]), &[2], step.real("epsilon"));
    Ok(scaled(step, (rest / deviation).reshape_to(x.shape()), rank.saturating_sub(2)))
}

fn mean_variance<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let axes = step.op.ints("axes").unwrap_or_default();
    let rank = step.rank(0)? as i64;
    if axes.iter().any(|axis| !(-rank..rank).contains(axis)) {
        return Err("an axis is outside of its input");
    }
    let (rest, _, deviation) = moments(step.input(0), axes, 0.0);
    // The definition of the operator has this number.
    Ok(rest / (deviation + f64::from(1e-9f32)))
}

fn local_response<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let x = step.input(0);
    let (rank, size) = (step.rank(0)?, step.int("size"));
    if rank < 2 || !(1..1 << 14).contains(&size) {
        return Err("it has no channels, or its size is too large");
    }
    let mut pads = vec![0; 2 * rank];
    (pads[1], pads[rank + 1]) = ((size - 1) / 2, size / 2);
    let squares = x.square().pad_zeros(&pads);
    let near = (0..size).map(|place| {
        let rest = size - 1 - place;
        squares.slice(&[place], &[if rest == 0 { i64::MAX } else { -rest }], &[1], &[1])
    });
    let sum = step.writer.sum(&near.collect::<Vec<_>>());
    let base = step.real("bias") + step.real("alpha") / size as f64 * sum;
    Ok(x / base.pow(step.real("beta")))
}
