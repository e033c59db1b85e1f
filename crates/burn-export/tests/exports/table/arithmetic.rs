//! Arithmetic.

use burn::tensor::{Int, Tensor};

use super::Row;
use crate::{numbers, row};

/// The rows.
pub fn rows() -> Vec<Row> {
    let both = [
        numbers!("add", [x, "n,3" => 2, y, "n,3" => 2], x + y),
        numbers!("add broadcast", [x, "n,1,3" => 3, y, "1,4,1" => 3], x + y),
        numbers!("add scalar", [x, "n,3" => 2], x + 3),
        numbers!("sub", [x, "n,3" => 2, y, "n,3" => 2], x - y),
        numbers!("sub scalar", [x, "n,3" => 2], x - 3),
        numbers!("mul", [x, "n,3" => 2, y, "n,3" => 2], x * y),
        numbers!("mul scalar", [x, "n,3" => 2], x * 3),
        numbers!("div scalar", [x, "n,3" => 2], x / 3),
        numbers!("remainder scalar", [x, "n,3" => 2], x.remainder_scalar(4)),
        numbers!("neg", [x, "n,3" => 2], -x),
        numbers!("abs", [x, "n,3" => 2], x.abs()),
        numbers!("sign", [x, "n,3" => 2], x.sign()),
        numbers!("clamp", [x, "n,3" => 2], x.clamp(0, 1)),
        numbers!("clamp min", [x, "n,3" => 2], x.clamp_min(1)),
        numbers!("clamp max", [x, "n,3" => 2], x.clamp_max(1)),
        numbers!("powi scalar", [x, "n,3" => 2], x.powi_scalar(3)),
        numbers!("matmul", [x, "n,3,4" => 3, y, "n,4,2" => 3], x.matmul(y)),
        numbers!("matmul broadcast", [x, "n,1,m,4" => 4, y, "1,3,4,m" => 4], x.matmul(y)),
        numbers!("matmul rank 2", [x, "n,3" => 2, y, "3,n" => 2], x.matmul(y)),
        numbers!("max pair", [x, "n,3" => 2, y, "n,3" => 2], x.max_pair(y)),
        numbers!("min pair", [x, "n,3" => 2, y, "n,3" => 2], x.min_pair(y)),
    ];
    let floats = [
        row!("add scalar, broken", [x: Real, "n,3" => Tensor<2>], x + 1.3),
        row!("sub scalar, broken", [x: Real, "n,3" => Tensor<2>], x - 1.3),
        row!("mul scalar, broken", [x: Real, "n,3" => Tensor<2>], x * 1.3),
        row!("div scalar, broken", [x: Real, "n,3" => Tensor<2>], x / 1.3),
        row!("div", [x: Edge, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x / y),
        row!("remainder", [x: Real, "n,3" => Tensor<2>, y: Positive, "n,3" => Tensor<2>], x.remainder(y)),
        row!("remainder negative", [x: Real, "n,3" => Tensor<2>, y: Positive, "n,3" => Tensor<2>], x.remainder(-y)),
        row!("remainder scalar, broken", [x: Real, "n,3" => Tensor<2>], x.remainder_scalar(0.75)),
        row!("clamp, broken", [x: Edge, "n,3" => Tensor<2>], x.clamp(-0.5, 1.0)),
    ];
    // Nothing is divided by zero.
    let ints = [
        row!("div int", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x / y),
        row!("remainder int", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.remainder(y)),
        row!("remainder int negative", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.remainder(-y)),
        row!("clamp int below zero", [x: Whole, "n,3" => Tensor<2, Int>], x.clamp(-2, 5)),
        row!("powi int", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.powi(y)).since(12),
    ];
    both.into_iter().flatten().chain(floats).chain(ints).collect()
}
