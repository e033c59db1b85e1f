//! Sizes that `forward` computes with: each file is right at sizes that were never traced, or the export is refused with
//! the operation and the axis.

mod far;
mod images;
mod named;
mod networks;
mod operations;
mod refusals;
mod shortcuts;

use burn::module::Module;
use burn::tensor::kind::Basic;
use burn::tensor::{Device, Int, Tensor, TensorData, s};
use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter, Opset};

use crate::support::{Runner, difference, uniform};
use crate::table::Nothing;

/// An export of a closure, and what the closure gives in Burn.
struct Case<'a> {
    name: &'a str,
    export: Box<dyn Fn(Opset) -> Result<ExportedModel, ExportError> + 'a>,
    native: Box<dyn Fn(TensorData) -> TensorData + 'a>,
}

impl<'a> Case<'a> {
    /// Of one input `x` with these axes.
    fn new<const I: usize, const O: usize, K: Basic>(
        name: &'a str,
        axes: [Axis; I],
        forward: impl Fn(Tensor<I>) -> Tensor<O, K> + Clone + 'a,
    ) -> Self
    where
        Tensor<O, K>: burn_export::ModelOutputs,
    {
        Self::of(name, Nothing::new(), axes, move |_, x| forward(x))
    }

    /// Of a module.
    fn of<M: Module + 'a, const I: usize, const O: usize, K: Basic>(
        name: &'a str,
        module: M,
        axes: [Axis; I],
        forward: impl Fn(&M, Tensor<I>) -> Tensor<O, K> + Clone + 'a,
    ) -> Self
    where
        Tensor<O, K>: burn_export::ModelOutputs,
    {
        let (native_module, native) = (module.clone(), forward.clone());
        Self {
            name,
            export: Box::new(move |opset| {
                let exporter = OnnxExporter::new().opset(opset).input("x", axes.clone()).output("y");
                exporter.export(&module, |module: &M, x: Tensor<I>| forward(module, x))
            }),
            native: Box::new(move |data| native(&native_module, Tensor::from_data(data, &Device::flex())).into_data()),
        }
    }

    /// The file gives what Burn gives at all of these shapes, at every opset that writes sizes in its own way.
    fn right<const I: usize>(self, shapes: &[[usize; I]]) {
        self.right_within(1e-5, shapes);
    }

    /// [`right`](Self::right) up to a difference.
    fn right_within<const I: usize>(self, tolerance: f64, shapes: &[[usize; I]]) {
        for opset in [Opset::V11, Opset::V13, Opset::V17, Opset::V21, Opset::V28] {
            let model = (self.export)(opset).unwrap_or_else(|error| panic!("{}: {error}", self.name));
            let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{}: {error}", self.name));
            let mut runner =
                Runner::new(&bytes).unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, model.model()));
            for shape in shapes {
                let x = uniform(7, shape);
                let expected = (self.native)(x.clone());
                let found = runner.run(&[("x", &x)]);
                let text = match found.as_deref() {
                    Ok([found]) => difference(found, &expected, tolerance).map(|difference| difference.to_string()),
                    other => Some(format!("{other:?}")),
                };
                assert_eq!(text, None, "{} at {shape:?}, opset {opset}:\n{}", self.name, model.model());
            }
        }
    }

    /// The export is refused with a text that begins like this.
    fn refused(self, text: &str) {
        match (self.export)(Opset::V17) {
            Ok(model) => panic!("{} was exported:\n{}", self.name, model.model()),
            Err(error) => assert!(error.to_string().starts_with(text), "{}: {error}", self.name),
        }
    }
}

/// Any size.
fn free() -> [Axis; 2] {
    [Axis::dynamic("n"), Axis::dynamic("m")]
}

/// `n` from a size on.
fn from(lowest: usize) -> [Axis; 2] {
    [Axis::dynamic("n").range(lowest..), Axis::dynamic("m")]
}

