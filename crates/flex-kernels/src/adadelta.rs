//! Adadelta in one pass over the parameters.

use rayon::prelude::*;

use crate::simd::{Isa, Kernel, LANES, Vector};

/// The rule, as `torch.optim.Adadelta` defines it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// What a step moves by, in units of the update.
    pub learning_rate: f32,
    /// How much of the averages a step keeps.
    pub keep: f32,
    /// How much of the new square an average takes: `1 - keep`, rounded once.
    pub take: f32,
    /// Keeps the quotient finite.
    pub epsilon: f32,
    /// The L2 penalty.
    pub weight_decay: f32,
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
    square_averages: &mut [f32],
    update_averages: &mut [f32],
) {
    let length = parameters.len();
    assert_eq!((gradients.len(), square_averages.len(), update_averages.len()), (length, length, length));
    let averages = square_averages.par_chunks_mut(CHUNK).zip(update_averages.par_chunks_mut(CHUNK));
    let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK)).zip(averages);
    chunks.for_each(|((parameters, gradients), (squares, updates))| {
        isa.run(Step { rule, parameters, gradients, squares, updates });
    });
}

struct Step<'a> {
    rule: Rule,
    parameters: &'a mut [f32],
    gradients: &'a [f32],
    squares: &'a mut [f32],
    updates: &'a mut [f32],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { rule, parameters, gradients, squares, updates } = self;
        let whole = parameters.len() / LANES * LANES;
        assert!(gradients.len().min(squares.len()).min(updates.len()) >= parameters.len());
        for at in (0..whole).step_by(LANES) {
            // SAFETY: the instructions are those of the caller; every slice has 16 values from here.
            unsafe {
                let (parameters, gradients) = (parameters.as_mut_ptr().add(at), gradients.as_ptr().add(at));
                lanes::<V>(rule, parameters, gradients, squares.as_mut_ptr().add(at), updates.as_mut_ptr().add(at));
            }
        }
        let rest = parameters.len() - whole;
        let mut tail = [[0.0; LANES]; 4];
        tail[0][..rest].copy_from_slice(&parameters[whole..]);
        tail[1][..rest].copy_from_slice(&gradients[whole..][..rest]);
        tail[2][..rest].copy_from_slice(&squares[whole..][..rest]);
        tail[3][..rest].copy_from_slice(&updates[whole..][..rest]);
        let [parameter, gradient, square, update] = &mut tail;
        // SAFETY: the instructions are those of the caller; every array has 16 values.
        unsafe {
            lanes::<V>(rule, parameter.as_mut_ptr(), gradient.as_ptr(), square.as_mut_ptr(), update.as_mut_ptr());
        }
        parameters[whole..].copy_from_slice(&tail[0][..rest]);
        squares[whole..][..rest].copy_from_slice(&tail[2][..rest]);
        updates[whole..][..rest].copy_from_slice(&tail[3][..rest]);
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
    squares: *mut f32,
    updates: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (keep, take, epsilon) = (V::splat(rule.keep), V::splat(rule.take), V::splat(rule.epsilon));
        let parameter = V::load(parameters);
        let mut gradient = V::load(gradients);
        if rule.weight_decay != 0.0 {
            gradient = gradient.add(parameter.mul(V::splat(rule.weight_decay)));
        }
        let square = V::load(squares).mul(keep).add(gradient.mul(gradient).mul(take));
        let average = V::load(updates);
        let update = average.add(epsilon).sqrt().div(square.add(epsilon).sqrt()).mul(gradient);
        square.store(squares);
        average.mul(keep).add(update.mul(update).mul(take)).store(updates);
        parameter.sub(update.mul(V::splat(rule.learning_rate))).store(parameters);
    }
}
