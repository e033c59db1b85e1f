//! Functions of sixteen lanes: the exponential, the activations and their derivatives.
//!
//! Nothing but additions, multiplications, divisions and choices, so that every instruction set gives the same bits.

use crate::linear::Activation;
use crate::simd::{Kernel, LANES, Vector};

/// Below this the exponential is taken for zero.
const LEAST: f32 = -87.3;
/// Above this it stays what it is here, 1.6e38.
const MOST: f32 = 88.0;

/// `polynomial(x)` by Horner's rule, the coefficient of the highest power first.
#[inline(always)]
unsafe fn horner<V: Vector>(x: V, coefficients: &[f32]) -> V {
    let (first, rest) = coefficients.split_first().expect("a polynomial has a coefficient");
    // SAFETY: the caller has the instructions of `V`.
    unsafe { rest.iter().fold(V::splat(*first), |sum, &coefficient| V::splat(coefficient).mul_add(sum, x)) }
}

/// `exp(x)`, within 2 units in the last place; zero below -87.3, bounded above.
#[inline(always)]
pub(crate) unsafe fn exp<V: Vector>(x: V) -> V {
    // The logarithm of two in two parts: whole multiples of the first are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TAYLOR: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // SAFETY: the caller has the instructions of `V`.
    unsafe {
        let bounded = x.max(V::splat(LEAST)).min(V::splat(MOST));
        let exponent = bounded.mul(V::splat(std::f32::consts::LOG2_E)).round();
        let rest = bounded.mul_add(exponent, V::splat(-LN_2[0])).mul_add(exponent, V::splat(-LN_2[1]));
        let value = horner(rest, &TAYLOR).mul(exponent.power_of_two());
        V::splat(LEAST).greater(V::splat(0.0), x, value).1
    }
}

/// `1 / (1 + exp(-x))`, and its derivative.
#[inline(always)]
unsafe fn sigmoid<V: Vector>(x: V) -> (V, V) {
    // SAFETY: the caller has the instructions of `V`.
    unsafe {
        let (zero, one) = (V::splat(0.0), V::splat(1.0));
        let power = exp(x.min(zero.sub(x)));
        let above = one.div(one.add(power));
        let below = power.mul(above);
        (zero.greater(below, x, above).1, below.mul(above))
    }
}

/// The lower tail of the normal distribution at `-|x|`, and `exp(-x²/2)`.
///
/// The ratio of both is a polynomial of degree 9 in `1 / (1 + 0.21 |x|)`, fitted to a relative error of 2e-8.
#[inline(always)]
unsafe fn normal_tail<V: Vector>(size: V) -> (V, V) {
    const RATIO: [f32; 10] = [
        -0.071_654_8,
        0.283_581_14,
        -0.330_237_8,
        0.349_382_76,
        -0.093_912_18,
        0.124_866_93,
        0.069_193_74,
        0.085_068_62,
        0.083_711_59,
        0.0,
    ];
    // SAFETY: the caller has the instructions of `V`.
    unsafe {
        let t = V::splat(1.0).div(V::splat(1.0).mul_add(size, V::splat(0.21)));
        let density = exp(size.mul(size).mul(V::splat(-0.5)));
        (horner(t, &RATIO).mul(density), density)
    }
}

/// The argument of the sigmoid in GELU's approximation, and its derivative.
#[inline(always)]
unsafe fn gelu_argument<V: Vector>(x: V) -> (V, V) {
    const FACTOR: f32 = 1.595_769_1; // 2 sqrt(2 / pi)
    const CUBIC: f32 = 0.044_715;
    // SAFETY: the caller has the instructions of `V`.
    unsafe {
        let square = x.mul(x);
        let one = V::splat(1.0);
        let argument = x.mul(one.mul_add(square, V::splat(CUBIC))).mul(V::splat(FACTOR));
        (argument, one.mul_add(square, V::splat(3.0 * CUBIC)).mul(V::splat(FACTOR)))
    }
}

impl Activation {
    /// The activation of `x`.
    #[inline(always)]
    pub(crate) unsafe fn apply<V: Vector>(self, x: V) -> V {
        // SAFETY: the caller has the instructions of `V`.
        unsafe {
            match self {
                Self::Identity => x,
                Self::Relu => x.relu(),
                Self::Gelu => {
                    let size = x.max(V::splat(0.0).sub(x));
                    x.relu().sub(size.mul(normal_tail(size).0))
                }
                Self::GeluTanh => x.mul(sigmoid(gelu_argument(x).0).0),
                Self::Silu => x.mul(sigmoid(x).0),
            }
        }
    }

