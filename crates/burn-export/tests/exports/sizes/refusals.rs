//! Sizes that a graph cannot follow, and sizes that cannot be recorded.

use burn::tensor::Tensor;
use burn_export::Axis;

use super::{Case, free};

/// What follows an axis and is no formula of it.
#[test]
fn what_a_graph_cannot_follow_is_refused_by_name() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("as many rows as the root", |x| {
        let [n, _] = x.dims();
        x.slice(0..n.isqrt())
    })
    .refused("BaseFloat::Slice([n, m]): ranges/0/end follows axis \"n\" in a way that no formula explains");
    case("a branch", |x| if x.dims()[1] > 9 { x.exp() } else { x.log() }).refused("forward takes another way at");
    case("a branch far out", |x| if x.dims()[1] > 1000 { x.exp() } else { x }).refused("forward takes another way at");
    case("a branch where both are long", |x| if x.dims().iter().all(|size| *size > 300) { x.exp() } else { x })
        .refused("forward takes another way at");
    case("a branch at one", |x| if x.dims()[0] == 1 { x.exp() } else { x.log() })
        .refused("forward takes another way at");
    case("a branch on parity", |x| if x.dims()[0] % 2 == 0 { x.exp() } else { x }).refused("forward takes another way");
    case("a branch of the same operations", |x| {
        let factor = if x.dims()[0] > 9 { 2.0 } else { 3.0 };
        x * factor
    })
    .refused("NumericFloat::MulScalar([n, m]): a scalar follows axis \"n\" in a way that no formula explains");
    case("a branch on two axes", |x| {
        let [n, m] = x.dims();
        if n > m { x.exp() } else { x.log() }
    })
    .refused("forward takes another way at");
    case("a branch where both are one", |x| if x.dims() == [1, 1] { x.exp() } else { x.log() })
        .refused("forward takes another way at");
    case("a loop", |x| {
        let [n, _] = x.dims();
        (0..n).fold(x.clone(), |sum, row| sum + x.clone().slice(row..row + 1))
    })
    .refused(
        "forward repeats a step of 2 operations 3 times at n = 3, m = 7 and 1 times at n = 1, m = 7, which a graph cannot \
         follow; the step is BaseFloat::Slice([3, 7]), NumericFloat::Add([3, 7], [1, 7]); compute all steps at once,",
    );
    case("a number of chunks that follows the axis", |x| {
        Tensor::cat(x.split(2, 0).into_iter().map(Tensor::exp).collect(), 0)
    })
    .refused("forward takes another way at");
    case("an axis that follows a size", |x| {
        let [n, _] = x.dims();
        x.clone().sum_dim(n % 2).repeat_dim(n % 2, 2).sum().reshape([1, 1]) + x
    })
    .refused("");
    case("the logarithm of a size", |x| {
        let [n, _] = x.dims();
        x / (n as f32).ln_1p()
    })
    .refused("NumericFloat::DivScalar([n, m]): a scalar follows axis \"n\" in a way that no formula explains");
    case("a table made for the size", |x| {
        let [n, _] = x.dims();
        let wave: Vec<f32> = (0..n).map(|index| (index as f32 / n as f32).sin()).collect();
        x.clone() + Tensor::<1>::from_floats(wave.as_slice(), &x.device()).unsqueeze_dim::<2>(1)
    })
    .refused("a constant of shape [n] made in forward and used by BaseFloat::Reshape([3]) follows axis \"n\"");
    case("a mask of the first half", |x| {
        let [n, m] = x.dims();
        let half: Vec<bool> = (0..n).map(|row| row < n / 2).collect();
        let mask = Tensor::<1, burn::tensor::Bool>::from_data(half.as_slice(), &x.device());
        x.mask_fill(mask.unsqueeze_dim::<2>(1).expand([n, m]), 0.0)
    })
    .refused("a constant of shape [n] made in forward");
    case("a hash of the size", |x| {
        let [n, _] = x.dims();
        let hash = (n * 2_654_435_761) % 97;
        x + hash as f32
    })
    .refused("NumericFloat::AddScalar([n, m]): a scalar follows axis \"n\" in a way that no formula explains");
    case("as many rows as the larger axis", |x| {
        let [n, m] = x.dims();
        x.sum_dim(0).repeat_dim(0, n.max(m))
    })
    .refused("");
}

#[test]
fn inputs_too_large_for_a_recording_are_refused_before_it() {
    // 526 to the power of four would be 306 GB.
    let cube = || std::array::from_fn(|_| Axis::dynamic("n"));
    Case::new("four equal axes", cube(), |x: Tensor<4>| x.clone().swap_dims(0, 3) + x).right(&[
        [1, 1, 1, 1],
        [2, 2, 2, 2],
        [17, 17, 17, 17],
        [31, 31, 31, 31],
    ]);
    let wide = || Axis::dynamic("n").range(2_000_000..);
    Case::new("two wide axes", [wide(), wide()], |x: Tensor<2>| x.exp()).refused(
        "input \"x\" of shape [n, n] has 4000004000001 elements at n = 2000001, where forward would be recorded, and \
         1099511627776 is the most; lower the sizes of its axes, with `Axis::range` for a dynamic one, or fix some of them",
    );
}
