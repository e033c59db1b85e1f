//! Reductions, sorting, running sums.

use burn::tensor::Tensor;

use super::Row;
use crate::{numbers, row};

/// The rows.
pub fn rows() -> Vec<Row> {
    let sums = [
        numbers!("sum", [x, "n,3" => 2], x.sum()),
        numbers!("sum_dim", [x, "n,3" => 2], x.sum_dim(1)),
        numbers!("sum_dim dynamic", [x, "n,3" => 2], x.sum_dim(0)),
        numbers!("sum_dims", [x, "n,3,4" => 3], x.sum_dims(&[0, 2])),
        numbers!("mean", [x, "n,3" => 2], x.mean()),
        numbers!("mean_dim", [x, "n,3" => 2], x.mean_dim(1)),
        numbers!("mean_dim dynamic", [x, "n,3" => 2], x.mean_dim(0)),
        numbers!("prod", [x, "n,3" => 2], x.prod()),
        numbers!("prod_dim", [x, "n,3" => 2], x.prod_dim(1)),
    ];
    let extremes = [
        numbers!("max", [x, "n,3" => 2], x.max()),
        numbers!("max_dim", [x, "n,3" => 2], x.max_dim(1)),
        numbers!("max_dim_with_indices", [x, "n,3" => 2], 2, x.max_dim_with_indices(1)),
        numbers!("min", [x, "n,3" => 2], x.min()),
        numbers!("min_dim", [x, "n,3" => 2], x.min_dim(1)),
        numbers!("min_dim_with_indices", [x, "n,3" => 2], 2, x.min_dim_with_indices(0)),
        numbers!("max_abs", [x, "n,3" => 2], x.max_abs()),
        numbers!("max_abs_dim", [x, "n,3" => 2], x.max_abs_dim(1)),
        numbers!("argmax", [x, "n,3" => 2], x.argmax(1)),
        numbers!("argmin", [x, "n,3" => 2], x.argmin(0)),
    ];
    let orders = [
        numbers!("topk", [x, "n,5" => 2], x.topk(2, 1)),
        numbers!("topk_with_indices", [x, "n,5" => 2], 2, x.topk_with_indices(2, 1)),
        numbers!("sort", [x, "n,5" => 2], x.sort(1)),
        numbers!("sort dynamic", [x, "n,3" => 2], x.sort(0)),
        numbers!("sort_descending", [x, "n,5" => 2], x.sort_descending(1)),
        numbers!("sort_with_indices", [x, "n,5" => 2], 2, x.sort_with_indices(1)),
        numbers!("argsort", [x, "n,5" => 2], x.argsort(1)),
    ];
    let running = [
        numbers!("cumsum", [x, "n,5" => 2], x.cumsum(1)),
        numbers!("cumsum dynamic", [x, "n,5" => 2], x.cumsum(0)),
        numbers!("cumprod", [x, "n,5" => 2], x.cumprod(1)),
        numbers!("cummax", [x, "n,5" => 2], x.cummax(1)),
        numbers!("cummin", [x, "n,5" => 2], x.cummin(1)),
    ];
    let others = [
        // Without ties, which Burn breaks in no fixed order.
        row!("argtopk", [x: Positive, "n,5" => Tensor<2>], x.argtopk(2, 1)),
        // Over thirteen integers it would leave their range.
        row!("cumprod dynamic", [x: Real, "n,3" => Tensor<2>], x.cumprod(0)),
    ];
    let pairs = sums.into_iter().chain(extremes).chain(orders).chain(running).flatten();
    pairs.chain(others).collect()
}
