//! Windows that move over the spatial axes of an input: how the input is padded for them, and what each place of the window
//! sees.

use super::step::{Reason, Step};
use super::writer::{Expr, Writer};
use onnx_model::DataType;

/// Larger kernels are given up: each place of one costs several nodes.
const MOST_PLACES: i64 = 1 << 14;

/// Larger numbers are no strides or pads of any tensor.
const MOST: i64 = 1 << 31;

/// How a window moves, spatial axis by spatial axis.
pub struct Window {
    pub kernel: Vec<i64>,
    pub strides: Vec<i64>,
    pub dilations: Vec<i64>,
}

/// What is added before and after the spatial axes of the input, as integer vectors.
pub struct Padding<'w> {
    pub before: Expr<'w>,
    pub after: Expr<'w>,
    /// What is added after that so that a last window fits; it counts as no padding. It may be negative.
    pub extra: Option<Expr<'w>>,
    /// Whether `before` and `after` are known to be zero.
    pub none: bool,
    /// The number of spatial axes.
    axes: usize,
}

impl Window {
    /// The window of a node with attributes `strides` and `dilations`.
    pub fn new(step: &Step, kernel: Vec<i64>) -> Result<Self, Reason> {
        let axes = kernel.len();
        let list = |name| numbers(step, name, axes, 1, 1);
        let window = Self { strides: list("strides")?, dilations: list("dilations")?, kernel };
        let places = window.kernel.iter().try_fold(1_i64, |product, size| product.checked_mul((*size).max(0)));
        match places {
            Some(1..=MOST_PLACES) => Ok(window),
            _ => Err("its kernel is empty or too large"),
        }
    }

    /// The number of spatial axes.
    pub fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// The number of places in the window.
    pub fn places(&self) -> i64 {
        self.kernel.iter().product()
    }

    /// The extent along each axis, with the holes of the dilation.
    fn reach(&self) -> Vec<i64> {
        self.kernel.iter().zip(&self.dilations).map(|(size, dilation)| (size - 1) * dilation + 1).collect()
    }

    /// The padding that the attributes `pads`, `auto_pad` and `ceil_mode` ask for.
    pub fn padding<'w>(&self, step: &Step<'_, 'w>, x: Expr<'w>) -> Result<Padding<'w>, Reason> {
        let writer = step.writer;
        let axes = self.axes();
        let mode = step.op.string("auto_pad").unwrap_or("NOTSET");
        if mode.starts_with("SAME") {
            return Ok(self.same(writer, x, mode == "SAME_UPPER"));
        }
        let pads = if mode == "NOTSET" { numbers(step, "pads", 2 * axes, 0, 0)? } else { vec![0; 2 * axes] };
        let (before, after) = pads.split_at(axes);
        let none = pads.iter().all(|pad| *pad == 0);
        let (before, after) = (writer.ints(before), writer.ints(after));
        let extra = step.op.flag("ceil_mode").then(|| self.extra(writer, x, before, after));
        Ok(Padding { before, after, extra, none, axes })
    }

    /// What makes as many windows as there are strides in the input: it may depend on the input's size.
    fn same<'w>(&self, writer: &'w Writer, x: Expr<'w>, upper: bool) -> Padding<'w> {
        let (strides, reach) = (writer.ints(&self.strides), writer.ints(&self.reach()));
        let size = x.shape().from(2);
        let places = (size + strides - 1) / strides;
        let total = not_negative((places - 1) * strides + reach - size);
        let less = total / 2;
        let (before, after) = if upper { (less, total - less) } else { (total - less, less) };
        Padding { before, after, extra: None, none: false, axes: self.axes() }
    }

    /// What the last window needs that begins inside the input or the padding before it.
    fn extra<'w>(&self, writer: &'w Writer, x: Expr<'w>, before: Expr<'w>, after: Expr<'w>) -> Expr<'w> {
        let (strides, reach) = (writer.ints(&self.strides), writer.ints(&self.reach()));
        let begun = x.shape().from(2) + before;
        let padded = begun + after;
        let places = (padded - reach + strides - 1) / strides + 1;
        let outside = ((places - 1) * strides).less(begun).not().cast(DataType::I64);
        (places - outside - 1) * strides + reach - padded
    }

    /// Calls `see` with what each place of the window sees of `x`, which is padded, in row-major order: values of the size of
    /// the output.
    pub fn views<'w>(&self, x: Expr<'w>) -> impl Iterator<Item = Expr<'w>> {
        let axes: Vec<i64> = (2..).take(self.axes()).collect();
        (0..self.places()).map(move |place| {
            let (mut rest, mut position) = (place, vec![0; self.axes()]);
            for (index, size) in self.kernel.iter().enumerate().rev() {
                position[index] = rest % size;
                rest /= size;
            }
            let bounds: Vec<_> = position.iter().enumerate().map(|(axis, place)| self.bounds(axis, *place)).collect();
            let (starts, ends): (Vec<_>, Vec<_>) = bounds.into_iter().unzip();
            x.slice(&starts, &ends, &axes, &self.strides)
        })
    }

    /// The sum of `x`, which is padded, over each window, axis after axis.
    pub fn sums<'w>(&self, x: Expr<'w>) -> Expr<'w> {
        (0..self.axes()).fold(x, |x, axis| {
            let views = (0..self.kernel[axis]).map(|place| {
                let (start, end) = self.bounds(axis, place);
                x.slice(&[start], &[end], &[axis as i64 + 2], &[self.strides[axis]])
            });
            x.writer().sum(&views.collect::<Vec<_>>())
        })
    }

    /// Where the view of a place begins and ends along an axis; the end counts from the axis' end.
    fn bounds(&self, axis: usize, place: i64) -> (i64, i64) {
        let dilation = self.dilations[axis];
        match (self.kernel[axis] - 1 - place) * dilation {
            0 => (place * dilation, i64::MAX),
            rest => (place * dilation, -rest),
        }
    }
}

impl<'w> Padding<'w> {
    /// The input with `value` around it, and zeros after that.
    pub fn around(&self, x: Expr<'w>, value: f64) -> Expr<'w> {
        let writer = x.writer();
        let unchanged = writer.ints(&[0, 0]);
        let padded = match self.none {
            true => x,
            false => x.pad(writer.concat(&[unchanged, self.before, unchanged, self.after], 0), value),
        };
        match self.extra {
            Some(extra) => {
                let before = writer.ints(&vec![0; 2 + self.axes]);
                padded.pad(writer.concat(&[before, unchanged, extra], 0), 0.0)
            }
            None => padded,
        }
    }
}

/// An attribute of `count` integers of which none is less than `least`, or as many times `absent`.
pub fn numbers(step: &Step, name: &str, count: usize, absent: i64, least: i64) -> Result<Vec<i64>, Reason> {
    let Some(values) = step.op.ints(name) else { return Ok(vec![absent; count]) };
    match values.len() == count && values.iter().all(|value| (least..=MOST).contains(value)) {
        true => Ok(values.to_vec()),
        false => Err("its strides, dilations or pads do not fit its kernel"),
    }
}

/// An integer, or 0 where it is negative.
pub fn not_negative(x: Expr<'_>) -> Expr<'_> {
    x.less(0).select(0, x)
}

/// The kernel sizes that the attribute gives.
pub fn kernel_shape(step: &Step) -> Result<Vec<i64>, Reason> {
    step.op.ints("kernel_shape").map(<[i64]>::to_vec).ok_or("the sizes of its kernel are not known")
}
