//! Moving elements, whatever they are.

use burn::tensor::Tensor;

use super::Row;
use crate::{kinds, row};

/// The rows.
pub fn rows() -> Vec<Row> {
    let shapes = kinds!("reshape", [x, "n,6" => 2], {
        let [n, _] = x.dims();
        x.reshape([n, 2, 3])
    })
    .chain([
        row!("reshape joined", [x: Real, "n,m,6" => Tensor<3>], {
            let [n, m, _] = x.dims();
            x.reshape([n * m, 6])
        }),
        row!("reshape crossed", [x: Real, "n,m,6" => Tensor<3>], {
            let [n, m, _] = x.dims();
            x.reshape([m, n, 6])
        }),
        row!("flatten", [x: Real, "n,2,3" => Tensor<3>], x.flatten::<2>(1, 2)),
        row!("identity", [x: Real, "n,3" => Tensor<2>], x),
        row!("chunk", [x: Real, "n,6" => Tensor<2>], {
            let mut chunks = x.chunk(3, 1).into_iter();
            chunks.next().unwrap_or_else(|| unreachable!()) - chunks.next().unwrap_or_else(|| unreachable!())
        }),
    ])
    .chain(kinds!("squeeze", [x, "n,1,3" => 3], x.squeeze_dim::<2>(1)))
    .chain(kinds!("unsqueeze", [x, "n,3" => 2], x.unsqueeze_dim::<3>(1)));

    let order = kinds!("swap_dims", [x, "n,2,3" => 3], x.swap_dims(0, 2))
        .chain(kinds!("permute", [x, "n,2,3" => 3], x.permute([2, 0, 1])))
        .chain(kinds!("flip", [x, "n,2,3" => 3], x.flip([0, 2])))
        .chain(kinds!("roll", [x, "n,5" => 2], x.roll_dim(2, 1)));

    let copies = kinds!("expand", [x, "n,1,3" => 3], {
        let [n, _, _] = x.dims();
        x.expand([n, 4, 3])
    })
    .chain([row!("expand dynamic", [x: Real, "1,3" => Tensor<2>, y: Real, "n,3" => Tensor<2>], {
        let [n, _] = y.dims();
        x.expand([n, 3]) * 2.0 - y
    })])
    .chain(kinds!("repeat_dim", [x, "n,2" => 2], x.repeat_dim(1, 3)))
    .chain(kinds!("repeat_dim dynamic", [x, "n,2" => 2], {
        let [n, _] = x.dims();
        x.repeat_dim(1, n)
    }))
    .chain(kinds!("cat", [x, "n,2" => 2, y, "n,3" => 2], Tensor::cat(vec![x, y], 1)))
    .chain(kinds!("cat dynamic", [x, "n,2" => 2, y, "m,2" => 2], Tensor::cat(vec![x, y], 0)))
    .chain(kinds!("stack", [x, "n,2" => 2, y, "n,2" => 2], Tensor::stack::<3>(vec![x, y], 1)));

    let windows = kinds!("unfold", [x, "n,7" => 2], x.unfold::<3, _>(1, 3, 2)).chain([
        row!("unfold dynamic", [x: Real, "2,m" => Tensor<2>], {
            let windows: Tensor<3> = x.pad((1, 1, 0, 0), 0.0).unfold(1, 3, 1);
            windows
        }),
        row!("pad", [x: Real, "n,3,4" => Tensor<3>], x.pad((1, 2, 0, 1), 0.5)),
        row!("pad int", [x: Whole, "n,3,4" => Tensor<3, burn::tensor::Int>], x.pad((1, 2, 0, 1), 5)),
    ]);
    shapes.chain(order).chain(copies).chain(windows).collect()
}
