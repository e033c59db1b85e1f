//! Plain Rust, for every machine.
//!
//! `f32::mul_add` rounds once everywhere, which keeps the bits those of the other instruction sets. Where the machine has
//! no such instruction the standard library computes it step by step: right, but slow.

use super::{LANES, Vector};

#[derive(Clone, Copy)]
pub(super) struct F32x16([f32; LANES]);

impl F32x16 {
    #[inline(always)]
    fn map(self, operation: impl Fn(f32) -> f32) -> Self {
        Self(self.0.map(operation))
    }

    #[inline(always)]
    fn zip(self, other: Self, operation: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| operation(self.0[lane], other.0[lane])))
    }
}

impl Vector for F32x16 {
    const SUMS: usize = 6;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract: 16 readable values, of any alignment.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract: 16 writable values, of any alignment.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|lane| a.0[lane].mul_add(b.0[lane], self.0[lane])))
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    unsafe fn round(self) -> Self {
        self.map(f32::round_ties_even)
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        self.map(|exponent| f32::from_bits(((exponent as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.map(|value| if value <= 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    unsafe fn where_active(self, control: Self) -> Self {
        self.zip(control, |value, control| if control <= 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    unsafe fn greater(self, label: Self, other: Self, other_label: Self) -> (Self, Self) {
        let taken: [bool; LANES] = std::array::from_fn(|lane| other.0[lane] > self.0[lane] || other.0[lane].is_nan());
        let choose = |kept: Self, new: Self| {
            Self(std::array::from_fn(|lane| if taken[lane] { new.0[lane] } else { kept.0[lane] }))
        };
        (choose(self, other), choose(label, other_label))
    }
}
