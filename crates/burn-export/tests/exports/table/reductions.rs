//! Reductions, sorting, running sums.

use burn::tensor::{Int, Tensor};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("sum", [x: Real, "n,3" => Tensor<2>], x.sum()),
        row!("sum int", [x: Whole, "n,3" => Tensor<2, Int>], x.sum()),
        row!("sum_dim", [x: Real, "n,3" => Tensor<2>], x.sum_dim(1)),
        row!("sum_dim dynamic", [x: Real, "n,3" => Tensor<2>], x.sum_dim(0)),
        row!("sum_dims", [x: Real, "n,3,4" => Tensor<3>], x.sum_dims(&[0, 2])),
        row!("mean", [x: Real, "n,3" => Tensor<2>], x.mean()),
        row!("mean_dim", [x: Real, "n,3" => Tensor<2>], x.mean_dim(1)),
        row!("mean_dim int", [x: Whole, "n,3" => Tensor<2, Int>], x.mean_dim(1)),
        row!("mean_dim dynamic", [x: Real, "n,3" => Tensor<2>], x.mean_dim(0)),
        row!("prod", [x: Real, "n,3" => Tensor<2>], x.prod()),
        row!("prod_dim", [x: Real, "n,3" => Tensor<2>], x.prod_dim(1)),
        row!("max", [x: Real, "n,3" => Tensor<2>], x.max()),
        row!("max_dim", [x: Real, "n,3" => Tensor<2>], x.max_dim(1)),
        row!("max_dim int", [x: Whole, "n,3" => Tensor<2, Int>], x.max_dim(1)),
        row!("max_dim_with_indices", [x: Real, "n,3" => Tensor<2>], 2, x.max_dim_with_indices(1)),
        row!("min", [x: Real, "n,3" => Tensor<2>], x.min()),
        row!("min_dim", [x: Real, "n,3" => Tensor<2>], x.min_dim(1)),
        row!("min_dim_with_indices", [x: Real, "n,3" => Tensor<2>], 2, x.min_dim_with_indices(0)),
        row!("max_abs", [x: Real, "n,3" => Tensor<2>], x.max_abs()),
        row!("max_abs_dim", [x: Real, "n,3" => Tensor<2>], x.max_abs_dim(1)),
        row!("argmax", [x: Real, "n,3" => Tensor<2>], x.argmax(1)),
        row!("argmin", [x: Real, "n,3" => Tensor<2>], x.argmin(0)),
        // Without ties, which Burn breaks in no fixed order.
        row!("argtopk", [x: Positive, "n,5" => Tensor<2>], x.argtopk(2, 1)),
        row!("topk", [x: Real, "n,5" => Tensor<2>], x.topk(2, 1)),
        row!("topk_with_indices", [x: Real, "n,5" => Tensor<2>], 2, x.topk_with_indices(2, 1)),
        row!("sort", [x: Real, "n,5" => Tensor<2>], x.sort(1)),
        row!("sort dynamic", [x: Real, "n,3" => Tensor<2>], x.sort(0)),
        row!("sort_descending", [x: Real, "n,5" => Tensor<2>], x.sort_descending(1)),
        row!("sort_with_indices", [x: Real, "n,5" => Tensor<2>], 2, x.sort_with_indices(1)),
        row!("argsort", [x: Real, "n,5" => Tensor<2>], x.argsort(1)),
        row!("cumsum", [x: Real, "n,5" => Tensor<2>], x.cumsum(1)),
        row!("cumsum int", [x: Whole, "n,5" => Tensor<2, Int>], x.cumsum(0)),
        row!("cumprod", [x: Real, "n,5" => Tensor<2>], x.cumprod(1)),
        row!("cumprod dynamic", [x: Real, "n,3" => Tensor<2>], x.cumprod(0)),
        row!("cummax", [x: Real, "n,5" => Tensor<2>], x.cummax(1)),
        row!("cummin int", [x: Whole, "n,5" => Tensor<2, Int>], x.cummin(1)),
    ]
}
