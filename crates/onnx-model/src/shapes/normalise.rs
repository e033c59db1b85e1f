//! Normalisation by statistics of the input, and recurrent layers.

use super::elementwise::same;
use super::extent::Extent;
use super::op::{Dims, Op, agree, axis, broadcast};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Hardmax", "LogSoftmax", "Softmax"], Rule::one(flattened)),
    (&["LpNormalization"], Rule::one(along)),
    (&["LRN", "MeanVarianceNormalization"], Rule::one(same)),
    (&["LayerNormalization", "RMSNormalization"], Rule::all(layer)),
    (&["BatchNormalization"], Rule::all(batch)),
    (&["InstanceNormalization"], Rule::one(|op| per_channel(op, &[1, 2]))),
    (&["GroupNormalization"], Rule::one(group)),
    (&["LSTM"], Rule::all(|op| recurrent(op, 4))),
    (&["GRU"], Rule::all(|op| recurrent(op, 3))),
    (&["RNN"], Rule::all(|op| recurrent(op, 1))),
];

/// The shape of the input, which has the axis.
fn along(op: &Op) -> Result<Option<Dims>, Problem> {
    if let (Some(rank), Some(value)) = (op.rank(0), op.int("axis")) {
        axis(value, rank)?;
    }
    same(op)
}

/// Softmax and its kin before opset 13 flatten at the axis, which may then also be the rank.
fn flattened(op: &Op) -> Result<Option<Dims>, Problem> {
    match op.rank(0) {
        Some(rank) if op.schema.since < 13 && op.int("axis") == i64::try_from(rank).ok() => same(op),
        _ => along(op),
    }
}

fn layer(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    let (Some(dims), Some(from)) = (op.dims(0), op.int("axis")) else { return Ok(vec![None; 3]) };
    let from = axis(from, dims.len())?;
    for input in 1..op.inputs.len() {
        if let Some(scale) = op.dims(input) {
            let whole = broadcast(&[&dims[from..].to_vec(), scale])?;
            let rule = "scale and bias broadcast to the normalised axes";
            if whole.len() > dims.len() {
                return Err(Problem::Rank { input, found: scale.len(), rule });
            }
            for (size, grown) in dims.iter().rev().zip(whole.iter().rev()) {
                agree(size, grown, rule)?;
            }
        }
    }
    let ones = dims[from..].iter().map(|_| Some(Extent::known(1)));
    let statistics: Dims = dims[..from].iter().cloned().chain(ones).collect();
    Ok(vec![Some(dims.clone()), Some(statistics.clone()), Some(statistics)])
}

/// The shape of the input; the inputs at `vectors` hold a number for each of its channels.
fn per_channel(op: &Op, vectors: &[usize]) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(0, 2, "it has a batch and a channel axis")?;
    let channels = op.dims(0).and_then(|dims| dims.get(1)).cloned().flatten();
    for input in vectors {
        op.rank_is(*input, 1, "it has one number for each channel")?;
        if let Some([size]) = op.dims(*input).map(Vec::as_slice) {
            agree(size, &channels, "there is one number for each channel")?;
        }
    }
    Ok(op.dims(0).cloned())
}

fn batch(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    let dims = per_channel(op, &[1, 2, 3, 4])?;
    let statistics = op.dims(3).cloned();
    let mut shapes = vec![dims];
    shapes.resize(op.node.outputs.len().max(1), statistics);
    Ok(shapes)
}

fn group(op: &Op) -> Result<Option<Dims>, Problem> {
    let channels = op.dims(0).and_then(|dims| dims.get(1)?.as_ref()?.as_known());
    if let (Some(channels), Some(groups)) = (channels, op.int("num_groups"))
        && (groups < 1 || channels % groups != 0)
    {
        let rule = "the groups share the channels evenly";
        return Err(Problem::Value { name: "num_groups", value: groups.to_string(), rule });
    }
    per_channel(op, &[1, 2])
}

/// LSTM (4 gates), GRU (3) and RNN (1), in the layout with time first.
fn recurrent(op: &Op, gates: i64) -> Result<Vec<Option<Dims>>, Problem> {
    let outputs = op.node.outputs.len();
    for input in 0..3 {
        op.rank_is(input, 3, "it has three axes")?;
    }
    let (Some(x), false) = (op.dims(0), op.flag("layout")) else { return Ok(vec![None; outputs]) };
    let directions = match op.string("direction") {
        Some("bidirectional") => 2,
        Some("forward" | "reverse") | None => 1,
        Some(other) => {
            let rule = "it is forward, reverse or bidirectional";
            return Err(Problem::Value { name: "direction", value: other.to_owned(), rule });
        }
    };
    let directions = Some(Extent::known(directions));
    let mut hidden = op.int("hidden_size").map(Extent::known);
    if let Some(w) = op.dims(1) {
        agree(&w[0], &directions, "there is one weight for each direction")?;
        agree(&w[2], &x[2], "the weight's last axis is that of the input")?;
        let rows = hidden.as_ref().and_then(|hidden| hidden.times(gates));
        agree(&w[1], &rows, "the weight has one row for each gate and unit")?;
    }
    if let Some(r) = op.dims(2) {
        hidden = agree(&hidden, &r[2], "the recurrent weight's last axis is hidden_size")?;
    }
    op.rank_is(3, 2, "the bias has one row for each direction")?;
    if let (Some([rows, numbers]), Some(hidden)) = (op.dims(3).map(Vec::as_slice), &hidden) {
        agree(rows, &directions, "there is one bias for each direction")?;
        agree(numbers, &hidden.times(2 * gates), "the bias has two numbers for each gate and unit")?;
    }
    let (time, batch) = (x[0].clone(), x[1].clone());
    let last = Some(vec![directions.clone(), batch.clone(), hidden.clone()]);
    Ok(vec![Some(vec![time, directions, batch, hidden]), last.clone(), last])
}
