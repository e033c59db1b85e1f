//! Matrix products.

use std::collections::BTreeMap;

use super::extent::{Extent, Size};
use super::op::{Dims, Op, agree, broadcast};
use super::rule::{Family, Rule};
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["MatMul", "MatMulInteger"], Rule::one(|op| matmul(op, 0, 1))),
    (&["QLinearMatMul"], Rule::one(|op| matmul(op, 0, 3))),
    (&["Gemm"], Rule::one(gemm)),
    (&["Einsum"], Rule::one(einsum)),
];

const INNER: &str = "the inner sizes of a matrix product agree";

/// A product by NumPy's rule: vectors are rows on the left and columns on the right, other axes broadcast.
fn matmul(op: &Op, left: usize, right: usize) -> Result<Option<Dims>, Problem> {
    op.rank_at_least(left, 1, "a scalar has no matrix product")?;
    op.rank_at_least(right, 1, "a scalar has no matrix product")?;
    let (Some(a), Some(b)) = (op.dims(left), op.dims(right)) else { return Ok(None) };
    let (Some((a_inner, a_rest)), Some((b_last, b_rest))) = (a.split_last(), b.split_last()) else { return Ok(None) };
    let (b_inner, b_columns, b_batch) = match b_rest.split_last() {
        None => (b_last, None, [].as_slice()),
        Some((inner, batch)) => (inner, Some(b_last), batch),
    };
    agree(a_inner, b_inner, INNER)?;
    let (a_rows, a_batch) = match a_rest.split_last() {
        None => (None, [].as_slice()),
        Some((rows, batch)) => (Some(rows), batch),
    };
    let mut dims = broadcast(&[&a_batch.to_vec(), &b_batch.to_vec()])?;
    dims.extend(a_rows.cloned());
    dims.extend(b_columns.cloned());
    Ok(Some(dims))
}

fn gemm(op: &Op) -> Result<Option<Dims>, Problem> {
    op.rank_is(0, 2, "it must be a matrix")?;
    op.rank_is(1, 2, "it must be a matrix")?;
    let oriented = |input, transposed| {
        let (first, second) = match op.dims(input).map(Vec::as_slice) {
            Some([first, second]) => (first.clone(), second.clone()),
            _ => (None, None),
        };
        if transposed { (second, first) } else { (first, second) }
    };
    let (rows, left) = oriented(0, op.flag("transA"));
    let (right, columns) = oriented(1, op.flag("transB"));
    agree(&left, &right, INNER)?;
    let dims = vec![rows, columns];
    if let Some(bias) = op.dims(2) {
        if bias.len() > 2 {
            return Err(Problem::Rank { input: 2, found: bias.len(), rule: "it broadcasts to the product" });
        }
        for (size, whole) in bias.iter().rev().zip(dims.iter().rev()) {
            if size.as_ref().and_then(Extent::as_known) != Some(1) {
                agree(size, whole, "the third input broadcasts to the product")?;
            }
        }
    }
    Ok(Some(dims))
}

/// Einstein's summation, without ellipses, whose shapes are left unknown.
fn einsum(op: &Op) -> Result<Option<Dims>, Problem> {
    let Some(equation) = op.string("equation") else { return Ok(None) };
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let bad = |rule| Problem::Value { name: "equation", value: equation.to_owned(), rule };
    let (terms, result) = match text.split_once("->") {
        Some((terms, result)) => (terms, Some(result)),
        None => (text.as_str(), None),
    };
    let terms: Vec<&str> = terms.split(',').collect();
    if terms.len() != op.inputs.len() {
        return Err(bad("it has one term for each input"));
    }
    if !text.chars().all(|c| c.is_ascii_alphabetic() || ",.->".contains(c)) {
        return Err(bad("it is made of letters, commas and one arrow"));
    }
    if text.contains('.') {
        return Ok(None);
    }
    let mut sizes = BTreeMap::<char, Size>::new();
    let mut counts = BTreeMap::<char, usize>::new();
    for (input, term) in terms.iter().enumerate() {
        let letters: Vec<char> = term.chars().collect();
        op.rank_is(input, letters.len(), "its term has one letter for each axis")?;
        for (position, letter) in letters.iter().enumerate() {
            *counts.entry(*letter).or_insert(0) += 1;
            let size = op.dims(input).and_then(|dims| dims[position].clone());
            let slot = sizes.entry(*letter).or_insert(None);
            // ONNX lets a size of 1 broadcast here.
            let one = |size: &Size| size.as_ref().and_then(Extent::as_known) == Some(1);
            *slot = match (one(slot), one(&size)) {
                (true, _) => size,
                (_, true) => slot.clone(),
                _ => agree(slot, &size, "axes under one letter have one size")?,
            };
        }
    }
    // Without a result, what stands once, in alphabetical order.
    let once = || counts.iter().filter(|(_, count)| **count == 1).map(|(letter, _)| *letter).collect::<String>();
    let result = result.map_or_else(once, str::to_owned);
    let dims: Option<Dims> = result.chars().map(|letter| sizes.get(&letter).cloned()).collect();
    dims.map(Some).ok_or_else(|| bad("every letter of the result stands in a term"))
}
