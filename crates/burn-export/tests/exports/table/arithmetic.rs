//! Arithmetic.

use burn::tensor::{Int, Tensor};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("add", [x: Nan, "n,3" => Tensor<2>, y: Edge, "n,3" => Tensor<2>], x + y),
        row!("add broadcast", [x: Real, "n,1,3" => Tensor<3>, y: Real, "1,4,1" => Tensor<3>], x + y),
        row!("add int", [x: Whole, "n,3" => Tensor<2, Int>, y: Whole, "n,3" => Tensor<2, Int>], x + y),
        row!("add scalar", [x: Nan, "n,3" => Tensor<2>], x + 1.5),
        row!("add scalar int", [x: Whole, "n,3" => Tensor<2, Int>], x + 3),
        row!("sub", [x: Edge, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x - y),
        row!("sub scalar", [x: Edge, "n,3" => Tensor<2>], x - 1.5),
        row!("mul", [x: Edge, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x * y),
        row!("mul scalar", [x: Edge, "n,3" => Tensor<2>], x * 1.5),
        row!("div", [x: Edge, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x / y),
        row!("div scalar", [x: Edge, "n,3" => Tensor<2>], x / 1.5),
        row!("div int", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x / y),
        row!("div scalar int", [x: Whole, "n,3" => Tensor<2, Int>], x / 3),
        row!("remainder", [x: Real, "n,3" => Tensor<2>, y: Positive, "n,3" => Tensor<2>], x.remainder(y)),
        row!("remainder negative", [x: Real, "n,3" => Tensor<2>, y: Positive, "n,3" => Tensor<2>], x.remainder(-y)),
        row!("remainder scalar", [x: Real, "n,3" => Tensor<2>], x.remainder_scalar(0.75)),
        row!("remainder int", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.remainder(y)),
        row!("remainder scalar int", [x: Whole, "n,3" => Tensor<2, Int>], x.remainder_scalar(4)),
        row!("neg", [x: Nan, "n,3" => Tensor<2>], -x),
        row!("neg int", [x: Whole, "n,3" => Tensor<2, Int>], -x),
        row!("abs", [x: Nan, "n,3" => Tensor<2>], x.abs()),
        row!("abs int", [x: Whole, "n,3" => Tensor<2, Int>], x.abs()),
        row!("sign", [x: Edge, "n,3" => Tensor<2>], x.sign()),
        row!("sign int", [x: Whole, "n,3" => Tensor<2, Int>], x.sign()),
        row!("clamp", [x: Edge, "n,3" => Tensor<2>], x.clamp(-0.5, 1.0)),
        row!("clamp min", [x: Edge, "n,3" => Tensor<2>], x.clamp_min(-0.5)),
        row!("clamp max", [x: Edge, "n,3" => Tensor<2>], x.clamp_max(0.5)),
        row!("clamp int", [x: Whole, "n,3" => Tensor<2, Int>], x.clamp(-2, 5)),
        row!("clamp max int", [x: Whole, "n,3" => Tensor<2, Int>], x.clamp_max(5)),
        row!("powi scalar", [x: Real, "n,3" => Tensor<2>], x.powi_scalar(3)),
        row!("powi scalar int", [x: Whole, "n,3" => Tensor<2, Int>], x.powi_scalar(3)),
        row!("powi int", [x: Whole, "n,3" => Tensor<2, Int>, y: Count, "n,3" => Tensor<2, Int>], x.powi(y)).since(12),
        row!("matmul", [x: Real, "n,3,4" => Tensor<3>, y: Real, "n,4,2" => Tensor<3>], x.matmul(y)),
        row!("matmul broadcast", [x: Real, "n,1,m,4" => Tensor<4>, y: Real, "1,3,4,m" => Tensor<4>], x.matmul(y)),
        row!("matmul rank 2", [x: Real, "n,3" => Tensor<2>, y: Real, "3,n" => Tensor<2>], x.matmul(y)),
        row!("matmul int", [x: Whole, "n,3" => Tensor<2, Int>, y: Whole, "3,2" => Tensor<2, Int>], x.matmul(y)),
        row!("max pair", [x: Real, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.max_pair(y)),
        row!("min pair", [x: Real, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.min_pair(y)),
    ]
}
