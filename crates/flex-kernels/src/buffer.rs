//! Memory that begins at a cache line and is used again.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use bytemuck::{Pod, Zeroable};

use crate::simd::LANES;

/// A cache line of values, to give a vector of them its alignment.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([f32; LANES]);

// SAFETY: sixteen float32 and no padding: any bits are a value.
unsafe impl Zeroable for Line {}
// SAFETY: as above.
unsafe impl Pod for Line {}

const ZEROS: Line = Line([0.0; LANES]);

/// Memory of buffers that are gone. What is given back to the operating system comes back with a page fault for each
/// 4 KiB, which would be a tenth of a training step.
static SPARE: Mutex<Vec<Vec<Line>>> = Mutex::new(Vec::new());

/// The most pieces that are kept, and the sizes in lines that are worth it: 8 KiB to 4 MiB.
const KEPT: usize = 128;
const WORTH: std::ops::RangeInclusive<usize> = 1 << 7..=1 << 16;

/// Float32 values whose first begins a cache line, so that a vector is never split over two.
#[derive(Default)]
pub struct Buffer(Vec<Line>);

impl Buffer {
    /// At least `count` zeros; their number is a multiple of 16.
    pub fn zeros(count: usize) -> Self {
        let lines = count.div_ceil(LANES);
        if !WORTH.contains(&lines) {
            return Self(vec![ZEROS; lines]);
        }
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = spare.iter().position(|piece| (lines..=2 * lines).contains(&piece.capacity()));
        let mut memory = fitting.map(|index| spare.swap_remove(index)).unwrap_or_default();
        drop(spare);
        memory.clear();
        memory.resize(lines, ZEROS);
        Self(memory)
    }

    /// Makes room for at least `count` values; what is new is zero.
    pub fn resize(&mut self, count: usize) {
        let lines = count.div_ceil(LANES);
        if lines <= self.0.capacity() {
            self.0.resize(lines, ZEROS);
        } else {
            let mut larger = Self::zeros(count);
            larger.0[..self.0.len()].copy_from_slice(&self.0);
            *self = larger;
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        if WORTH.contains(&memory.capacity()) {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.len() < KEPT {
                spare.push(memory);
            }
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut clone = Self::zeros(self.len());
        clone.copy_from_slice(self);
        clone
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
