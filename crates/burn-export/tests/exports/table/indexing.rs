//! Reading and writing by index, masks, and tensors made by shape.

use burn::tensor::{Bool, Int, Tensor, s};

use super::Row;
use crate::{kinds, row};

/// The rows.
pub fn rows() -> Vec<Row> {
    reads().into_iter().chain(slices()).chain(masks()).chain(made()).collect()
}

fn reads() -> Vec<Row> {
    vec![
        row!("select", [x: Real, "n,4,3" => Tensor<3>, i: Below(4), "m" => Tensor<1, Int>], x.select(1, i)),
        row!("select int", [x: Whole, "n,4,3" => Tensor<3, Int>, i: Below(4), "m" => Tensor<1, Int>], x.select(1, i)),
        row!("select bool", [x: Truth, "n,4,3" => Tensor<3, Bool>, i: Below(4), "m" => Tensor<1, Int>], x.select(1, i)),
        row!("gather", [x: Real, "n,4" => Tensor<2>, i: Below(4), "n,3" => Tensor<2, Int>], x.gather(1, i)),
        row!("gather int", [x: Whole, "n,4" => Tensor<2, Int>, i: Below(4), "n,3" => Tensor<2, Int>], x.gather(1, i)),
        row!("gather bool", [x: Truth, "n,4" => Tensor<2, Bool>, i: Below(4), "n,3" => Tensor<2, Int>], x.gather(1, i)),
        row!("gather_nd", [x: Real, "4,4,n" => Tensor<3>, i: Below(4), "m,2" => Tensor<2, Int>], x.gather_nd::<2, 2>(i)),
        row!("gather_nd int", [x: Whole, "4,4,n" => Tensor<3, Int>, i: Below(4), "m,2" => Tensor<2, Int>], {
            x.gather_nd::<2, 2>(i)
        }),
    ]
}

fn slices() -> Vec<Row> {
    kinds!("slice", [x, "n,5,m" => 3], x.slice(s![.., 1..4, ..]))
        .chain([
            row!("slice dynamic", [x: Real, "n,5" => Tensor<2>], {
                let [n, _] = x.dims();
                x.slice(s![n - 1..n, ..])
            }),
            row!("slice_assign two axes", [x: Real, "4,n,5" => Tensor<3>, v: Real, "2,n,2" => Tensor<3>], {
                x.slice_assign(s![1..3, .., 3..5], v)
            }),
            row!("narrow", [x: Real, "n,5" => Tensor<2>], x.narrow(1, 2, 2)),
        ])
        .chain(kinds!("slice step", [x, "n,6" => 2], x.slice(s![.., 0..6;2])))
        .chain(kinds!("slice reversed", [x, "n,6" => 2], x.slice(s![.., 1..5;-1])))
        .chain(kinds!("slice_assign", [x, "n,5" => 2, v, "n,2" => 2], x.slice_assign(s![.., 1..3], v)))
        .chain(kinds!("slice_assign step", [x, "n,6" => 2, v, "n,3" => 2], x.slice_assign(s![.., 0..6;2], v)))
        .chain(kinds!("slice_assign reversed", [x, "n,6" => 2, v, "n,4" => 2], x.slice_assign(s![.., 1..5;-1], v)))
        .collect()
}

fn masks() -> Vec<Row> {
    vec![
        row!("mask_where", [x: Real, "n,3" => Tensor<2>, m: Truth, "n,3" => Tensor<2, Bool>, v: Real, "n,3" => Tensor<2>], {
            x.mask_where(m, v)
        }),
        row!("mask_where int", [x: Whole, "n,3" => Tensor<2, Int>, m: Truth, "n,3" => Tensor<2, Bool>, v: Whole, "n,3" => Tensor<2, Int>], {
            x.mask_where(m, v)
        }),
        row!("mask_where bool", [x: Truth, "n,3" => Tensor<2, Bool>, m: Truth, "n,3" => Tensor<2, Bool>, v: Truth, "n,3" => Tensor<2, Bool>], {
            x.mask_where(m, v)
        }),
        row!("mask_fill", [x: Real, "n,3" => Tensor<2>, m: Truth, "n,3" => Tensor<2, Bool>], x.mask_fill(m, -5.0)),
        row!("mask_fill int", [x: Whole, "n,3" => Tensor<2, Int>, m: Truth, "n,3" => Tensor<2, Bool>], x.mask_fill(m, 7)),
        row!("mask_fill bool", [x: Truth, "n,3" => Tensor<2, Bool>, m: Truth, "n,3" => Tensor<2, Bool>], x.mask_fill(m, true)),
        row!("mask_fill infinite", [x: Real, "n,3" => Tensor<2>, m: Truth, "n,3" => Tensor<2, Bool>], {
            x.mask_fill(m, f32::NEG_INFINITY)
        }),
        row!("triu", [x: Real, "n,4" => Tensor<2>], x.triu(1)),
        row!("tril dynamic", [x: Real, "n,m" => Tensor<2>], x.tril(0)),
    ]
}

fn made() -> Vec<Row> {
    vec![
        row!("arange", [x: Real, "n,m" => Tensor<2>], {
            let [_, m] = x.dims();
            let places = Tensor::<1, Int>::arange(0..m as i64, &x.device()).float().cast(x.dtype());
            x + places.unsqueeze()
        }),
        row!("ones", [x: Real, "n,m" => Tensor<2>], {
            let [n, m] = x.dims();
            Tensor::<2>::ones([n, m], (&x.device(), x.dtype())) * 2.0 + x
        }),
        row!("zeros", [x: Edge, "n,m" => Tensor<2>], x.zeros_like()),
        row!("zeros int", [x: Whole, "n,m" => Tensor<2, Int>], x.zeros_like()),
        row!("ones bool", [x: Truth, "n,m" => Tensor<2, Bool>], x.ones_like()),
        row!("full", [x: Real, "n,m" => Tensor<2>], x.full_like(2.5) + x),
        row!("full int", [x: Whole, "n,m" => Tensor<2, Int>], x.full_like(7)),
        row!("empty, then written", [x: Real, "n,m" => Tensor<2>], {
            let [n, m] = x.dims();
            Tensor::<2>::empty([n, m], (&x.device(), x.dtype())).slice_assign(s![.., ..], x)
        }),
        row!("full by size", [x: Real, "n,m" => Tensor<2>], {
            let [_, m] = x.dims();
            x.sum_dim(1) / m as f32
        }),
    ]
}
