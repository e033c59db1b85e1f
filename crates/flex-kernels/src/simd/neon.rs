//! NEON: four registers for the sixteen lanes.

use std::arch::aarch64::*;

use super::{Kernel, Vector};

#[derive(Clone, Copy)]
pub(super) struct F32x16([float32x4_t; 4]);

/// # Safety
/// The machine has NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x16>() }
}

/// The same operation on each quarter.
macro_rules! quarters {
    ($quarter:ident => $value:expr) => {{
        let each = |$quarter: usize| unsafe { $value };
        Self([each(0), each(1), each(2), each(3)])
    }};
}

// SAFETY of every block: the trait's contract gives the instructions, and 16 accessible values behind a pointer.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Vector for F32x16 {
    const SUMS: usize = 6;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([unsafe { vdupq_n_f32(value) }; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        quarters!(q => vld1q_f32(from.add(4 * q)))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        for (q, value) in self.0.into_iter().enumerate() {
            unsafe { vst1q_f32(to.add(4 * q), value) };
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        quarters!(q => vaddq_f32(self.0[q], other.0[q]))
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        quarters!(q => vsubq_f32(self.0[q], other.0[q]))
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        quarters!(q => vmulq_f32(self.0[q], other.0[q]))
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        quarters!(q => vdivq_f32(self.0[q], other.0[q]))
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        quarters!(q => vsqrtq_f32(self.0[q]))
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        quarters!(q => vfmaq_f32(self.0[q], a.0[q], b.0[q]))
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        quarters!(q => vbslq_f32(vcgtq_f32(self.0[q], other.0[q]), self.0[q], other.0[q]))
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        quarters!(q => vbslq_f32(vcltq_f32(self.0[q], other.0[q]), self.0[q], other.0[q]))
    }

    #[inline(always)]
    unsafe fn round(self) -> Self {
        quarters!(q => vrndnq_f32(self.0[q]))
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        quarters!(q => {
            let biased = vaddq_s32(vcvtnq_s32_f32(self.0[q]), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
        })
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        unsafe { self.where_active(self) }
    }

    #[inline(always)]
    unsafe fn where_active(self, control: Self) -> Self {
        quarters!(q => {
            let inactive = vcleq_f32(control.0[q], vdupq_n_f32(0.0));
            vbslq_f32(inactive, vdupq_n_f32(0.0), self.0[q])
        })
    }

    #[inline(always)]
    unsafe fn greater(self, label: Self, other: Self, other_label: Self) -> (Self, Self) {
        let taken = |q: usize| unsafe {
            let greater = vcgtq_f32(other.0[q], self.0[q]);
            vorrq_u32(greater, vmvnq_u32(vceqq_f32(other.0[q], other.0[q])))
        };
        let value = quarters!(q => vbslq_f32(taken(q), other.0[q], self.0[q]));
        (value, quarters!(q => vbslq_f32(taken(q), other_label.0[q], label.0[q])))
    }
}
