//! Attention and rotary positions, by their definitions. ONNX Runtime takes the scale of the first in float32, and the second
//! is not defined in float64.

use super::form::{Family, Form};
use super::step::{Outputs, Reason, Step};
use super::writer::{Expr, Operand};
use onnx_model::DataType;
use onnx_model::shapes::Extent;

pub const FAMILY: Family = &[(&["Attention"], 0, Form::All(attention)), (&["RotaryEmbedding"], 0, Form::One(rotary))];

/// An input as `[batch, heads, length, size]`.
fn heads<'w>(step: &Step<'_, 'w>, position: usize, attribute: &str) -> Result<Expr<'w>, Reason> {
    let x = step.input(position);
    match (step.rank(position)?, step.int(attribute)) {
        (4, _) => Ok(x),
        (3, count @ 1..) => Ok(x.reshape(&[0, 0, count, -1]).transpose(&[0, 2, 1, 3])),
        _ => Err("the number of its heads is not known"),
    }
}

/// How many heads an input has.
fn count(step: &Step, position: usize, attribute: &str) -> Result<i64, Reason> {
    let sizes = step.sizes(position)?;
    let count = if sizes.len() == 4 { sizes[1] } else { step.op.int(attribute) };
    count.filter(|count| (1..1 << 31).contains(count)).ok_or("the number of its heads is not known")
}

fn attention<'w>(step: &Step<'_, 'w>) -> Outputs<'w> {
    let writer = step.writer;
    let window = ["left_window_size", "right_window_size"].iter().any(|name| step.op.int(name).unwrap_or(-1) >= 0);
    if window || step.op.input(6).is_some() || step.op.node.outputs.len() > 3 {
        return Err("it has a window, padded keys, or gives its scores");
    }
    let grown = |position: usize, past: usize| {
        let new = heads(step, position, "kv_num_heads")?;
        Ok::<_, Reason>(step.optional(past).map_or(new, |past| writer.concat(&[past, new], 2)))
    };
    let (query, key, value) = (heads(step, 0, "q_num_heads")?, grown(1, 4)?, grown(2, 5)?);
    let shared = count(step, 0, "q_num_heads")? / count(step, 1, "kv_num_heads")?;
    let scale = match step.op.float("scale") {
        Some(scale) => f64::from(scale).expr(writer),
        None => 1.0 / query.shape().gather(3, 0).cast(DataType::F64).sqrt(),
    };
    let scores = query.matmul(repeated(key, shared).transpose(&[0, 1, 3, 2])) * scale;
    let scores = match step.real("softcap") {
        0.0 => scores,
        cap => cap * (scores / cap).tanh(),
    };
    let scores = masked(step, scores, query, key)?;
    // A row in which nothing may be attended to gives zero.
    let nothing = scores.reduce("ReduceMax", &[-1], true).equal(f64::NEG_INFINITY);
    let shares = writer.node("Softmax", &[scores], &[("axis", (-1i64).into())]);
    let result = nothing.select(0.0, shares).matmul(repeated(value, shared));
    let result = match step.rank(0)? {
        3 => result.transpose(&[0, 2, 1, 3]).reshape(&[0, 0, -1]),
        _ => result,
    };
    Ok(vec![result, key, value])
}

/// Keys or values, each head so many times in a row.
fn repeated(x: Expr<'_>, times: i64) -> Expr<'_> {
    if times == 1 {
        return x;
    }
    let writer = x.writer();
    let apart = writer.node("Expand", &[x.unsqueeze(&[2]), writer.ints(&[1, 1, times, 1, 1])], &[]);
    let heads = x.shape().slice(&[1], &[2], &[0], &[1]) * times;
    apart.reshape_to(writer.concat(&[writer.ints(&[0]), heads, x.shape().from(2)], 0))
}

/// The scores with what the mask adds, and without what lies in the future.
fn masked<'w>(step: &Step<'_, 'w>, scores: Expr<'w>, query: Expr<'w>, key: Expr<'w>) -> Result<Expr<'w>, Reason> {
    let scores = match step.op.input(3).map(|mask| mask.dtype) {
        None => scores,
        Some(Some(DataType::Bool)) => step.input(3).select(scores, f64::NEG_INFINITY),
        Some(Some(_)) => scores + step.input(3).cast(DataType::F64),
        Some(None) => return Err("the type of its mask is not known"),
    };
    if !step.op.flag("is_causal") {
        return Ok(scores);
    }
    let length = |x: Expr<'w>| x.shape().gather(2, 0);
    let rows = step.writer.range(length(query)).reshape(&[-1, 1]);
    let rows = step.optional(4).map_or(rows, |past| rows + length(past));
    Ok(step.writer.range(length(key)).greater(rows).select(f64::NEG_INFINITY, scores))
}

fn rotary<'w>(step: &Step<'_, 'w>) -> Result<Expr<'w>, Reason> {
    let writer = step.writer;
    let x = heads(step, 0, "num_heads")?;
    let half = match step.int("rotary_embedding_dim") {
        0 => step.op.dims(1).and_then(|dims| dims.last()?.as_ref().and_then(Extent::as_known)),
        both => Some(both / 2),
    };
    let half = half.filter(|half| (1..1 << 31).contains(half)).ok_or("the size of what it turns is not known")?;
    let cache = |position| {
        let all = step.input(position);
        let chosen = step.optional(3).map_or(all, |positions| all.gather(positions, 0));
        chosen.unsqueeze(&[1])
    };
    let (cos, sin) = (cache(1), cache(2));
    let interleaved = step.op.flag("interleaved");
    let part = |index: i64| match interleaved {
        true => x.slice(&[index], &[2 * half], &[3], &[2]),
        false => x.slice(&[index * half], &[(index + 1) * half], &[3], &[1]),
    };
    let (first, second) = (part(0), part(1));
    let (real, imaginary) = (cos * first - sin * second, sin * first + cos * second);
    let turned = match interleaved {
        // The pairs side by side, joined.
        true => writer.concat(&[real.unsqueeze(&[4]), imaginary.unsqueeze(&[4])], 4).reshape(&[0, 0, 0, 2 * half]),
        false => writer.concat(&[real, imaginary], 3),
    };
    let all = writer.concat(&[turned, x.slice(&[2 * half], &[i64::MAX], &[3], &[1])], 3);
    Ok(match step.rank(0)? {
        3 => all.transpose(&[0, 2, 1, 3]).reshape(&[0, 0, -1]),
        _ => all,
    })
}
