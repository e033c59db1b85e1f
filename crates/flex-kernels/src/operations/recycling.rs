//! Memory that is used again from step to step.
//!
//! A training step needs the same large tensors every time. Fresh memory from the operating system costs a page fault for
//! each 4 KiB of it, which is more than what the kernels need to fill it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};

use crate::buffer::Line;
use crate::simd::LANES;

/// The most pieces that are kept.
const KEPT: usize = 24;

/// Only pieces of at least this many bytes are worth keeping.
const WORTH: usize = 1 << 16;

/// Pieces in use by tensors, or free again. The oldest are first.
static PIECES: Mutex<Vec<Arc<Bytes>>> = Mutex::new(Vec::new());

/// Values in memory that nothing else uses, the first at the beginning of a cache line.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: Arc<Bytes>,
    /// The first value's position: Burn aligns to 16 bytes only.
    start: usize,
    count: usize,
}

impl Memory {
    /// `count` values, arbitrary ones: what an earlier tensor left there.
    pub(super) fn arbitrary(count: usize) -> Self {
        let size = (count + LANES) * size_of::<f32>();
        let mut pieces = PIECES.lock().unwrap_or_else(PoisonError::into_inner);
        // A little more than what is needed serves too: the tensors of a network have many sizes.
        let fits = |piece: &Arc<Bytes>| (size..=size + size / 4).contains(&piece.len());
        let mut free: Option<usize> = None;
        for index in 0..pieces.len() {
            let smaller = free.is_none_or(|best| pieces[index].len() < pieces[best].len());
            if smaller && fits(&pieces[index]) && Arc::get_mut(&mut pieces[index]).is_some() {
                free = Some(index);
            }
        }
        let bytes = match free {
            Some(index) => pieces.remove(index),
            None => Arc::new(Bytes::from_elems(vec![0.0_f32; count + LANES])),
        };
        let values: &[f32] = bytemuck::cast_slice(&bytes);
        let start = values.as_ptr().align_offset(size_of::<Line>()).min(LANES);
        Self { bytes, start, count }
    }

    /// A row-major tensor of the values; when it is gone the memory can be used again.
    ///
    /// # Panics
    /// When there are not as many values as the shape says.
    pub(super) fn into_tensor<const D: usize>(self, shape: [usize; D]) -> FlexTensor {
        assert_eq!(shape.iter().product::<usize>(), self.count);
        let mut strides = vec![1; D];
        for axis in (1..D).rev() {
            strides[axis - 1] = strides[axis] * shape[axis] as isize;
        }
        if self.bytes.len() >= WORTH {
            let mut pieces = PIECES.lock().unwrap_or_else(PoisonError::into_inner);
            if pieces.len() == KEPT {
                pieces.remove(0);
            }
            pieces.push(Arc::clone(&self.bytes));
        }
        FlexTensor::from_arc(self.bytes, Layout::new(Shape::from(shape), strides, self.start), DType::F32)
    }
}

impl Deref for Memory {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.bytes)[self.start..][..self.count]
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [f32] {
        let bytes = Arc::get_mut(&mut self.bytes).expect("nothing else uses this memory");
        &mut bytemuck::cast_slice_mut(bytes)[self.start..][..self.count]
    }
}
