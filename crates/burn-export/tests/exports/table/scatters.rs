//! Writing by index, with every way in which a new value meets the old one.

use burn::tensor::IndexingUpdateOp::{Add, Assign, Max, Min, Mul};
use burn::tensor::{Bool, Int, Tensor};

use super::Row;
use crate::row;

/// The operation on floats and on integers, where an index may come twice.
macro_rules! combined {
    ($update:ident, $name:literal) => {
        [
            row!(concat!("scatter ", $name), [x: Real, "n,4" => Tensor<2>, i: Below(4), "n,3" => Tensor<2, Int>, v: Real, "n,3" => Tensor<2>], {
                x.scatter(1, i, v, $update)
            }),
            row!(concat!("scatter ", $name, " int"), [x: Whole, "n,4" => Tensor<2, Int>, i: Below(4), "n,3" => Tensor<2, Int>, v: Whole, "n,3" => Tensor<2, Int>], {
                x.scatter(1, i, v, $update)
            }),
            row!(concat!("scatter_nd ", $name), [x: Real, "5,n" => Tensor<2>, v: Real, "2,n" => Tensor<2>, i: Below(5), "2,1" => Tensor<2, Int>], {
                x.scatter_nd(i, v, $update)
            }),
            row!(concat!("scatter_nd ", $name, " int"), [x: Whole, "5,n" => Tensor<2, Int>, v: Whole, "2,n" => Tensor<2, Int>, i: Below(5), "2,1" => Tensor<2, Int>], {
                x.scatter_nd(i, v, $update)
            }),
            row!(concat!("scatter_nd over two axes ", $name), [x: Real, "n,4,m" => Tensor<3>, v: Edge, "3,m" => Tensor<2>], {
                let places = Tensor::<2, Int>::from_ints([[0, 1], [0, 3], [0, 1]], &x.device());
                x.scatter_nd(places, v, $update)
            }),
            row!(concat!("select_assign ", $name), [x: Real, "n,4,2" => Tensor<3>, i: Below(4), "3" => Tensor<1, Int>, v: Real, "n,3,2" => Tensor<3>], {
                x.select_assign(1, i, v, $update)
            }),
            row!(concat!("select_assign ", $name, " int"), [x: Whole, "n,4,2" => Tensor<3, Int>, i: Below(4), "3" => Tensor<1, Int>, v: Whole, "n,3,2" => Tensor<3, Int>], {
                x.select_assign(1, i, v, $update)
            }),
        ]
    };
}

/// The rows.
pub fn rows() -> Vec<Row> {
    let combined = [combined!(Add, "add"), combined!(Mul, "mul"), combined!(Min, "min"), combined!(Max, "max")];
    // Of two values for one place either may stay, so that each place comes once.
    let assigned = [
        row!("scatter assign", [x: Real, "n,4" => Tensor<2>, v: Edge, "n,3" => Tensor<2>], {
            let [n, _] = x.dims();
            let places = Tensor::<2, Int>::from_ints([[2, 0, 3]], &x.device()).expand([n, 3]);
            x.scatter(1, places, v, Assign)
        }),
        row!("scatter assign int", [x: Whole, "n,4" => Tensor<2, Int>, v: Whole, "n,3" => Tensor<2, Int>], {
            let [n, _] = x.dims();
            let places = Tensor::<2, Int>::from_ints([[2, 0, 3]], &x.device()).expand([n, 3]);
            x.scatter(1, places, v, Assign)
        }),
        row!("scatter_nd assign", [x: Real, "5,n" => Tensor<2>, v: Edge, "2,n" => Tensor<2>], {
            let places = Tensor::<2, Int>::from_ints([[4], [1]], &x.device());
            x.scatter_nd(places, v, Assign)
        }),
        row!("select_assign assign", [x: Real, "n,4,2" => Tensor<3>, v: Edge, "n,3,2" => Tensor<3>], {
            let places = Tensor::<1, Int>::from_ints([3, 1, 0], &x.device());
            x.select_assign(1, places, v, Assign)
        }),
        row!("select_assign assign int", [x: Whole, "n,4,2" => Tensor<3, Int>, v: Whole, "n,3,2" => Tensor<3, Int>], {
            let places = Tensor::<1, Int>::from_ints([3, 1, 0], &x.device());
            x.select_assign(1, places, v, Assign)
        }),
        row!("scatter add bool", [x: Truth, "n,4" => Tensor<2, Bool>, i: Below(4), "n,3" => Tensor<2, Int>, v: Truth, "n,3" => Tensor<2, Bool>], {
            x.scatter(1, i, v, Add)
        }),
        row!("select_assign add bool", [x: Truth, "n,4" => Tensor<2, Bool>, i: Below(4), "3" => Tensor<1, Int>, v: Truth, "n,3" => Tensor<2, Bool>], {
            x.select_assign(1, i, v, Add)
        }),
    ];
    combined.into_iter().flatten().chain(assigned).collect()
}