    /// `gradient` times the derivative at `x`.
    #[inline(always)]
    pub(crate) unsafe fn chain<V: Vector>(self, x: V, gradient: V) -> V {
        /// 1 / sqrt(2 pi)
        const DENSITY: f32 = 0.398_942_3;
        // SAFETY: the caller has the instructions of `V`.
        unsafe {
            let one = V::splat(1.0);
            match self {
                Self::Identity => gradient,
                Self::Relu => gradient.where_active(x),
                Self::Gelu => {
                    let (tail, density) = normal_tail(x.max(V::splat(0.0).sub(x)));
                    let below = V::splat(0.0).greater(tail, x, one.sub(tail)).1;
                    below.mul_add(x.mul(V::splat(DENSITY)), density).mul(gradient)
                }
                Self::GeluTanh => {
                    let (argument, slope) = gelu_argument(x);
                    let (gate, change) = sigmoid(argument);
                    gate.mul_add(x.mul(slope), change).mul(gradient)
                }
                Self::Silu => {
                    let (gate, change) = sigmoid(x);
                    gate.mul_add(x, change).mul(gradient)
                }
            }
        }
    }
}

/// `values = activation(values)`.
pub(crate) struct Activate<'a> {
    pub(crate) activation: Activation,
    pub(crate) values: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the instructions are those of the caller.
        unsafe {
            match self.activation {
                Activation::Identity => {}
                Activation::Relu => each(self.values, |x: V| Activation::Relu.apply(x)),
                Activation::Gelu => each(self.values, |x: V| Activation::Gelu.apply(x)),
                Activation::GeluTanh => each(self.values, |x: V| Activation::GeluTanh.apply(x)),
                Activation::Silu => each(self.values, |x: V| Activation::Silu.apply(x)),
            }
        }
    }
}

/// Turns the gradient of what an activation gives into the gradient of `control`, what it is given.
pub(crate) struct Chain<'a> {
    pub(crate) activation: Activation,
    pub(crate) control: &'a [f32],
    pub(crate) gradient: &'a mut [f32],
}

impl Kernel for Chain<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { activation, control, gradient } = self;
        // SAFETY: the instructions are those of the caller.
        unsafe {
            match activation {
                Activation::Identity => {}
                Activation::Relu => both(gradient, control, |g: V, x| Activation::Relu.chain(x, g)),
                Activation::Gelu => both(gradient, control, |g: V, x| Activation::Gelu.chain(x, g)),
                Activation::GeluTanh => both(gradient, control, |g: V, x| Activation::GeluTanh.chain(x, g)),
                Activation::Silu => both(gradient, control, |g: V, x| Activation::Silu.chain(x, g)),
            }
        }
    }
}

/// Replaces every value by a function of it and the value of `others` at its place, sixteen at a time.
///
/// # Panics
/// When the lengths differ.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn both<V: Vector>(values: &mut [f32], others: &[f32], function: impl Fn(V, V) -> V) {
    assert_eq!(values.len(), others.len());
    let mut vectors = values.chunks_exact_mut(LANES);
    let mut other_vectors = others.chunks_exact(LANES);
    for (values, others) in (&mut vectors).zip(&mut other_vectors) {
        // SAFETY: the caller's promise, and slices of 16 values.
        unsafe { function(V::load(values.as_ptr()), V::load(others.as_ptr())).store(values.as_mut_ptr()) };
    }
    let (rest, others) = (vectors.into_remainder(), other_vectors.remainder());
    let (mut lanes, mut other_lanes) = ([0.0; LANES], [0.0; LANES]);
    lanes[..rest.len()].copy_from_slice(rest);
    other_lanes[..rest.len()].copy_from_slice(others);
    // SAFETY: the caller's promise, and arrays of 16 values.
    unsafe { function(V::load(lanes.as_ptr()), V::load(other_lanes.as_ptr())).store(lanes.as_mut_ptr()) };
    rest.copy_from_slice(&lanes[..rest.len()]);
}

