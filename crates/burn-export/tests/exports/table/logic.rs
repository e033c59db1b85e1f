//! Comparisons and booleans.

use burn::tensor::{Bool, Int, Tensor};

use super::Row;
use crate::{numbers, row};

/// The rows.
pub fn rows() -> Vec<Row> {
    let comparisons = [
        numbers!("equal", [x, "n,3" => 2, y, "n,3" => 2], x.equal(y)),
        numbers!("equal scalar", [x, "n,3" => 2], x.equal_scalar(1)),
        numbers!("not_equal", [x, "n,3" => 2, y, "n,3" => 2], x.not_equal(y)),
        numbers!("not_equal scalar", [x, "n,3" => 2], x.not_equal_scalar(1)),
        numbers!("greater", [x, "n,3" => 2, y, "n,3" => 2], x.greater(y)),
        numbers!("greater scalar", [x, "n,3" => 2], x.greater_scalar(1)),
        numbers!("greater_equal", [x, "n,3" => 2, y, "n,3" => 2], x.greater_equal(y)),
        numbers!("greater_equal scalar", [x, "n,3" => 2], x.greater_equal_scalar(1)),
        numbers!("lower", [x, "n,3" => 2, y, "n,3" => 2], x.lower(y)),
        numbers!("lower scalar", [x, "n,3" => 2], x.lower_scalar(1)),
        numbers!("lower_equal", [x, "n,3" => 2, y, "n,3" => 2], x.lower_equal(y)),
        numbers!("lower_equal scalar", [x, "n,3" => 2], x.lower_equal_scalar(1)),
    ];
    let others = [
        row!("equal, often", [x: Below(3), "n,3" => Tensor<2, Int>, y: Below(3), "n,3" => Tensor<2, Int>], x.equal(y)),
        row!("not_equal, often", [x: Below(3), "n,3" => Tensor<2, Int>, y: Below(3), "n,3" => Tensor<2, Int>], x.not_equal(y)),
        row!("equal bool", [x: Truth, "n,3" => Tensor<2, Bool>, y: Truth, "n,3" => Tensor<2, Bool>], x.equal(y)),
        row!("not_equal bool", [x: Truth, "n,3" => Tensor<2, Bool>, y: Truth, "n,3" => Tensor<2, Bool>], x.not_equal(y)),
        row!("equal scalar bool", [x: Truth, "n,3" => Tensor<2, Bool>], x.equal_scalar(false)),
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
        row!("all int", [x: Below(2), "n,1" => Tensor<2, Int>], x.all()),
        row!("any int", [x: Below(2), "n,1" => Tensor<2, Int>], x.any()),
        row!("all_dim int", [x: Below(2), "n,2" => Tensor<2, Int>], x.all_dim(1)),
        row!("any_dim int", [x: Below(2), "n,2" => Tensor<2, Int>], x.any_dim(1)),
        row!("all float", [x: Real, "n,1" => Tensor<2>], x.all()),
        row!("any float", [x: Real, "n,1" => Tensor<2>], x.any()),
        row!("all_dim float", [x: Real, "n,2" => Tensor<2>], x.all_dim(1)),
        row!("any_dim float", [x: Real, "n,2" => Tensor<2>], x.any_dim(1)),
        row!("into bool", [x: Real, "n,3" => Tensor<2>], x.bool()),
        row!("int into bool", [x: Below(2), "n,3" => Tensor<2, Int>], x.bool()),
    ];
    comparisons.into_iter().flatten().chain(others).collect()
}
