//! A dense matrix product on one thread.

use crate::simd::{Kernel, LANES, Vector};
use crate::tile::{Tiled, Walk, accumulate, cover};

/// `c[row][column] = sum over i of a[row][i] * b[i][column]`, columns in whole vectors.
pub(crate) struct Product<'a> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Terms of each sum.
    pub(crate) depth: usize,
    pub(crate) a: &'a [f32],
    /// The distance between rows of `a`, and between the terms in a row.
    pub(crate) a_steps: [usize; 2],
    pub(crate) b: &'a [f32],
    /// The distance between rows of `b`.
    pub(crate) b_step: usize,
    pub(crate) c: &'a mut [f32],
    /// The distance between rows of `c`.
    pub(crate) c_step: usize,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { rows, columns, depth, a, a_steps, b, b_step, c, c_step } = self;
        if rows == 0 || columns == 0 {
            return;
        }
        let (last_row, last_term) = (rows - 1, depth.saturating_sub(1));
        assert!(columns.is_multiple_of(LANES));
        assert!(depth == 0 || last_row * a_steps[0] + last_term * a_steps[1] < a.len());
        assert!(depth == 0 || last_term * b_step + columns <= b.len());
        assert!(last_row * c_step + columns <= c.len());
        let walk = Walk { outer: 1, inner: depth, a_outer: 0, a_inner: a_steps[1], b_outer: 0, b_inner: b_step };
        let tiles = Tiles { a: a.as_ptr(), a_row: a_steps[0], b: b.as_ptr(), c: c.as_mut_ptr(), c_step, walk };
        // SAFETY: the instructions are those of the caller; the lengths are checked above.
        unsafe { cover::<V>(rows, columns / LANES, &tiles) };
    }
}

struct Tiles {
    a: *const f32,
    a_row: usize,
    b: *const f32,
    c: *mut f32,
    c_step: usize,
    walk: Walk,
}

impl Tiled for Tiles {
    #[inline(always)]
    unsafe fn tile<V: Vector, const M: usize, const N: usize>(&self, row: usize, vector: usize) {
        // SAFETY: the caller keeps to the area of `cover`.
        unsafe {
            let (a, b) = (self.a.add(row * self.a_row), self.b.add(vector * LANES));
            let sums = accumulate::<V, M, N>([[V::splat(0.0); N]; M], a, self.a_row, b, self.walk);
            for (m, values) in sums.into_iter().enumerate() {
                for (n, value) in values.into_iter().enumerate() {
                    value.store(self.c.add((row + m) * self.c_step + (vector + n) * LANES));
                }
            }
        }
    }
}