/// Replaces every value, sixteen at a time.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn each<V: Vector>(values: &mut [f32], function: impl Fn(V) -> V) {
    let mut vectors = values.chunks_exact_mut(LANES);
    for values in &mut vectors {
        // SAFETY: the caller's promise, and a slice of 16 values.
        unsafe { function(V::load(values.as_ptr())).store(values.as_mut_ptr()) };
    }
    let rest = vectors.into_remainder();
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    // SAFETY: the caller's promise, and an array of 16 values.
    unsafe { function(V::load(lanes.as_ptr())).store(lanes.as_mut_ptr()) };
    rest.copy_from_slice(&lanes[..rest.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    struct Exponential<'a>(&'a mut [f32]);

    impl Kernel for Exponential<'_> {
        type Output = ();

        #[inline(always)]
        unsafe fn run<V: Vector>(self) {
            // SAFETY: the instructions are those of the caller.
            unsafe { each(self.0, |x: V| exp(x)) }
        }
    }

    /// `count` values from `-bound` to `bound`.
    fn grid(bound: f32, count: usize) -> Vec<f32> {
        let count = if cfg!(miri) { 40 } else { count };
        (0..=count).map(|index| bound * (2.0 * index as f32 / count as f32 - 1.0)).collect()
    }

    fn on_all(values: &[f32], run: impl Fn(Isa, &mut [f32])) -> Vec<f32> {
        let results: Vec<Vec<f32>> = Isa::available()
            .into_iter()
            .map(|isa| {
                let mut values = values.to_vec();
                run(isa, &mut values);
                values
            })
            .collect();
        for result in &results {
            assert!(result.iter().zip(&results[0]).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        results[0].clone()
    }

    #[test]
    fn the_exponential_is_that_of_the_standard_library() {
        let mut arguments = grid(86.0, 100_000);
        arguments.extend([0.0, -0.0, 1e-30, 87.9]);
        let found = on_all(&arguments, |isa, values| isa.run(Exponential(values)));
        for (&x, found) in arguments.iter().zip(found) {
            let expected = f64::from(x).exp();
            assert!((f64::from(found) / expected - 1.0).abs() < 2.4e-7, "exp({x}) is {found}, not {expected}");
        }
        let edges = [f32::NEG_INFINITY, f32::MIN, -1000.0, f32::NAN, f32::INFINITY];
        let found = on_all(&edges, |isa, values| isa.run(Exponential(values)));
        assert_eq!(found[..3], [0.0; 3]);
        assert!(found[4] > 1.6e38);
    }

    /// The definitions in float64, the error function by its Maclaurin series and its continued fraction.
    fn reference(activation: Activation, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Gelu => x * normal(x),
            Activation::GeluTanh => {
                let argument = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + argument.tanh())
            }
            Activation::Silu => x * sigmoid(x),
        }
    }

    /// The normal distribution: `1/2 + phi(x) (x + x^3/3 + x^5/15 + ...)`, and beyond 5 its asymptotic tail.
    fn normal(x: f64) -> f64 {
        let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        if x.abs() < 5.0 {
            let (mut term, mut sum) = (x, x);
            for index in 1..200 {
                term *= x * x / f64::from(2 * index + 1);
                sum += term;
            }
            return 0.5 + density * sum;
        }
        let square = x * x;
        let tail = density / x.abs() * (1.0 - 1.0 / square + 3.0 / square.powi(2) - 15.0 / square.powi(3));
        if x > 0.0 { 1.0 - tail } else { tail }
    }

    #[test]
    fn activations_and_their_derivatives_are_as_defined() {
        let all = [Activation::Identity, Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu];
        for activation in all {
            let arguments = grid(12.0, 20_000);
            let found = on_all(&arguments, |isa, values| isa.run(Activate { activation, values }));
            let slopes = on_all(&vec![1.0; arguments.len()], |isa, gradient| {
                isa.run(Chain { activation, control: &arguments, gradient });
            });
            for ((&x, found), slope) in arguments.iter().zip(found).zip(slopes) {
                let x = f64::from(x);
                let expected = reference(activation, x);
                let off = (f64::from(found) - expected).abs() / x.abs().max(1.0);
                assert!(off < 3e-7, "{activation:?}({x}) is {found}, not {expected}");
                if x.abs() < 1e-3 {
                    continue;
                }
                let step = 1e-5;
                let expected = (reference(activation, x + step) - reference(activation, x - step)) / (2.0 * step);
                assert!((f64::from(slope) - expected).abs() < 1e-6, "{activation:?}'({x}) is {slope}, not {expected}");
            }
        }
    }
}
