//! Scaled dot-product attention and rotary position encodings, of opset 23.

use super::extent::{Extent, Size};
use super::op::{Dims, Op, agree, multiple};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[(&["Attention"], Rule::all(attention)), (&["RotaryEmbedding"], Rule::one(rotary))];

fn attention(op: &Op) -> Result<Vec<Option<Dims>>, Problem> {
    let unknown = vec![None; op.node.outputs.len()];
    let (Some(q), Some(k), Some(v)) = (op.dims(0), op.dims(1), op.dims(2)) else { return Ok(unknown) };
    for (input, dims) in [q, k, v].into_iter().enumerate() {
        if !(3..=4).contains(&dims.len()) || dims.len() != q.len() {
            let rule = "query, key and value all have rank 3 or all rank 4";
            return Err(Problem::Rank { input, found: dims.len(), rule });
        }
    }
    let (Some(q), Some(k), Some(v)) =
        (heads(op, q, "q_num_heads")?, heads(op, k, "kv_num_heads")?, heads(op, v, "kv_num_heads")?)
    else {
        return Ok(unknown);
    };
    let batch = agree(&q[0], &k[0], "query and key have the same batch")?;
    agree(&batch, &v[0], "query and value have the same batch")?;
    agree(&q[3], &k[3], "query and key heads have the same size")?;
    agree(&k[1], &v[1], "key and value have the same heads")?;
    agree(&k[2], &v[2], "key and value have the same length")?;
    let past = |input| op.dims(input).and_then(|dims| dims.get(2)).cloned();
    let grown = |past: Option<Size>, length: &Size| match past {
        Some(past) => past.as_ref().zip(length.as_ref()).and_then(|(past, length)| past.add(length)),
        None => length.clone(),
    };
    let total = if op.input(4).is_some() { grown(Some(past(4).flatten()), &k[2]) } else { k[2].clone() };
    let y = match op.rank(0) {
        Some(3) => {
            let width = q[1].as_ref().zip(v[3].as_ref()).and_then(|(heads, size)| heads.mul(size));
            vec![batch.clone(), q[2].clone(), width]
        }
        _ => vec![batch.clone(), q[1].clone(), q[2].clone(), v[3].clone()],
    };
    let present = |last: &Size| Some(vec![batch.clone(), k[1].clone(), total.clone(), last.clone()]);
    let scores = Some(vec![batch.clone(), q[1].clone(), q[2].clone(), total.clone()]);
    Ok(vec![Some(y), present(&k[3]), present(&v[3]), scores])
}

/// `[batch, heads, length, size]` of an input that may have its heads side by side.
fn heads(op: &Op, dims: &Dims, attribute: &'static str) -> Result<Option<[Size; 4]>, Problem> {
    if let [batch, heads, length, size] = dims.as_slice() {
        return Ok(Some([batch.clone(), heads.clone(), length.clone(), size.clone()]));
    }
    let [batch, length, width] = dims.as_slice() else { return Ok(None) };
    let Some(count) = op.int(attribute).filter(|count| *count > 0) else {
        return Err(Problem::MissingAttribute(attribute));
    };
    multiple(width, count, "the heads share the last axis evenly")?;
    let size = width.as_ref().and_then(|width| width.divide_exactly(&Extent::known(count)));
    Ok(Some([batch.clone(), Some(Extent::known(count)), length.clone(), size]))
}

fn rotary(op: &Op) -> Result<Option<Dims>, Problem> {
    if let Some(found) = op.rank(0).filter(|rank| !(3..=4).contains(rank)) {
        return Err(Problem::Rank { input: 0, found, rule: "it has rank 3 or 4" });
    }
    let positions = op.input(3).is_some();
    let rank = if positions { 2 } else { 3 };
    for input in [1, 2] {
        op.rank_is(input, rank, "the caches have rank 2 beside positions and rank 3 without")?;
    }
    op.rank_is(3, 2, "positions have a batch and a length")?;
    if let (Some(cos), Some(sin)) = (op.dims(1), op.dims(2)) {
        for (cos, sin) in cos.iter().zip(sin) {
            agree(cos, sin, "both caches have the same shape")?;
        }
    }
    let Some(dims) = op.dims(0) else { return Ok(None) };
    if let Some([batch, length]) = op.dims(3).map(Vec::as_slice) {
        agree(batch, &dims[0], "positions have the batch of the input")?;
        agree(length, &dims[if dims.len() == 4 { 2 } else { 1 }], "positions have the length of the input")?;
    }
    if let ([_, _, _, Some(size)], None | Some(0), Some(last)) =
        (dims.as_slice(), op.int("rotary_embedding_dim"), op.dims(1).and_then(|cos| cos.last()))
    {
        agree(&last.as_ref().and_then(|half| half.times(2)), &Some(size.clone()), "a cache holds half of a head")?;
    }
    Ok(Some(dims.clone()))
}
