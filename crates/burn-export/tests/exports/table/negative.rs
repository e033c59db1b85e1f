//! Axes, places and sizes that are counted from the end, wherever Burn takes them so.

use burn::tensor::IndexingUpdateOp::Add;
use burn::tensor::activation::{glu, log_softmax, quiet_softmax, softmax, softmin};
use burn::tensor::{Bool, Int, Tensor, s};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    moves().into_iter().chain(reads_and_writes()).chain(reductions()).collect()
}

fn moves() -> Vec<Row> {
    vec![
        row!("flip from the end", [x: Real, "n,2,3" => Tensor<3>], x.flip([-1, -3])),
        row!("swap_dims from the end", [x: Real, "n,2,3" => Tensor<3>], x.swap_dims(-1, 0)),
        row!("permute from the end", [x: Real, "n,2,3" => Tensor<3>], x.permute([-1, 0, -2])),
        row!("movedim from the end", [x: Real, "n,2,3" => Tensor<3>], x.movedim(-1, 0)),
        row!("reshape to the rest", [x: Real, "n,6" => Tensor<2>], x.reshape([-1, 3])),
        row!("reshape the rest", [x: Real, "n,m,6" => Tensor<3>], x.reshape([0, -1])),
        row!("flatten from the end", [x: Real, "n,2,3" => Tensor<3>], x.flatten::<2>(-2, -1)),
        row!("squeeze from the end", [x: Real, "n,1,3" => Tensor<3>], x.squeeze_dim::<2>(-2)),
        row!("squeeze_dims from the end", [x: Real, "n,1,3,1" => Tensor<4>], x.squeeze_dims::<2>(&[-1, -3])),
        row!("unsqueeze from the end", [x: Real, "n,3" => Tensor<2>], x.unsqueeze_dim::<3>(-1)),
        row!("unsqueeze_dims from the end", [x: Real, "n,3" => Tensor<2>], x.unsqueeze_dims::<4>(&[-1, 0])),
        row!("expand the others", [x: Real, "n,1,3" => Tensor<3>], x.expand([-1, 4, -1])),
        row!("repeat_dim from the end", [x: Real, "n,2" => Tensor<2>], x.repeat_dim(-1, 3)),
        row!("cat from the end", [x: Real, "n,2" => Tensor<2>, y: Real, "n,3" => Tensor<2>], Tensor::cat(vec![x, y], -1)),
        row!("stack from the end", [x: Real, "n,2" => Tensor<2>, y: Real, "n,2" => Tensor<2>], Tensor::stack::<3>(vec![x, y], -1)),
        row!("unfold from the end", [x: Real, "n,7" => Tensor<2>], x.unfold::<3, _>(-1, 3, 2)),
        row!("roll from the end", [x: Real, "n,5" => Tensor<2>], x.roll_dim(-2, -1)),
        row!("split from the end", [x: Real, "n,6" => Tensor<2>], {
            let mut parts = x.split(4, -1).into_iter();
            let first = parts.next().unwrap_or_else(|| unreachable!());
            Tensor::cat(vec![parts.next().unwrap_or_else(|| unreachable!()), first], -1)
        }),
    ]
}

fn reads_and_writes() -> Vec<Row> {
    vec![
        row!("slice from the end", [x: Real, "n,6" => Tensor<2>], x.slice(s![.., -4..-1])),
        row!("slice step from the end", [x: Real, "n,6" => Tensor<2>], x.slice(s![.., -5..-1;2])),
        row!("slice backwards from the end", [x: Real, "n,6" => Tensor<2>], x.slice(s![.., -5..-1;-2])),
        row!("slice all backwards", [x: Real, "n,6" => Tensor<2>], x.slice(s![..;-1, ..;-3])),
        row!("slice the last, dynamic", [x: Real, "n,m" => Tensor<2>], x.slice(s![-1.., ..])),
        row!("slice_dim from the end", [x: Real, "n,6" => Tensor<2>], x.slice_dim(-1, s![1..-2])),
        row!("select_dim from the end", [x: Real, "n,4,m" => Tensor<3>], x.select_dim::<2>(-2, -1)),
        row!("narrow from the end", [x: Real, "n,6" => Tensor<2>], x.narrow(-1, 2, 3)),
        row!("slice_assign from the end", [x: Real, "n,5" => Tensor<2>, v: Real, "n,2" => Tensor<2>], x.slice_assign(s![.., -3..-1], v)),
        row!("slice_fill from the end", [x: Real, "n,5" => Tensor<2>], x.slice_fill(s![.., -3..-1], 0.5)),
        row!("select from the end", [x: Real, "n,4,3" => Tensor<3>, i: Below(4), "m" => Tensor<1, Int>], x.select(-2, i)),
        row!("gather from the end", [x: Real, "n,4" => Tensor<2>, i: Below(4), "n,3" => Tensor<2, Int>], x.gather(-1, i)),
        row!("scatter from the end", [x: Real, "n,4" => Tensor<2>, i: Below(4), "n,3" => Tensor<2, Int>, v: Real, "n,3" => Tensor<2>], {
            x.scatter(-1, i, v, Add)
        }),
        row!("select_assign from the end", [x: Real, "n,4,2" => Tensor<3>, i: Below(4), "3" => Tensor<1, Int>, v: Real, "n,3,2" => Tensor<3>], {
            x.select_assign(-2, i, v, Add)
        }),
        row!("take from the end", [x: Real, "n,4" => Tensor<2>, i: Below(4), "3,m" => Tensor<2, Int>], x.take::<2, 3>(-1, i)),
    ]
}

