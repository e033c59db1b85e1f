//! Reading and writing by index.

use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, s};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("select", [x: Real, "n,4,3" => Tensor<3>, i: Below(4), "m" => Tensor<1, Int>], x.select(1, i)),
        row!("gather", [x: Real, "n,4" => Tensor<2>, i: Below(4), "n,3" => Tensor<2, Int>], x.gather(1, i)),
        row!("gather_nd", [x: Real, "4,4,n" => Tensor<3>, i: Below(4), "m,2" => Tensor<2, Int>], {
            let out: Tensor<2> = x.gather_nd(i);
            out
        }),
        row!("scatter", [x: Real, "n,4" => Tensor<2>, i: Below(4), "n,3" => Tensor<2, Int>, v: Real, "n,3" => Tensor<2>], {
            x.scatter(1, i, v, IndexingUpdateOp::Add)
        }),
        row!("scatter_nd", [x: Real, "5,n" => Tensor<2>, v: Real, "2,n" => Tensor<2>, i: Below(5), "2,1" => Tensor<2, Int>], {
            x.scatter_nd(i, v, IndexingUpdateOp::Add)
        }),
        row!("scatter_nd over two axes", [x: Real, "n,4,m" => Tensor<3>, v: Edge, "3,m" => Tensor<2>], {
            let device = x.device();
            let places = Tensor::<2, Int>::from_ints([[0, 1], [0, 3], [0, 1]], &device);
            x.scatter_nd(places, v, IndexingUpdateOp::Add)
        }),
        row!("select_assign", [x: Real, "n,4,2" => Tensor<3>, i: Below(4), "3" => Tensor<1, Int>, v: Real, "n,3,2" => Tensor<3>], {
            x.select_assign(1, i, v, IndexingUpdateOp::Add)
        }),
        row!("slice", [x: Real, "n,5,m" => Tensor<3>], x.slice(s![.., 1..4, ..])),
        row!("slice dynamic", [x: Real, "n,5" => Tensor<2>], {
            let [n, _] = x.dims();
            x.slice(s![n - 1..n, ..])
        }),
        row!("slice step", [x: Real, "n,6" => Tensor<2>], x.slice(s![.., 0..6;2])),
        row!("slice reversed", [x: Real, "n,6" => Tensor<2>], x.slice(s![.., 1..5;-1])),
        row!("slice int", [x: Whole, "n,5" => Tensor<2, Int>], x.slice(s![.., 1..-1])),
        row!("slice_assign", [x: Real, "n,5" => Tensor<2>, v: Real, "n,2" => Tensor<2>], x.slice_assign(s![.., 1..3], v)),
        row!("slice_assign two axes", [x: Real, "4,n,5" => Tensor<3>, v: Real, "2,n,2" => Tensor<3>], {
            x.slice_assign(s![1..3, .., 3..5], v)
        }),
        row!("narrow", [x: Real, "n,5" => Tensor<2>], x.narrow(1, 2, 2)),
        row!("mask_where", [x: Real, "n,3" => Tensor<2>, m: Truth, "n,3" => Tensor<2, Bool>, v: Real, "n,3" => Tensor<2>], {
            x.mask_where(m, v)
        }),
        row!("mask_where bool", [x: Truth, "n,3" => Tensor<2, Bool>, m: Truth, "n,3" => Tensor<2, Bool>, v: Truth, "n,3" => Tensor<2, Bool>], {
            x.mask_where(m, v)
        }),
        row!("mask_fill", [x: Real, "n,3" => Tensor<2>, m: Truth, "n,3" => Tensor<2, Bool>], x.mask_fill(m, -5.0)),
        row!("mask_fill int", [x: Whole, "n,3" => Tensor<2, Int>, m: Truth, "n,3" => Tensor<2, Bool>], x.mask_fill(m, 7)),
        row!("mask_fill infinite", [x: Real, "n,3" => Tensor<2>, m: Truth, "n,3" => Tensor<2, Bool>], {
            x.mask_fill(m, f32::NEG_INFINITY)
        }),
        row!("triu", [x: Real, "n,4" => Tensor<2>], x.triu(1)),
        row!("tril dynamic", [x: Real, "n,m" => Tensor<2>], x.tril(0)),
        row!("arange", [x: Real, "n,m" => Tensor<2>], {
            let [_, m] = x.dims();
            let device = x.device();
            x + Tensor::<1, Int>::arange(0..m as i64, &device).float().unsqueeze()
        }),
        row!("ones", [x: Real, "n,m" => Tensor<2>], {
            let device = x.device();
            let [n, m] = x.dims();
            Tensor::<2>::ones([n, m], &device) * 2.0 + x
        }),
        row!("zeros", [x: Edge, "n,m" => Tensor<2>], x.zeros_like()),
        row!("full", [x: Real, "n,m" => Tensor<2>], x.full_like(2.5) + x),
        row!("full int", [x: Whole, "n,m" => Tensor<2, Int>], x.full_like(7)),
        row!("empty, then written", [x: Real, "n,m" => Tensor<2>], {
            let device = x.device();
            let [n, m] = x.dims();
            Tensor::<2>::empty([n, m], &device).slice_assign(s![.., ..], x)
        }),
        row!("full by size", [x: Real, "n,m" => Tensor<2>], {
            let [_, m] = x.dims();
            x.sum_dim(1) / m as f32
        }),
    ]
}