/// Sizes that no export of [`free`] axes traces, and one of each limit.
const FREE: [[usize; 2]; 9] = [[1, 1], [1, 5], [2, 3], [11, 1], [17, 29], [100, 3], [3, 100], [700, 2], [2, 700]];

#[test]
fn reshapes_with_products_of_axes() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("flatten into a column", |x| {
        let [n, m] = x.dims();
        x.reshape([n * m, 1])
    })
    .right(&FREE);
    case("rows to columns", |x| {
        let [n, m] = x.dims();
        x.reshape([m, n])
    })
    .right(&FREE);
    case("inferred", |x| {
        let [n, _] = x.dims();
        x.reshape([1, -1]).reshape([-1, n as i64])
    })
    .right(&FREE);
    case("twice the rows", |x| {
        let [n, m] = x.dims();
        Tensor::cat(vec![x.clone(), x], 1).reshape([2 * n, m])
    })
    .right(&FREE);
    case("the square", |x| {
        let [n, m] = x.dims();
        x.clone().matmul(x.transpose()).reshape([n * n, 1]).repeat_dim(1, m)
    })
    .right(&FREE);
    Case::new("halves", [Axis::dynamic("n").multiple_of(2), Axis::dynamic("m")], |x: Tensor<2>| {
        let [n, m] = x.dims();
        x.reshape([n / 2, 2, m]).swap_dims(0, 1).reshape([n, m])
    })
    .right(&[[2, 1], [2, 7], [38, 3], [700, 2]]);
    Case::new("half of a product", [Axis::dynamic("n").multiple_of(2), Axis::dynamic("m")], |x: Tensor<2>| {
        let [n, m] = x.dims();
        x.reshape([n * m / 2, 2])
    })
    .right(&[[2, 1], [2, 7], [38, 3], [700, 2]]);
    Case::new("a fraction of a multiple", [Axis::dynamic("n").multiple_of(12), Axis::dynamic("m")], |x: Tensor<2>| {
        let [n, m] = x.dims();
        x.reshape([n / 12, 3, 4, m]).permute([2, 0, 3, 1]).reshape([n / 3, 3 * m])
    })
    .right(&[[12, 1], [24, 7], [144, 3], [720, 2]]);
}

#[test]
fn products_over_short_ranges() {
    // Every size of the ranges is traced, but not every pair of sizes.
    for highest in [2, 3, 4, 8] {
        let short = |name: &str| Axis::dynamic(name).range(1..=highest);
        let pairs: Vec<[usize; 2]> = (1..=highest).flat_map(|n| (1..=highest).map(move |m| [n, m])).collect();
        Case::new("product", [short("n"), short("m")], |x: Tensor<2>| {
            let [n, m] = x.dims();
            Tensor::<1, Int>::arange(0..(n * m) as i64, &x.device())
        })
        .right(&pairs);
    }
    // The differences of these products cancel out where all axes are lowest.
    let two = |name: &str| Axis::dynamic(name).range(1..=2);
    let corners: Vec<[usize; 3]> = (0..8).map(|index| [1 + index / 4, 1 + index / 2 % 2, 1 + index % 2]).collect();
    Case::new("products that cancel out", [two("n"), two("m"), two("k")], |x: Tensor<3>| {
        let [n, m, k] = x.dims();
        Tensor::<1, Int>::arange(0..(n * m + 10 - n * k) as i64, &x.device())
    })
    .right(&corners);
    let short = |name: &str| Axis::dynamic(name).range(1..=3);
    let triples: Vec<[usize; 3]> = (0..27).map(|index| [1 + index / 9, 1 + index / 3 % 3, 1 + index % 3]).collect();
    Case::new("three", [short("n"), short("m"), short("k")], |x: Tensor<3>| {
        let [n, m, k] = x.dims();
        Tensor::<1, Int>::arange(0..(n * m * k) as i64, &x.device())
    })
    .right(&triples);
}

