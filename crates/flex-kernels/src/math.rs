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
    unsafe {
        let mut sum = V::splat(*first);
        for &coefficient in rest {
            sum = V::splat(coefficient).mul_add(sum, x);
        }
        sum
    }
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
    const FACTOR: f32 = 1.595_769; // 2 sqrt(2 / pi)
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
                Self::Relu6 => V::splat(6.0).min(x.relu()),
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
                Self::Relu6 => gradient.where_active(V::splat(6.0).sub(x)).where_active(x),
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

impl Activation {
    /// Whether it is [`bound`](Self::bound).
    pub(crate) fn is_bound(self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::Relu6)
    }

    /// Applies it where it is a bound: in few instructions, while the values are in registers.
    ///
    /// # Safety
    /// The machine has the instructions of `V`.
    #[inline(always)]
    pub(crate) unsafe fn bound<V: Vector>(self, values: &mut [V]) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Relu => {
                    for value in values {
                        *value = value.relu();
                    }
                }
                Self::Relu6 => {
                    for value in values {
                        *value = V::splat(6.0).min(value.relu());
                    }
                }
                _ => {}
            }
        }
    }
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the instructions are those of the caller.
        unsafe { each::<V>(self.values, &self.activation) }
    }
}

impl Map for Activation {
    #[inline(always)]
    unsafe fn map<V: Vector>(&self, x: V) -> V {
        // SAFETY: the caller has the instructions of `V`.
        unsafe { self.apply(x) }
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
        assert_eq!(control.len(), gradient.len());
        let mut gradients = gradient.chunks_exact_mut(LANES);
        let mut controls = control.chunks_exact(LANES);
        // SAFETY: the instructions are those of the caller; slices and arrays have 16 values.
        unsafe {
            for (gradient, control) in (&mut gradients).zip(&mut controls) {
                let value = activation.chain(V::load(control.as_ptr()), V::load(gradient.as_ptr()));
                value.store(gradient.as_mut_ptr());
            }
            let (rest, control) = (gradients.into_remainder(), controls.remainder());
            let (mut lanes, mut control_lanes) = ([0.0; LANES], [0.0; LANES]);
            lanes[..rest.len()].copy_from_slice(rest);
            control_lanes[..rest.len()].copy_from_slice(control);
            let value = activation.chain(V::load(control_lanes.as_ptr()), V::load(lanes.as_ptr()));
            value.store(lanes.as_mut_ptr());
            rest.copy_from_slice(&lanes[..rest.len()]);
        }
    }
}

/// A function of each value.
///
/// It is a trait, since a closure is not compiled for the instruction set of its caller.
pub(crate) trait Map {
    /// # Safety
    /// The machine has the instructions of `V`.
    unsafe fn map<V: Vector>(&self, x: V) -> V;
}

/// `exp(scale x + offset)`
pub(crate) struct Exponential {
    pub(crate) scale: f32,
    pub(crate) offset: f32,
}

impl Map for Exponential {
    #[inline(always)]
    unsafe fn map<V: Vector>(&self, x: V) -> V {
        // SAFETY: the caller has the instructions of `V`.
        unsafe { exp(V::splat(self.offset).mul_add(x, V::splat(self.scale))) }
    }
}

/// Replaces every value, sixteen at a time.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn each<V: Vector>(values: &mut [f32], function: &impl Map) {
    let mut vectors = values.chunks_exact_mut(LANES);
    // SAFETY: the caller's promise; slices and arrays have 16 values.
    unsafe {
        for values in &mut vectors {
            function.map(V::load(values.as_ptr())).store(values.as_mut_ptr());
        }
        let rest = vectors.into_remainder();
        if rest.is_empty() {
            return;
        }
        let mut lanes = [0.0; LANES];
        lanes[..rest.len()].copy_from_slice(rest);
        function.map(V::load(lanes.as_ptr())).store(lanes.as_mut_ptr());
        rest.copy_from_slice(&lanes[..rest.len()]);
    }
}

/// What is added up of two slices.
#[derive(Clone, Copy)]
pub(crate) enum Term {
    /// The values of the first.
    First,
    /// Their products.
    Product,
    /// The squares of the differences of the first from a value.
    SquareFrom(f32),
}

/// The sum over two slices of one length, sixteen lanes at a time, which are then added in their order.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn total<V: Vector>(a: &[f32], b: &[f32], term: Term) -> f32 {
    assert_eq!(a.len(), b.len());
    let filler = match term {
        Term::SquareFrom(centre) => centre,
        _ => 0.0,
    };
    let (mut vectors, mut others) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    // SAFETY: the caller's promise; slices and arrays have 16 values.
    unsafe {
        let mut sum = V::splat(0.0);
        for (a, b) in (&mut vectors).zip(&mut others) {
            sum = add_term(sum, V::load(a.as_ptr()), V::load(b.as_ptr()), term);
        }
        let (rest, other_rest) = (vectors.remainder(), others.remainder());
        if !rest.is_empty() {
            let (mut a, mut b) = ([filler; LANES], [0.0; LANES]);
            a[..rest.len()].copy_from_slice(rest);
            b[..rest.len()].copy_from_slice(other_rest);
            sum = add_term(sum, V::load(a.as_ptr()), V::load(b.as_ptr()), term);
        }
        let mut lanes = [0.0; LANES];
        sum.store(lanes.as_mut_ptr());
        lanes.iter().sum()
    }
}

#[inline(always)]
unsafe fn add_term<V: Vector>(sum: V, a: V, b: V, term: Term) -> V {
    // SAFETY: the caller has the instructions of `V`.
    unsafe {
        match term {
            Term::First => sum.add(a),
            Term::Product => sum.mul_add(a, b),
            Term::SquareFrom(centre) => {
                let off = a.sub(V::splat(centre));
                sum.mul_add(off, off)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    struct Exponentials<'a>(&'a mut [f32]);

    impl Kernel for Exponentials<'_> {
        type Output = ();

        #[inline(always)]
        unsafe fn run<V: Vector>(self) {
            // SAFETY: the instructions are those of the caller.
            unsafe { each::<V>(self.0, &Exponential { scale: 1.0, offset: 0.0 }) }
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
        let found = on_all(&arguments, |isa, values| isa.run(Exponentials(values)));
        for (&x, found) in arguments.iter().zip(found) {
            let expected = f64::from(x).exp();
            assert!((f64::from(found) / expected - 1.0).abs() < 2.4e-7, "exp({x}) is {found}, not {expected}");
        }
        let edges = [f32::NEG_INFINITY, f32::MIN, -1000.0, f32::NAN, f32::INFINITY];
        let found = on_all(&edges, |isa, values| isa.run(Exponentials(values)));
        assert_eq!(found[..3], [0.0; 3]);
        assert!(found[4] > 1.6e38);
    }

    /// The definitions in float64, the error function by its Maclaurin series and its continued fraction.
    fn reference(activation: Activation, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::Relu6 => x.clamp(0.0, 6.0),
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
        let all = [
            Activation::Identity,
            Activation::Relu,
            Activation::Relu6,
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Silu,
        ];
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
                if x.abs() < 1e-3 || (x - 6.0).abs() < 1e-3 {
                    continue;
                }
                let step = 1e-5;
                let expected = (reference(activation, x + step) - reference(activation, x - step)) / (2.0 * step);
                assert!((f64::from(slope) - expected).abs() < 1e-6, "{activation:?}'({x}) is {slope}, not {expected}");
            }
        }
    }
}
