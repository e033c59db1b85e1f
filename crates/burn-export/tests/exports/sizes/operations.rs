//! Operations along axes of any size.

use burn::nn::PaddingConfig1d;
use burn::nn::pool::AvgPool1dConfig;
use burn::tensor::activation::softmax;
use burn::tensor::module::{attention, interpolate};
use burn::tensor::ops::{AttentionModuleOptions, InterpolateMode, InterpolateOptions, PadMode};
use burn::tensor::{DType, Int, Tensor};
use burn_export::Axis;

use super::{Case, FREE, free, from};

#[test]
fn reductions_and_orders_along_an_axis() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("softmax along the first axis", |x| softmax(x, 0)).right(&FREE);
    case("the mean along the first axis", |x| x.mean_dim(0)).right(&FREE);
    case("the mean of all", |x| x.mean().reshape([1, 1])).right_within(1e-4, &FREE);
    case("the variance", |x| x.var_bias(1)).right(&FREE);
    case("centred", |x| x.clone() - x.mean_dim(1)).right(&FREE);
    case("a running sum", |x| x.cumsum(0)).right_within(1e-4, &FREE);
    case("sorted", |x| x.sort_descending(0)).right(&FREE);
    case("in reverse", |x| x.flip([0, 1])).right(&FREE);
    case("the better half", |x| {
        let [n, _] = x.dims();
        x.topk(n.div_ceil(2), 0)
    })
    .right(&FREE);
    case("the largest place", |x| x.argmax(1).float()).right(&FREE);
    let three: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 3).collect();
    Case::new("rolled by a third", from(3), |x: Tensor<2>| {
        let [n, _] = x.dims();
        x.roll_dim((n / 3) as i64, 0)
    })
    .right(&three);
}

#[test]
fn reading_and_writing_by_index() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("every row from behind", |x| {
        let [n, _] = x.dims();
        let places = Tensor::<1, Int>::arange(0..n as i64, &x.device());
        x.select(0, places.mul_scalar(-1) + (n as i64 - 1))
    })
    .right(&FREE);
    case("every second row", |x| {
        let [n, _] = x.dims();
        let places = Tensor::<1, Int>::arange_step(0..n as i64, 2, &x.device());
        x.select(0, places)
    })
    .right(&FREE);
    case("gathered", |x| {
        let [n, m] = x.dims();
        let rows = Tensor::<1, Int>::arange(0..n as i64, &x.device()).reshape([n, 1]).expand([n, m]);
        x.gather(0, rows.mul_scalar(-1) + (n as i64 - 1))
    })
    .right(&FREE);
    case("one of as many classes as there are columns", |x| {
        let [n, m] = x.dims();
        let classes = x.argmax(1).expand([n, m]);
        let numbers = Tensor::<1, Int>::arange(0..m as i64, &classes.device()).reshape([1, m]).expand([n, m]);
        classes.equal(numbers).float()
    })
    .right(&FREE);
}

#[test]
fn windows_and_images_of_a_size_of_their_own() {
    let three: Vec<[usize; 2]> = FREE.into_iter().filter(|[n, _]| *n >= 3).collect();
    Case::new("a moving mean", from(3), |x: Tensor<2>| {
        let columns = x.swap_dims(0, 1).unsqueeze_dim::<3>(0);
        let pool = AvgPool1dConfig::new(3).with_stride(2).with_padding(PaddingConfig1d::Explicit(1, 1)).init();
        pool.forward(columns).squeeze_dim::<2>(0)
    })
    .right(&three);
    Case::new("mirrored", from(3), |x: Tensor<2>| x.pad((0, 0, 2, 1), PadMode::Reflect)).right(&three);
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    case("resized to its other side", |x| {
        let [n, m] = x.dims();
        let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([m, n]);
        interpolate(x.reshape([1, 1, n, m]), options).reshape([m, n])
    })
    .right(&FREE);
    case("resized to one more than twice", |x| {
        let [n, m] = x.dims();
        let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([2 * n + 1, m]);
        interpolate(x.reshape([1, 1, n, m]), options).reshape([2 * n + 1, m])
    })
    .right_within(1e-4, &FREE);
}

#[test]
fn attention_between_axes() {
    let axes = || [Axis::fixed(2), Axis::fixed(2), Axis::dynamic("positions"), Axis::fixed(4)];
    let shapes = [[2, 2, 1, 4], [2, 2, 2, 4], [2, 2, 17, 4], [2, 2, 130, 4]];
    for causal in [false, true] {
        let options = || AttentionModuleOptions { is_causal: causal, ..AttentionModuleOptions::default() };
        Case::new("with itself", axes(), move |x: Tensor<4>| attention(x.clone(), x.clone(), x, None, None, options()))
            .right(&shapes);
        Case::new("with what came before", axes(), move |x: Tensor<4>| {
            let keys = Tensor::cat(vec![x.clone().neg(), x.clone()], 2);
            attention(x, keys.clone(), keys, None, None, options())
        })
        .right(&shapes);
    }
}

#[test]
fn shifts_up_to_the_sign() {
    for bits in [0i32, 1, 31, 62, 63] {
        let name = format!("{bits} bits");
        Case::new(&name, free(), move |x: Tensor<2>| {
            let whole = (x * 1000.0).cast(DType::F64).int().cast(DType::I64);
            let shifted = whole.clone().bitwise_left_shift_scalar(bits);
            Tensor::cat(vec![whole.bitwise_right_shift_scalar(bits), shifted], 0)
        })
        .right(&FREE);
    }
}
