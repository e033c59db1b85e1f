//! Activation functions.

use burn::tensor::Tensor;
use burn::tensor::activation::*;

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("relu", [x: Edge, "n,3" => Tensor<2>], relu(x)),
        row!("leaky_relu", [x: Real, "n,3" => Tensor<2>], leaky_relu(x, 0.1)),
        row!("prelu", [x: Real, "n,3,4" => Tensor<3>, slope: Real, "3" => Tensor<1>], prelu(x, slope)),
        row!("gelu", [x: Real, "n,3" => Tensor<2>], gelu(x)),
        row!("gelu_approximate", [x: Real, "n,3" => Tensor<2>], gelu_approximate(x)),
        row!("sigmoid", [x: Real, "n,3" => Tensor<2>], sigmoid(x)),
        row!("hard_sigmoid", [x: Real, "n,3" => Tensor<2>], hard_sigmoid(x, 0.2, 0.5)),
        row!("log_sigmoid", [x: Real, "n,3" => Tensor<2>], log_sigmoid(x)),
        row!("softmax last", [x: Real, "n,3,4" => Tensor<3>], softmax(x, 2)),
        row!("softmax middle", [x: Real, "n,3,4" => Tensor<3>], softmax(x, 1)),
        row!("softmax dynamic", [x: Real, "n,3,4" => Tensor<3>], softmax(x, 0)),
        row!("log_softmax", [x: Real, "n,3,4" => Tensor<3>], log_softmax(x, 1)),
        row!("softmin", [x: Real, "n,3" => Tensor<2>], softmin(x, 1)),
        row!("softplus", [x: Real, "n,3" => Tensor<2>], softplus(x, 1.0)),
        row!("silu", [x: Real, "n,3" => Tensor<2>], silu(x)),
        row!("hard_swish", [x: Real, "n,3" => Tensor<2>], hard_swish(x)),
        row!("mish", [x: Real, "n,3" => Tensor<2>], mish(x)),
        row!("elu", [x: Real, "n,3" => Tensor<2>], elu(x, 1.0)),
        row!("celu", [x: Real, "n,3" => Tensor<2>], celu(x, 1.5)),
        row!("selu", [x: Real, "n,3" => Tensor<2>], selu(x)),
        row!("glu", [x: Real, "n,6" => Tensor<2>], glu(x, 1)),
        row!("softsign", [x: Real, "n,3" => Tensor<2>], softsign(x)),
        row!("hard_shrink", [x: Real, "n,3" => Tensor<2>], hard_shrink(x, 0.5)),
        row!("soft_shrink", [x: Real, "n,3" => Tensor<2>], soft_shrink(x, 0.5)),
        row!("quiet_softmax", [x: Real, "n,3" => Tensor<2>], quiet_softmax(x, 1)),
        row!("thresholded_relu", [x: Real, "n,3" => Tensor<2>], thresholded_relu(x, 0.5)),
    ]
}