#[test]
fn flattening_and_unflattening() {
    let axes = || [Axis::dynamic("n"), Axis::dynamic("m"), Axis::dynamic("k"), Axis::fixed(2)];
    let shapes = [[1, 1, 1, 2], [1, 5, 1, 2], [6, 1, 9, 2], [31, 2, 3, 2], [2, 70, 3, 2], [3, 2, 700, 2]];
    Case::new("the middle", axes(), |x: Tensor<4>| x.flatten::<3>(1, 2)).right(&shapes);
    Case::new("the end", axes(), |x: Tensor<4>| x.flatten::<2>(1, 3)).right(&shapes);
    Case::new("all", axes(), |x: Tensor<4>| x.flatten::<1>(0, 3)).right(&shapes);
    Case::new("and back", axes(), |x: Tensor<4>| {
        let [n, m, k, two] = x.dims();
        x.flatten::<2>(1, 3).exp().reshape([n, m, k, two])
    })
    .right(&shapes);
    Case::new("and back in another order", axes(), |x: Tensor<4>| {
        let [n, m, k, two] = x.dims();
        x.flatten::<2>(0, 2).reshape([k, two, m, n])
    })
    .right(&shapes);
    Case::new("heads", axes(), |x: Tensor<4>| {
        let [n, m, k, two] = x.dims();
        x.permute([0, 2, 1, 3]).reshape([n, k, m * two]).reshape([n * k, m, two])
    })
    .right(&shapes);
}

#[test]
fn slices_whose_bounds_follow_an_axis() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    let two = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, from(2), forward);
    let from_two: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 2).collect();
    case("the first half, rounded up", |x| {
        let [n, _] = x.dims();
        x.slice(0..n.div_ceil(2))
    })
    .right(&FREE);
    two("the last third, rounded down", |x| {
        let [n, _] = x.dims();
        x.slice(n - n.div_ceil(3)..n)
    })
    .right(&from_two);
    case("the last row", |x| {
        let [n, _] = x.dims();
        x.slice(n - 1..n)
    })
    .right(&FREE);
    case("the last row, counted from the end", |x| x.slice(s![-1.., ..])).right(&FREE);
    two("all but the first", |x| x.slice(s![1.., ..])).right(&from_two);
    two("all but the last", |x| x.slice(s![..-1, ..])).right(&from_two);
    case("every second", |x| x.slice(s![..;2, ..])).right(&FREE);
    case("every third, backwards", |x| x.slice(s![..;-3, ..])).right(&FREE);
    case("backwards from a bound that is zero at one", |x| {
        let [n, m] = x.dims();
        Tensor::cat(vec![x; 1], 0).repeat_dim(0, m).slice(s![m - 1..n + m - 1;-1, ..])
    })
    .right(&FREE);
    case("the difference of neighbours", |x| {
        let [n, _] = x.dims();
        let padded = Tensor::cat(vec![x.clone(), x], 0);
        padded.clone().slice(1..n + 1) - padded.slice(0..n)
    })
    .right(&FREE);
    let within = |name: &str| Axis::dynamic(name).range(1..=4500);
    Case::new("rows of a table", [within("n"), within("m")], |x: Tensor<2>| {
        let [n, m] = x.dims();
        let table = Tensor::<1, Int>::arange(0..9000, &x.device()).float();
        table.clone().slice(0..n).reshape([n, 1]) + table.slice(m..2 * m).reshape([1, m])
    })
    .right(&FREE);
    case("written over at every second row", |x| {
        let [n, m] = x.dims();
        let value = x.clone().slice(0..n.div_ceil(2)).neg();
        x.slice_assign(s![..;2, 0..m], value)
    })
    .right(&FREE);
    two("written over backwards, from the second row on", |x| {
        let [n, m] = x.dims();
        let value = x.clone().slice(0..(n - 1).div_ceil(2)).neg();
        x.slice_assign(s![1..n;-2, 0..m], value)
    })
    .right(&from_two);
    case("written over at steps of both axes", |x| {
        let [n, m] = x.dims();
        let value = x.clone().slice([0..n.div_ceil(3), 0..m.div_ceil(2)]).neg();
        x.slice_assign(s![..;3, ..;-2], value)
    })
    .right(&FREE);
    case("written over", |x| {
        let [n, m] = x.dims();
        let value = x.clone().slice([0..1, 0..m]).neg();
        x.slice_assign([n - 1..n, 0..m], value)
    })
    .right(&FREE);
}

