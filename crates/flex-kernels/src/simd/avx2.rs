//! AVX2 with FMA: two registers for the sixteen lanes.

use std::arch::x86_64::*;

use super::{Kernel, Vector};

#[derive(Clone, Copy)]
pub(super) struct F32x16(__m256, __m256);

/// # Safety
/// The machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x16>() }
}

// SAFETY of every block: the trait's contract gives the instructions, and 16 accessible values behind a pointer.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Vector for F32x16 {
    const SUMS: usize = 6;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        let value = unsafe { _mm256_set1_ps(value) };
        Self(value, value)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        unsafe { Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn round(self) -> Self {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        unsafe { Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)) }
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        #[inline(always)]
        unsafe fn half(exponent: __m256) -> __m256 {
            unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            }
        }
        unsafe { Self(half(self.0), half(self.1)) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        unsafe { self.where_active(self) }
    }

    #[inline(always)]
    unsafe fn where_active(self, control: Self) -> Self {
        unsafe {
            let zero = _mm256_setzero_ps();
            let low = _mm256_cmp_ps::<_CMP_NLE_UQ>(control.0, zero);
            let high = _mm256_cmp_ps::<_CMP_NLE_UQ>(control.1, zero);
            Self(_mm256_and_ps(self.0, low), _mm256_and_ps(self.1, high))
        }
    }

    #[inline(always)]
    unsafe fn greater(self, label: Self, other: Self, other_label: Self) -> (Self, Self) {
        #[inline(always)]
        unsafe fn half(value: __m256, label: __m256, other: __m256, other_label: __m256) -> (__m256, __m256) {
            unsafe {
                let greater = _mm256_cmp_ps::<_CMP_GT_OQ>(other, value);
                let taken = _mm256_or_ps(greater, _mm256_cmp_ps::<_CMP_UNORD_Q>(other, other));
                (_mm256_blendv_ps(value, other, taken), _mm256_blendv_ps(label, other_label, taken))
            }
        }
        unsafe {
            let (low, low_label) = half(self.0, label.0, other.0, other_label.0);
            let (high, high_label) = half(self.1, label.1, other.1, other_label.1);
            (Self(low, high), Self(low_label, high_label))
        }
    }
}
