//! Memory that begins at a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

use crate::simd::LANES;

/// A cache line of values, to give a vector of them its alignment.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([f32; LANES]);

// SAFETY: sixteen float32 and no padding: any bits are a value.
unsafe impl Zeroable for Line {}
// SAFETY: as above.
unsafe impl Pod for Line {}

/// Float32 values whose first begins a cache line, so that a vector is never split over two.
#[derive(Clone, Default)]
pub struct Buffer(Vec<Line>);

impl Buffer {
    /// At least `count` zeros; their number is a multiple of 16.
    pub fn zeros(count: usize) -> Self {
        Self(vec![Line([0.0; LANES]); count.div_ceil(LANES)])
    }

    /// Makes room for at least `count` values; what is new is zero.
    pub fn resize(&mut self, count: usize) {
        self.0.resize(count.div_ceil(LANES), Line([0.0; LANES]));
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} values)", self.len())
    }
}
