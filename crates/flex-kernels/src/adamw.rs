//! AdamW in one pass over the parameters, and the norm by which gradients are clipped.

use rayon::prelude::*;

use crate::math::{Term, total};
use crate::simd::{Isa, Kernel, LANES, Vector};

/// The rule of one step, as `torch.optim.AdamW` defines it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// What the gradient is multiplied by first: less than 1 where it is clipped.
    pub clip: f32,
    /// What the parameters are multiplied by: `1 - learning rate * weight decay`.
    pub decay: f32,
    /// What a step moves by: the learning rate over `1 - beta1^step`.
    pub rate: f32,
    /// How much of the average of gradients a step keeps: `beta1`.
    pub keep: f32,
    /// How much of the gradient it takes: `1 - beta1`, rounded once.
    pub take: f32,
    /// How much of the average of squares a step keeps: `beta2`.
    pub keep_square: f32,
    /// How much of the new square it takes: `1 - beta2`, rounded once.
    pub take_square: f32,
    /// The square root of `1 - beta2^step`.
    pub correction: f32,
    /// Keeps the quotient finite.
    pub epsilon: f32,
}

impl Rule {
    /// The rule of step `step`, from 1, for decoupled `weight_decay`.
    pub fn new(learning_rate: f64, betas: [f64; 2], epsilon: f64, weight_decay: f64, step: u32, clip: f64) -> Self {
        let [bias, square_bias] = betas.map(|beta| 1.0 - beta.powf(step.into()));
        Self {
            clip: clip as f32,
            decay: (1.0 - learning_rate * weight_decay) as f32,
            rate: (learning_rate / bias) as f32,
            keep: betas[0] as f32,
            take: (1.0 - betas[0]) as f32,
            keep_square: betas[1] as f32,
            take_square: (1.0 - betas[1]) as f32,
            correction: square_bias.sqrt() as f32,
            epsilon: epsilon as f32,
        }
    }
}

/// Values of one task.
const CHUNK: usize = 1 << 14;

/// Moves `parameters` against `gradients`, and brings the averages up to date. Equal lengths, elementwise.
///
/// # Panics
/// When the lengths differ.
pub fn step(
    isa: Isa,
    rule: Rule,
    parameters: &mut [f32],
    gradients: &[f32],
    averages: &mut [f32],
    square_averages: &mut [f32],
) {
    let length = parameters.len();
    assert_eq!((gradients.len(), averages.len(), square_averages.len()), (length, length, length));
    let averages = averages.par_chunks_mut(CHUNK).zip(square_averages.par_chunks_mut(CHUNK));
    let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK)).zip(averages);
    chunks.for_each(|((parameters, gradients), (averages, squares))| {
        isa.run(Step { rule, parameters, gradients, averages, squares });
    });
}

/// The sum of the squares, added up in parts of a fixed size.
pub fn sum_of_squares(isa: Isa, values: &[f32]) -> f64 {
    let parts: Vec<f32> = values.par_chunks(CHUNK).map(|values| isa.run(Squares(values))).collect();
    parts.into_iter().map(f64::from).sum()
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> f32 {
        // SAFETY: the instructions are those of the caller.
        unsafe { total::<V>(self.0, self.0, Term::Product) }
    }
}

struct Step<'a> {
    rule: Rule,
    parameters: &'a mut [f32],
    gradients: &'a [f32],
    averages: &'a mut [f32],
    squares: &'a mut [f32],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { rule, parameters, gradients, averages, squares } = self;
        let whole = parameters.len() / LANES * LANES;
        assert!(gradients.len().min(averages.len()).min(squares.len()) >= parameters.len());
        for at in (0..whole).step_by(LANES) {
            // SAFETY: the instructions are those of the caller; every slice has 16 values from here.
            unsafe {
                let (parameters, gradients) = (parameters.as_mut_ptr().add(at), gradients.as_ptr().add(at));
                lanes::<V>(rule, parameters, gradients, averages.as_mut_ptr().add(at), squares.as_mut_ptr().add(at));
            }
        }
        let rest = parameters.len() - whole;
        let mut tail = [[0.0; LANES]; 4];
        tail[0][..rest].copy_from_slice(&parameters[whole..]);
        tail[1][..rest].copy_from_slice(&gradients[whole..][..rest]);
        tail[2][..rest].copy_from_slice(&averages[whole..][..rest]);
        tail[3][..rest].copy_from_slice(&squares[whole..][..rest]);
        let [parameter, gradient, average, square] = &mut tail;
        // SAFETY: the instructions are those of the caller; every array has 16 values.
        unsafe {
            lanes::<V>(rule, parameter.as_mut_ptr(), gradient.as_ptr(), average.as_mut_ptr(), square.as_mut_ptr());
        }
        parameters[whole..].copy_from_slice(&tail[0][..rest]);
        averages[whole..][..rest].copy_from_slice(&tail[2][..rest]);
        squares[whole..][..rest].copy_from_slice(&tail[3][..rest]);
    }
}

/// The rule on sixteen values.
///
/// # Safety
/// The machine has the instructions of `V`, and every pointer has 16 values.
#[inline(always)]
unsafe fn lanes<V: Vector>(
    rule: Rule,
    parameters: *mut f32,
    gradients: *const f32,
    averages: *mut f32,
    squares: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (keep, take) = (V::splat(rule.keep), V::splat(rule.take));
        let (keep_square, take_square) = (V::splat(rule.keep_square), V::splat(rule.take_square));
        let gradient = V::load(gradients).mul(V::splat(rule.clip));
        let average = V::load(averages).mul(keep).mul_add(gradient, take);
        let square = V::load(squares).mul(keep_square).mul_add(gradient.mul(gradient), take_square);
        let size = square.sqrt().div(V::splat(rule.correction)).add(V::splat(rule.epsilon));
        let parameter = V::load(parameters).mul(V::splat(rule.decay));
        parameter.sub(average.div(size).mul(V::splat(rule.rate))).store(parameters);
        average.store(averages);
        square.store(squares);
    }
}