#[test]
fn repeats_and_expansions() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("as often as there are columns", |x| {
        let [_, m] = x.dims();
        x.repeat_dim(0, m)
    })
    .right(&FREE[..7]);
    case("a row for each row", |x| {
        let [n, m] = x.dims();
        x.sum_dim(0).expand([n, m])
    })
    .right(&FREE);
    case("the outer sum", |x| {
        let [n, m] = x.dims();
        let (rows, columns) = (x.clone().sum_dim(1), x.sum_dim(0));
        rows.expand([n, m]) + columns.expand([n, m])
    })
    .right(&FREE);
    case("tiles", |x| {
        let [n, m] = x.dims();
        x.slice([0..1, 0..m]).repeat(&[n + 1, 2])
    })
    .right(&FREE);
    case("ones and zeros", |x| {
        let [n, m] = x.dims();
        let device = x.device();
        Tensor::cat(vec![Tensor::ones([n, 1], &device), x, Tensor::zeros([n, m + 1], &device)], 1)
    })
    .right(&FREE);
    case("filled with a size", |x| {
        let [n, m] = x.dims();
        Tensor::full([m, n], (2 * n + m) as f32, &x.device())
    })
    .right(&FREE);
    case("padded", |x| {
        let [n, m] = x.dims();
        x.pad((0, m, n, 1), burn::tensor::ops::PadMode::Constant(1.5))
    })
    .right(&FREE[..7]);
}

#[test]
fn constants_that_follow_an_axis() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("positions", |x| {
        let [n, _] = x.dims();
        x.clone() + Tensor::<1, Int>::arange(0..n as i64, &x.device()).float().unsqueeze_dim::<2>(1)
    })
    .right(&FREE);
    case("positions from a size on, by two", |x| {
        let [n, m] = x.dims();
        let positions = Tensor::<1, Int>::arange_step(m as i64..(m + 2 * n) as i64, 2, &x.device());
        x + positions.float().unsqueeze_dim::<2>(1)
    })
    .right(&FREE);
    case("positions backwards", |x| {
        let [n, _] = x.dims();
        let positions: Vec<i64> = (0..n as i64).rev().collect();
        x.clone() + Tensor::<1, Int>::from_ints(positions.as_slice(), &x.device()).float().unsqueeze_dim::<2>(1)
    })
    .right(&FREE);
    case("a causal mask", |x| {
        let [n, _] = x.dims();
        let scores = x.clone().matmul(x.clone().transpose());
        let future = Tensor::<2, burn::tensor::Bool>::tril_mask([n, n], 0, &x.device());
        scores.mask_fill(future, -1e9)
    })
    .right(&FREE);
    case("a causal mask over another axis", |x| {
        let [n, m] = x.dims();
        let future = Tensor::<2, burn::tensor::Bool>::triu_mask([n, m], 1, &x.device());
        x.mask_fill(future, 0.0)
    })
    .right(&FREE);
    case("a causal mask by comparison", |x| {
        let [n, m] = x.dims();
        let device = x.device();
        let row = Tensor::<1, Int>::arange(0..n as i64, &device).unsqueeze_dim::<2>(1).expand([n, m]);
        let column = Tensor::<1, Int>::arange(0..m as i64, &device).unsqueeze_dim::<2>(0).expand([n, m]);
        x.mask_fill((column - row).greater_elem(m as i64 - n as i64), 0.5)
    })
    .right(&FREE);
    case("a mask that ends with the keys", |x| {
        let [n, m] = x.dims();
        let future = Tensor::<2, burn::tensor::Bool>::triu_mask([n, m], m as i64 - n as i64, &x.device());
        x.mask_fill(future, 0.0)
    })
    .right(&FREE);
    case("a causal mask made on the host", |x| {
        let [n, m] = x.dims();
        let future: Vec<bool> = (0..n * m).map(|place| place % m > place / m).collect();
        let mask = burn::tensor::TensorData::new(future, [n, m]);
        x.clone().mask_fill(Tensor::<2, burn::tensor::Bool>::from_data(mask, &x.device()), 0.25)
    })
    .right(&FREE);
    case("the identity", |x| {
        let [n, _] = x.dims();
        Tensor::<2>::eye(n, &x.device()).matmul(x)
    })
    .right(&FREE);
    case("the mean by hand", |x| {
        let [n, m] = x.dims();
        x.sum_dim(0) / (n * m) as f32
    })
    .right(&FREE);
    case("one over the root of a size", |x| {
        let [_, m] = x.dims();
        x * (1.0 / (m as f64).sqrt())
    })
    .right(&FREE);
    Case::new("sizes as an output", free(), |x: Tensor<2>| {
        let [n, m] = x.dims();
        Tensor::<1, Int>::from_ints([n as i64, (n * m) as i64, 3], &x.device())
    })
    .right(&FREE);
    case("sizes as data", |x| {
        let [n, m] = x.dims();
        x.clone() * Tensor::<1, Int>::from_ints([(n * m) as i64], &x.device()).float().unsqueeze::<2>()
    })
    .right(&FREE);
    case("positions between zero and one", |x| {
        let [n, _] = x.dims();
        let device = x.device();
        x + (Tensor::<1, Int>::arange(0..n as i64, &device).float() / n as f32).unsqueeze_dim::<2>(1)
    })
    .right(&FREE);
}

