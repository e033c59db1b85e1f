//! Moving elements.

use burn::tensor::{Bool, Int, Tensor};

use super::Row;
use crate::row;

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        row!("reshape", [x: Real, "n,6" => Tensor<2>], {
            let [n, _] = x.dims();
            x.reshape([n, 2, 3])
        }),
        row!("reshape joined", [x: Real, "n,m,6" => Tensor<3>], {
            let [n, m, _] = x.dims();
            x.reshape([n * m, 6])
        }),
        row!("reshape crossed", [x: Real, "n,m,6" => Tensor<3>], {
            let [n, m, _] = x.dims();
            x.reshape([m, n, 6])
        }),
        row!("flatten", [x: Real, "n,2,3" => Tensor<3>], x.flatten::<2>(1, 2)),
        row!("swap_dims", [x: Real, "n,2,3" => Tensor<3>], x.swap_dims(0, 2)),
        row!("permute", [x: Real, "n,2,3" => Tensor<3>], x.permute([2, 0, 1])),
        row!("flip", [x: Real, "n,2,3" => Tensor<3>], x.flip([0, 2])),
        row!("expand", [x: Real, "n,1,3" => Tensor<3>], {
            let [n, _, _] = x.dims();
            x.expand([n, 4, 3])
        }),
        row!("expand dynamic", [x: Real, "1,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], {
            let [n, _] = y.dims();
            x.expand([n, 3]) * 2.0 - y
        }),
        row!("expand bool", [x: Truth, "n,1" => Tensor<2, Bool>], {
            let [n, _] = x.dims();
            x.expand([n, 3])
        }),
        row!("repeat_dim", [x: Real, "n,2" => Tensor<2>], x.repeat_dim(1, 3)),
        row!("repeat_dim dynamic", [x: Real, "n,2" => Tensor<2>], {
            let [n, _] = x.dims();
            x.repeat_dim(1, n)
        }),
        row!("cat", [x: Real, "n,2" => Tensor<2>, y: Real, "n,3" => Tensor<2>], Tensor::cat(vec![x, y], 1)),
        row!("cat dynamic", [x: Real, "n,2" => Tensor<2>, y: Real, "m,2" => Tensor<2>], Tensor::cat(vec![x, y], 0)),
        row!("stack", [x: Real, "n,2" => Tensor<2>, y: Real, "n,2" => Tensor<2>], Tensor::stack::<3>(vec![x, y], 1)),
        row!("unfold", [x: Real, "n,7" => Tensor<2>], {
            let windows: Tensor<3> = x.unfold(1, 3, 2);
            windows
        }),
        row!("unfold dynamic", [x: Real, "2,m" => Tensor<2>], {
            let windows: Tensor<3> = x.pad((1, 1, 0, 0), 0.0).unfold(1, 3, 1);
            windows
        }),
        row!("roll", [x: Real, "n,5" => Tensor<2>], x.roll_dim(2, 1)),
        row!("squeeze", [x: Real, "n,1,3" => Tensor<3>], x.squeeze_dim::<2>(1)),
        row!("unsqueeze", [x: Whole, "n,3" => Tensor<2, Int>], x.unsqueeze_dim::<3>(1)),
        row!("pad", [x: Real, "n,3,4" => Tensor<3>], x.pad((1, 2, 0, 1), 0.5)),
        row!("identity", [x: Real, "n,3" => Tensor<2>], x),
        row!("chunk", [x: Real, "n,6" => Tensor<2>], {
            let mut chunks = x.chunk(3, 1).into_iter();
            chunks.next().unwrap_or_else(|| unreachable!()) - chunks.next().unwrap_or_else(|| unreachable!())
        }),
    ]
}