fn reductions() -> Vec<Row> {
    vec![
        row!("any_dim from the end", [x: Truth, "n,2" => Tensor<2, Bool>], x.any_dim(-1)),
        row!("all_dim from the end", [x: Truth, "n,2" => Tensor<2, Bool>], x.all_dim(-1)),
        row!("sum_dim from the end", [x: Real, "n,3" => Tensor<2>], x.sum_dim(-1)),
        row!("sum_dims from the end", [x: Real, "n,3,4" => Tensor<3>], x.sum_dims(&[-1, -3])),
        row!("sum_dims_squeeze from the end", [x: Real, "n,3,4" => Tensor<3>], x.sum_dims_squeeze::<1, _>(&[-1, -2])),
        row!("mean_dim from the end", [x: Real, "n,3,4" => Tensor<3>], x.mean_dim(-2)),
        row!("mean_dims from the end", [x: Real, "n,3,4" => Tensor<3>], x.mean_dims(&[-1, -2])),
        row!("prod_dim from the end", [x: Real, "n,3" => Tensor<2>], x.prod_dim(-1)),
        row!("var from the end", [x: Real, "n,4" => Tensor<2>], x.var(-1)),
        row!("max_dim from the end", [x: Real, "n,3" => Tensor<2>], x.max_dim(-1)),
        row!("min_dim_with_indices from the end", [x: Real, "n,3" => Tensor<2>], 2, x.min_dim_with_indices(-2)),
        row!("max_abs_dim from the end", [x: Real, "n,3" => Tensor<2>], x.max_abs_dim(-1)),
        row!("argmax from the end", [x: Real, "n,3" => Tensor<2>], x.argmax(-1)),
        row!("argmin from the end", [x: Real, "n,3" => Tensor<2>], x.argmin(-2)),
        row!("topk from the end", [x: Real, "n,5" => Tensor<2>], x.topk(2, -1)),
        row!("argtopk from the end", [x: Positive, "n,5" => Tensor<2>], x.argtopk(2, -1)),
        row!("sort from the end", [x: Real, "n,5" => Tensor<2>], x.sort(-1)),
        row!("argsort from the end", [x: Real, "n,5" => Tensor<2>], x.argsort(-1)),
        row!("cumsum from the end", [x: Real, "n,5" => Tensor<2>], x.cumsum(-1)),
        row!("cumprod from the end", [x: Real, "n,5" => Tensor<2>], x.cumprod(-1)),
        row!("cummax from the end", [x: Real, "n,5" => Tensor<2>], x.cummax(-1)),
        row!("cross from the end", [x: Real, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.cross(y, -1)),
        row!("softmax from the end", [x: Real, "n,3,4" => Tensor<3>], softmax(x, -2)),
        row!("softmin from the end", [x: Real, "n,3,4" => Tensor<3>], softmin(x, -1)),
        row!("log_softmax from the end", [x: Real, "n,3,4" => Tensor<3>], log_softmax(x, -1)),
        row!("quiet_softmax from the end", [x: Real, "n,3,4" => Tensor<3>], quiet_softmax(x, -1)),
        row!("glu from the end", [x: Real, "n,6" => Tensor<2>], glu(x, -1)),
    ]
}