#[test]
fn quotients_and_remainders() {
    let two: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 2).collect();
    let three: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 3).collect();
    let case = |name, lowest, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, from(lowest), forward);
    case("pairs of rows", 2, |x| {
        let [n, m] = x.dims();
        x.slice(0..n / 2 * 2).reshape([n / 2, 2 * m])
    })
    .right(&two);
    case("without the remainder", 3, |x| {
        let [n, _] = x.dims();
        x.slice(0..n - n % 3)
    })
    .right(&three);
    case("three halves", 1, |x| {
        let [n, _] = x.dims();
        Tensor::cat(vec![x.clone(), x], 0).slice(0..3 * n / 2)
    })
    .right(&FREE);
    case("padded to a multiple of eight", 1, |x| {
        let [n, m] = x.dims();
        let more = n.next_multiple_of(8) - n;
        let padded = x.pad((0, 0, 0, more), burn::tensor::ops::PadMode::Constant(0.0));
        padded.reshape([n.div_ceil(8), 8 * m])
    })
    .right(&FREE);
    let least = [Axis::dynamic("n").range(1..=9), Axis::dynamic("m")];
    Case::new("half of what is left of ten", least, |x: Tensor<2>| {
        let [n, m] = x.dims();
        let rest = x.slice([0..1, 0..m]).repeat_dim(0, 10 - n);
        rest.slice(0..(10 - n).div_ceil(2))
    })
    .right(&[[1, 1], [2, 3], [3, 1], [4, 5], [5, 1], [6, 40], [7, 1], [8, 2], [9, 1]]);
    let least = [Axis::dynamic("n").range(1..=9), Axis::dynamic("m")];
    Case::new("windows over what is left of ten", least, |x: Tensor<2>| {
        let [n, m] = x.dims();
        let rest = x.slice([0..1, 0..m]).repeat_dim(0, 13 - n);
        rest.unfold::<3, usize>(0, 3, 2).sum_dim(2).squeeze_dim::<2>(2)
    })
    .right(&[[1, 1], [2, 3], [3, 1], [4, 5], [5, 1], [6, 40], [7, 1], [8, 2], [9, 1]]);
}

