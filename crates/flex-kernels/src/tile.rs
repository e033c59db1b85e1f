//! The one loop that all dense products share: a tile of sums kept in registers.

use crate::simd::{LANES, Vector};

/// The most rows of a tile.
pub(crate) const ROWS: usize = 6;

/// How a tile walks through its operands: `outer` times `inner` products for each sum, with the distance in values that
/// each step takes in the operand `a` of scalars and the operand `b` of vectors.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) outer: usize,
    pub(crate) inner: usize,
    pub(crate) a_outer: usize,
    pub(crate) a_inner: usize,
    pub(crate) b_outer: usize,
    pub(crate) b_inner: usize,
}

/// Adds to each sum `[row][column]` the products of the scalars at `a + row * a_row` and the vectors at
/// `b + column * 16`, along the walk.
///
/// # Safety
/// The machine has the instructions of `V`; every scalar and vector on the walk can be read.
#[inline(always)]
pub(crate) unsafe fn accumulate<V: Vector, const M: usize, const N: usize>(
    mut sums: [[V; N]; M],
    a: *const f32,
    a_row: usize,
    b: *const f32,
    walk: Walk,
) -> [[V; N]; M] {
    for outer in 0..walk.outer {
        // SAFETY: the caller promises that every step of the walk is in bounds.
        let mut a = unsafe { a.add(outer * walk.a_outer) };
        // SAFETY: as above.
        let mut b = unsafe { b.add(outer * walk.b_outer) };
        for _ in 0..walk.inner {
            // SAFETY: as above, for `M` rows of `a` and `N` vectors of `b` at each step.
            unsafe {
                let mut columns = [V::splat(0.0); N];
                for (n, column) in columns.iter_mut().enumerate() {
                    *column = V::load(b.add(n * LANES));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let scalar = V::splat(*a.add(m * a_row));
                    for (sum, column) in row.iter_mut().zip(columns) {
                        *sum = sum.mul_add(scalar, column);
                    }
                }
                a = a.wrapping_add(walk.a_inner);
                b = b.wrapping_add(walk.b_inner);
            }
        }
    }
    sums
}

/// What is computed tile by tile.
pub(crate) trait Tiled {
    /// Computes `M` rows from `row` and `N` vectors of columns from `vector`.
    ///
    /// # Safety
    /// The machine has the instructions of `V`, and the tile is inside the area of [`cover`].
    unsafe fn tile<V: Vector, const M: usize, const N: usize>(&self, row: usize, vector: usize);
}

/// Computes an area of `rows` by `vectors` tile by tile, the rows of a panel of columns one after the other.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn cover<V: Vector>(rows: usize, vectors: usize, tiled: &impl Tiled) {
    // SAFETY: the caller's promise, and tiles inside the area.
    unsafe {
        if V::SUMS >= 4 * ROWS {
            let mut vector = 0;
            while vector < vectors {
                match vectors - vector {
                    1 => panel::<V, 1>(rows, vector, tiled),
                    2 => panel::<V, 2>(rows, vector, tiled),
                    3 => panel::<V, 3>(rows, vector, tiled),
                    _ => panel::<V, 4>(rows, vector, tiled),
                }
                vector += 4;
            }
        } else {
            for vector in 0..vectors {
                panel::<V, 1>(rows, vector, tiled);
            }
        }
    }
}

#[inline(always)]
unsafe fn panel<V: Vector, const N: usize>(rows: usize, vector: usize, tiled: &impl Tiled) {
    let mut row = 0;
    // SAFETY: the caller's promise, and tiles inside the area.
    unsafe {
        while row + ROWS <= rows {
            tiled.tile::<V, ROWS, N>(row, vector);
            row += ROWS;
        }
        match rows - row {
            1 => tiled.tile::<V, 1, N>(row, vector),
            2 => tiled.tile::<V, 2, N>(row, vector),
            3 => tiled.tile::<V, 3, N>(row, vector),
            4 => tiled.tile::<V, 4, N>(row, vector),
            5 => tiled.tile::<V, 5, N>(row, vector),
            _ => {}
        }
    }
}
