//! Comparisons and booleans.

use burn::tensor::{Bool, Int, Tensor};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("equal", [x: Real, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.equal(y)),
        row!("equal scalar", [x: Real, "n,3" => Tensor<2>], x.equal_scalar(1.0)),
        row!("equal int", [x: Below(3), "n,3" => Tensor<2, Int>, y: Below(3), "n,3" => Tensor<2, Int>], x.equal(y)),
        row!("equal bool", [x: Truth, "n,3" => Tensor<2, Bool>, y: Truth, "n,3" => Tensor<2, Bool>], x.equal(y)),
        row!("not_equal", [x: Nan, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.not_equal(y)),
        row!("not_equal scalar", [x: Nan, "n,3" => Tensor<2>], x.not_equal_scalar(1.0)),
        row!("greater", [x: Nan, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.greater(y)),
        row!("greater scalar", [x: Nan, "n,3" => Tensor<2>], x.greater_scalar(1.0)),
        row!("greater_equal", [x: Nan, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.greater_equal(y)),
        row!("greater_equal scalar", [x: Nan, "n,3" => Tensor<2>], x.greater_equal_scalar(1.0)),
        row!("lower", [x: Nan, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.lower(y)),
        row!("lower scalar", [x: Nan, "n,3" => Tensor<2>], x.lower_scalar(1.0)),
        row!("lower_equal", [x: Nan, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.lower_equal(y)),
        row!("lower_equal scalar", [x: Nan, "n,3" => Tensor<2>], x.lower_equal_scalar(1.0)),
        row!("lower_equal int", [x: Whole, "n,3" => Tensor<2, Int>], x.lower_equal_scalar(2)),
        row!("not", [x: Truth, "n,3" => Tensor<2, Bool>], x.bool_not()),
        row!("and", [x: Truth, "n,3" => Tensor<2, Bool>, y: Truth, "n,3" => Tensor<2, Bool>], x.bool_and(y)),
        row!("or", [x: Truth, "n,3" => Tensor<2, Bool>, y: Truth, "n,3" => Tensor<2, Bool>], x.bool_or(y)),
        row!("xor", [x: Truth, "n,3" => Tensor<2, Bool>, y: Truth, "n,3" => Tensor<2, Bool>], x.bool_xor(y)),
        row!("bool into float", [x: Truth, "n,3" => Tensor<2, Bool>], x.float()),
        row!("bool into int", [x: Truth, "n,3" => Tensor<2, Bool>], x.int()),
        row!("all", [x: Truth, "n,1" => Tensor<2, Bool>], x.all()),
        row!("any", [x: Truth, "n,1" => Tensor<2, Bool>], x.any()),
        row!("all_dim", [x: Truth, "n,2" => Tensor<2, Bool>], x.all_dim(1)),
        row!("any_dim", [x: Truth, "n,2" => Tensor<2, Bool>], x.any_dim(1)),
        row!("any_dim int", [x: Below(2), "n,2" => Tensor<2, Int>], x.any_dim(1)),
    ]
}