#[test]
fn pieces_of_an_axis() {
    let two: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 2).collect();
    let three: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 3).collect();
    let case = |name, lowest, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, from(lowest), forward);
    case("both chunks in the other order", 2, |x| {
        let mut chunks = x.chunk(2, 0);
        chunks.reverse();
        Tensor::cat(chunks, 0)
    })
    .right(&two);
    case("the first two rows of a split", 2, |x| x.split(2, 0).swap_remove(0)).right(&two);
    case("joined with rows of its own", 1, |x| {
        let [n, m] = x.dims();
        let ones = Tensor::ones([2, m], &x.device());
        Tensor::cat(vec![ones, x], 0).slice(1..n + 2)
    })
    .right(&FREE);
    case("windows", 3, |x| {
        let [n, m] = x.dims();
        x.unfold::<3, usize>(0, 3, 2).reshape([(n - 3) / 2 + 1, 3 * m])
    })
    .right(&three);
    case("between two bounds", 3, |x| {
        let [n, _] = x.dims();
        x.slice(n / 3..n - n / 3)
    })
    .right(&three);
    // Burn records an empty slice as another operation.
    case("all but the first, of any number", 1, |x| x.slice(s![1.., ..])).refused("forward takes another way at n = 1");
}

#[test]
fn many_axes_on_one_input() {
    let axes: [Axis; 8] = std::array::from_fn(|axis| Axis::dynamic(format!("n{axis}")));
    Case::new("eight", axes, |x: Tensor<8>| {
        let sizes = x.dims();
        let [even, odd] = [0, 1].map(|first| sizes.iter().skip(first).step_by(2).product::<usize>());
        let sum: usize = sizes.iter().sum();
        x.permute([0, 2, 4, 6, 1, 3, 5, 7]).reshape([even, odd]) * sum as f32
    })
    .right(&[[1; 8], [2, 3, 1, 4, 2, 1, 3, 2], [1, 1, 1, 1, 1, 1, 1, 60], [3, 1, 2, 1, 5, 1, 2, 2]]);
}

type Three = (Tensor<2>, Tensor<2>, Tensor<3>);

#[test]
fn axes_shared_between_inputs() {
    let axis = |name: &str| Axis::dynamic(name);
    let forward = |(x, y, z): Three| {
        let ([n, m], [_, k], [batch, _, l]) = (x.dims(), y.dims(), z.dims());
        let product = x.matmul(y).unsqueeze::<3>().matmul(z);
        let numbers = Tensor::<1, Int>::arange(0..(n * l) as i64, &product.device()).float().reshape([1, n, l]);
        // More elements than any input has.
        let long = (product.clone() + numbers).reshape([batch * n, l]).repeat_dim(0, m);
        (long / (m * k) as f32, product.sum_dim(0).reshape([l, n]))
    };
    for opset in [Opset::V11, Opset::V17] {
        let model = OnnxExporter::new()
            .opset(opset)
            .input("x", [axis("n"), axis("m")])
            .input("y", [axis("m"), axis("k")])
            .input("z", [axis("batch"), axis("k"), axis("l")])
            .output("long")
            .output("turned")
            .export(&Nothing::new(), |_: &Nothing, inputs: Three| forward(inputs))
            .unwrap_or_else(|error| panic!("{error}"));
        let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{error}"));
        let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{error}"));
        for [n, m, k, batch, l] in [[1; 5], [1, 2, 3, 4, 5], [31, 1, 2, 1, 7], [2, 40, 1, 3, 1], [5, 4, 3, 2, 1]] {
            let (x, y, z) = (uniform(1, &[n, m]), uniform(2, &[m, k]), uniform(3, &[batch, k, l]));
            let found = runner.run(&[("x", &x), ("y", &y), ("z", &z)]).unwrap_or_else(|error| panic!("{error}"));
            let device = Device::flex();
            let inputs = (Tensor::from_data(x, &device), Tensor::from_data(y, &device), Tensor::from_data(z, &device));
            let (long, turned) = forward(inputs);
            for (found, expected) in found.iter().zip([long.into_data(), turned.into_data()]) {
                let text = difference(found, &expected, 1e-4).map(|difference| difference.to_string());
                assert_eq!(text, None, "n {n}, m {m}, k {k}, batch {batch}, l {l}, opset {opset}");
            }
        }
    }
}
