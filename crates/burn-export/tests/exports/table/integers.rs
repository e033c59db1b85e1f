//! Operations on integers.

use burn::tensor::{Int, Tensor};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("into float", [x: Whole, "n,3" => Tensor<2, Int>], x.float()),
        row!("bitwise_and", [x: Whole, "n,3" => Tensor<2, Int>, y: Whole, "n,3" => Tensor<2, Int>], x.bitwise_and(y)).since(18),
        row!("bitwise_and low bits", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_and_scalar(3)),
        row!("bitwise_and scalar", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_and_scalar(5)).since(18),
        row!("bitwise_or", [x: Whole, "n,3" => Tensor<2, Int>, y: Whole, "n,3" => Tensor<2, Int>], x.bitwise_or(y)).since(18),
        row!("bitwise_or scalar", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_or_scalar(5)).since(18),
        row!("bitwise_xor", [x: Whole, "n,3" => Tensor<2, Int>, y: Whole, "n,3" => Tensor<2, Int>], x.bitwise_xor(y)).since(18),
        row!("bitwise_xor scalar", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_xor_scalar(5)).since(18),
        row!("bitwise_not", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_not()),
        row!("left shift", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.bitwise_left_shift(y)).since(12),
        row!("left shift scalar", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_left_shift_scalar(3)),
        row!("right shift", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.bitwise_right_shift(y)).since(12),
        row!("right shift scalar", [x: Whole, "n,3" => Tensor<2, Int>], x.bitwise_right_shift_scalar(2)),
    ]
}
