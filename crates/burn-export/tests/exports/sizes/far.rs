//! Sizes far out and at the ends of ranges: modules written to fool the proof are refused, or right.

use burn::tensor::ops::PadMode;
use burn::tensor::{Int, Tensor, s};
use burn_export::Axis;

use super::{Case, free};

fn samples(highest: usize) -> [Axis; 2] {
    [Axis::dynamic("batch"), Axis::dynamic("samples").range(400..=highest)]
}

/// Whisper's preparation of sound: thirty seconds, here one.
#[test]
fn padding_or_trimming_is_no_one_way() {
    Case::new("pad or trim", samples(160_000), |x: Tensor<2>| {
        let [_, length] = x.dims();
        if length > 16_000 { x.narrow(1, 0, 16_000) } else { x.pad((0, 16_000 - length, 0, 0), PadMode::Constant(0.0)) }
    })
    .refused("forward takes another way at batch = 3, samples = ");
    // Within the range, it only pads.
    Case::new("pad", samples(16_000), |x: Tensor<2>| {
        let [_, length] = x.dims();
        x.pad((0, 16_000 - length, 0, 0), PadMode::Constant(0.0))
    })
    .right(&[[1, 400], [2, 401], [3, 9_973], [1, 16_000]]);
}

#[test]
fn cuts_at_a_number_are_exact_on_both_sides() {
    let rows = |range: std::ops::RangeInclusive<usize>| [Axis::dynamic("n").range(range), Axis::dynamic("m")];
    let shapes = [[1, 1], [63, 2], [64, 3], [65, 2], [4_999, 1], [5_000, 2], [5_001, 1], [20_000, 2]];
    for most in [64, 5_000] {
        let name = format!("the first {most}");
        Case::new(&name, rows(1..=20_000), |x: Tensor<2>| x.slice(s![..most, ..]).exp()).right(&shapes);
        Case::new(&name, free(), |x: Tensor<2>| x.slice(s![..most, ..])).right(&shapes);
        let name = format!("the first {most}, joined with all");
        Case::new(&name, free(), |x: Tensor<2>| {
            let [_, m] = x.dims();
            let first = x.clone().slice(s![..most, ..]);
            let [rows, _] = first.dims();
            Tensor::cat(vec![x, first.reshape([1, rows * m]).reshape([rows, m])], 0)
        })
        .right(&shapes);
        let name = format!("at least {most}");
        Case::new(&name, free(), |x: Tensor<2>| {
            let [n, _] = x.dims();
            x.pad((0, 0, 0, most.max(n) - n), PadMode::Constant(0.5))
        })
        .right(&shapes);
    }
}

#[test]
fn positions_clipped_at_a_number() {
    Case::new("distances up to 127", free(), |x: Tensor<2>| {
        let [n, _] = x.dims();
        let position = Tensor::<1, Int>::arange(0..n as i64, &x.device());
        x + position.clamp(0, 127).float().unsqueeze_dim::<2>(1)
    })
    .right(&[[1, 1], [127, 2], [128, 1], [129, 1], [3_000, 2]]);
}

/// What `forward` does only at some sizes, and at which.
type Branch = (&'static str, fn(usize, usize) -> bool);

/// A number that `forward` makes of a size.
type Number = fn(usize) -> usize;

/// Each of these agrees with a formula at many sizes.
#[test]
fn what_differs_at_few_sizes_is_found() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    let branches: [Branch; 8] = [
        ("a hundred thousand and more", |n, _| n > 100_000),
        ("a million and more", |n, _| n > 1_000_000),
        ("a multiple of a hundred", |n, _| n % 100 == 0),
        ("a multiple of 256", |n, _| n % 256 == 0),
        ("a power of two", |n, _| n > 10 && n.is_power_of_two()),
        ("both above a thousand", |n, m| n > 1000 && m > 1000),
        ("more than a million elements", |n, m| n * m > 1_000_000),
        ("one very much larger", |n, m| n > 10_000 * m),
    ];
    for (name, branch) in branches {
        Case::new(name, free(), |x: Tensor<2>| {
            let [n, m] = x.dims();
            if branch(n, m) { x.exp() } else { x }
        })
        .refused("forward takes another way at");
    }
    case("exactly as many rows as the table has", |x| {
        let [n, m] = x.dims();
        let table = Tensor::<1, Int>::arange(0..300, &x.device()).float().sum().reshape([1, 1]).expand([n, m]);
        if n == 300 { x.exp() + table } else { x + table }
    })
    .refused("forward takes another way at");
    let numbers: [(&str, Number); 8] = [
        ("a square root", |n| n.isqrt()),
        ("the next power of two", usize::next_power_of_two),
        ("thousands", |n| n / 1000),
        ("steps of a large window", |n| n.div_ceil(480)),
        ("ones of the binary form", |n| n.count_ones() as usize),
        ("zeros of the binary form", |n| n.trailing_zeros() as usize),
        ("between two numbers", |n| n.clamp(20, 40)),
        ("up and down", |n| n.abs_diff(2_000_000).min(n)),
    ];
    for (name, number) in numbers {
        Case::new(name, free(), |x: Tensor<2>| {
            let [n, _] = x.dims();
            x + number(n) as f32
        })
        .refused("");
    }
}

#[test]
fn the_ends_of_a_range_are_no_exception() {
    let ranges = || [Axis::dynamic("n").range(1..=777_777), Axis::dynamic("m").range(2..=30)];
    let branches: [Branch; 5] = [
        ("the highest", |n, _| n == 777_777),
        ("the lowest", |n, _| n == 1),
        ("both highest", |n, m| n == 777_777 && m == 30),
        ("both lowest", |n, m| n == 1 && m == 2),
        ("close to the highest", |n, _| n > 777_770),
    ];
    for (name, branch) in branches {
        Case::new(name, ranges(), |x: Tensor<2>| {
            let [n, m] = x.dims();
            if branch(n, m) { x.exp() } else { x }
        })
        .refused("forward takes another way at");
    }
}

#[test]
fn what_is_too_much_to_record_at_the_end_of_a_range_is_refused() {
    let long = || [Axis::dynamic("n").range(1..=10_000_000), Axis::fixed(2)];
    Case::new("a table made on the host", long(), |x: Tensor<2>| {
        let [n, _] = x.dims();
        let wave: Vec<f32> = vec![0.5; 100 * n];
        x.clone() + Tensor::<1>::from_floats(wave.as_slice(), &x.device()).sum().reshape([1, 1])
    })
    .refused("forward would be recorded with about 4000000000 bytes of constants at n = 10000000, the end of a range");
    Case::new("a loop", long(), |x: Tensor<2>| {
        let [n, _] = x.dims();
        (0..n).fold(x, |sum, _| sum.exp())
    })
    .refused("forward would be recorded with about 10000001 operations at n = 10000000, the end of a range");
}
