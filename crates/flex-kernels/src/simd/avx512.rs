//! AVX-512 (foundation).

use std::arch::x86_64::*;

use super::{Kernel, Vector};

#[derive(Clone, Copy)]
pub(super) struct F32x16(__m512);

/// # Safety
/// The machine has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x16>() }
}

// SAFETY of every block: the trait's contract gives the instructions, and 16 accessible values behind a pointer.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Vector for F32x16 {
    const SUMS: usize = 24;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Self(unsafe { _mm512_div_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Self(unsafe { _mm512_sqrt_ps(self.0) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn round(self) -> Self {
        Self(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased)))
        }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        unsafe { self.where_active(self) }
    }

    #[inline(always)]
    unsafe fn where_active(self, control: Self) -> Self {
        unsafe {
            let active = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(control.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(active, self.0))
        }
    }

    #[inline(always)]
    unsafe fn greater(self, label: Self, other: Self, other_label: Self) -> (Self, Self) {
        unsafe {
            let taken = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(other.0, self.0)
                | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(other.0, other.0);
            let value = _mm512_mask_mov_ps(self.0, taken, other.0);
            (Self(value), Self(_mm512_mask_mov_ps(label.0, taken, other_label.0)))
        }
    }
}
