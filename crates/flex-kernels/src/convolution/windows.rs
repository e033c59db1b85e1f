//! Windows that move over images, of convolutions and of pools.

/// The geometry of windows. Pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowShape {
    /// The size of an image.
    pub size: [usize; 2],
    /// The values that a window sees.
    pub kernel: [usize; 2],
    /// The distance between two windows.
    pub stride: [usize; 2],
    /// The distance between the values of a window.
    pub dilation: [usize; 2],
    /// Rows above, columns before, rows below and columns behind the image.
    pub padding: [usize; 4],
}

impl WindowShape {
    /// How many windows there are, or `None` where a window is larger than the image with its padding, or something is zero that
    /// must not be.
    pub fn checked_output_size(&self) -> Option<[usize; 2]> {
        let side = |axis: usize| {
            let reach = self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?.checked_add(1)?;
            let room = (self.size[axis] + self.padding[axis] + self.padding[axis + 2]).checked_sub(reach)?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        Some([side(0)?, side(1)?])
    }

    /// How many windows there are.
    ///
    /// # Panics
    /// Where [`checked_output_size`](Self::checked_output_size) gives none.
    pub fn output_size(&self) -> [usize; 2] {
        self.checked_output_size().expect("the window fits into the image")
    }

    /// Where a window begins, perhaps before the image.
    #[inline(always)]
    pub(crate) fn corner(&self, window: [usize; 2]) -> [isize; 2] {
        [0, 1].map(|axis| (window[axis] * self.stride[axis]) as isize - self.padding[axis] as isize)
    }

    /// Whether a window sees nothing but the image.
    #[inline(always)]
    pub(crate) fn is_inside(&self, window: [usize; 2]) -> bool {
        let corner = self.corner(window);
        let last = [0, 1].map(|axis| corner[axis] + ((self.kernel[axis] - 1) * self.dilation[axis]) as isize);
        corner.iter().all(|&side| side >= 0) && (0..2).all(|axis| last[axis] < self.size[axis] as isize)
    }
}
