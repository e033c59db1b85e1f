//! Functions of floats.

use burn::tensor::Tensor;
use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("exp", [x: Real, "n,3" => Tensor<2>], x.exp()),
        row!("log", [x: Positive, "n,3" => Tensor<2>], x.log()),
        row!("log1p", [x: Positive, "n,3" => Tensor<2>], x.log1p()),
        row!("log1p tiny", [x: Positive, "n,3" => Tensor<2>], (x * 1e-8).log1p() * 1e8),
        row!("erf", [x: Real, "n,3" => Tensor<2>], x.erf()),
        row!("powf", [x: Positive, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.powf(y)),
        row!("powf scalar", [x: Positive, "n,3" => Tensor<2>], x.powf_scalar(1.7)),
        row!("powf half", [x: Positive, "n,3" => Tensor<2>], x.powf_scalar(0.5)),
        row!("sqrt", [x: Positive, "n,3" => Tensor<2>], x.sqrt()),
        row!("cos", [x: Real, "n,3" => Tensor<2>], x.cos()),
        row!("cosh", [x: Real, "n,3" => Tensor<2>], x.cosh()),
        row!("sin", [x: Real, "n,3" => Tensor<2>], x.sin()),
        row!("sinh", [x: Real, "n,3" => Tensor<2>], x.sinh()),
        row!("tan", [x: Unit, "n,3" => Tensor<2>], x.tan()),
        row!("tanh", [x: Real, "n,3" => Tensor<2>], x.tanh()),
        row!("acos", [x: Unit, "n,3" => Tensor<2>], x.acos()),
        row!("acosh", [x: Positive, "n,3" => Tensor<2>], (x + 1.0).acosh()),
        row!("asin", [x: Unit, "n,3" => Tensor<2>], x.asin()),
        row!("asinh", [x: Real, "n,3" => Tensor<2>], x.asinh()),
        row!("atan", [x: Real, "n,3" => Tensor<2>], x.atan()),
        row!("atanh", [x: Unit, "n,3" => Tensor<2>], x.atanh()),
        row!("atan2", [y: Real, "n,3" => Tensor<2>, x: Real, "n,3" => Tensor<2>], y.atan2(x)),
        row!("round", [x: Real, "n,3" => Tensor<2>], x.round()),
        row!("floor", [x: Edge, "n,3" => Tensor<2>], x.floor()),
        row!("ceil", [x: Edge, "n,3" => Tensor<2>], x.ceil()),
        row!("trunc", [x: Edge, "n,3" => Tensor<2>], x.trunc()),
        row!("recip", [x: Positive, "n,3" => Tensor<2>], x.recip()),
        row!("square", [x: Real, "n,3" => Tensor<2>], x.square()),
        row!("hypot", [x: Real, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.hypot(y)),
        row!("is_nan", [x: Nan, "n,3" => Tensor<2>], x.is_nan()),
        row!("is_inf", [x: Nan, "n,3" => Tensor<2>], x.is_inf()),
        row!("is_finite", [x: Nan, "n,3" => Tensor<2>], x.is_finite()),
        row!("into int", [x: Real, "n,3" => Tensor<2>], x.int()),
        row!("cast", [x: Real, "n,3" => Tensor<2>], x.cast(burn::tensor::DType::F64)),
        row!("cast down", [x: Real, "n,3" => Tensor<2>], x.cast(burn::tensor::DType::F16)),
        row!("cross", [x: Real, "n,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], x.cross(y, 1)),
        row!("var", [x: Real, "n,4" => Tensor<2>], x.var(1)),
        row!("var_mean", [x: Real, "n,4" => Tensor<2>], 2, x.var_mean_bias(1)),
        row!("grid_sample", [x: Real, "n,2,4,5" => Tensor<4>, grid: Unit, "n,3,3,2" => Tensor<4>], {
            let options = GridSampleOptions::new(InterpolateMode::Bilinear);
            x.grid_sample_2d(grid, options.with_padding_mode(GridSamplePaddingMode::Zeros))
        })
        .since(16)
        .within(1e-4),
    ]
}
