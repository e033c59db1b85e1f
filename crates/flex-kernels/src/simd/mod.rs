//! Sixteen lanes of float32 on every instruction set.
//!
//! A kernel is written once, over `Vector`, and compiled once for each instruction set. Every `Vector` has 16 lanes
//! and fuses multiplication and addition, so all instruction sets give the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use std::sync::OnceLock;

/// The lanes of a `Vector`.
pub const LANES: usize = 16;

/// An instruction set that a kernel can run on.
///
/// A value exists only where the machine has the instructions: [`Isa::available`] is the one place that makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Isa {
    /// Every instruction set of this machine, the fastest first and the portable one last.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            if is_x86_feature_detected!("avx512f") {
                sets.push(Set::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Set::Avx2);
            }
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        sets.push(Set::Neon);
        sets.push(Set::Portable);
        sets.into_iter().map(Self).collect()
    }

    /// The fastest instruction set of this machine.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().first().copied().unwrap_or(Self(Set::Portable)))
    }

    /// Its name: `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
            Set::Portable => "portable",
        }
    }

    /// Runs `kernel`, compiled for this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: `available` made this value, having detected the instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::run(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::run(kernel) },
            // SAFETY: every aarch64 processor that the standard library runs on has NEON.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { neon::run(kernel) },
            // SAFETY: the portable vectors need no particular instructions.
            Set::Portable => unsafe { kernel.run::<portable::F32x16>() },
        }
    }
}

/// Code to be compiled for each instruction set.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// The code; `#[inline(always)]` all the way down, or it is not compiled for the instruction set.
    ///
    /// # Safety
    /// The machine has the instructions of `V`.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

/// Sixteen float32 lanes.
///
/// # Safety
/// Every method needs the instructions of the implementing type. [`load`](Self::load) and [`store`](Self::store) access 16
/// values at a pointer of any alignment.
pub(crate) trait Vector: Copy {
    /// How many vectors of sums a kernel should keep: they fit into registers, and leave some for operands.
    const SUMS: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// `self + a * b`, rounded once.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// The greater value; `other` where one is no number.
    unsafe fn max(self, other: Self) -> Self;
    /// The lesser value; `other` where one is no number.
    unsafe fn min(self, other: Self) -> Self;
    /// The nearest whole number, the even one of two.
    unsafe fn round(self) -> Self;
    /// Two to the power of a whole number between -126 and 127.
    unsafe fn power_of_two(self) -> Self;
    /// The value where it is positive or no number, zero elsewhere.
    unsafe fn relu(self) -> Self;
    /// The value where `control` is positive or no number, zero elsewhere.
    unsafe fn where_active(self, control: Self) -> Self;
    /// (`self`, `label`), replaced by (`other`, `other_label`) where `other` is greater or no number.
    unsafe fn greater(self, label: Self, other: Self, other_label: Self) -> (Self, Self);
}

/// The first `count` of 16 values, and zeros.
///
/// # Safety
/// The machine has the instructions of `V`; `count` values can be read, 16 at most.
#[inline(always)]
pub(crate) unsafe fn some<V: Vector>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller's promise, and an array of 16 values.
    unsafe {
        if count == LANES {
            return V::load(from);
        }
        let mut lanes = [0.0; LANES];
        std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
        V::load(lanes.as_ptr())
    }
}

/// Writes the first `count` of 16 values.
///
/// # Safety
/// The machine has the instructions of `V`; `count` values can be written, 16 at most.
#[inline(always)]
pub(crate) unsafe fn store_some<V: Vector>(vector: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's promise, and an array of 16 values.
    unsafe {
        if count == LANES {
            return vector.store(to);
        }
        let mut lanes = [0.0; LANES];
        vector.store(lanes.as_mut_ptr());
        std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
    }
}
