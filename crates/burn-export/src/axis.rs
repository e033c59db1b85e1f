//! The axes of an input: fixed sizes, and named sizes that the file leaves open.

use std::ops::{Bound, RangeBounds};

/// One axis of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    pub(crate) kind: AxisKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AxisKind {
    Fixed(usize),
    Dynamic(DynamicAxis),
}

/// A named axis and the sizes it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DynamicAxis {
    pub(crate) name: String,
    pub(crate) lowest: usize,
    pub(crate) highest: usize,
    pub(crate) multiple_of: usize,
}

impl Axis {
    /// An axis of one size only.
    pub fn fixed(size: usize) -> Self {
        Self { kind: AxisKind::Fixed(size) }
    }

    /// An axis whose size is chosen at run time. Axes of the same name have the same size.
    ///
    /// Every size from 1 up is legal unless [`range`](Self::range) or [`multiple_of`](Self::multiple_of) narrows it;
    /// both ends of its range are always tried.
    pub fn dynamic(name: impl Into<String>) -> Self {
        Self {
            kind: AxisKind::Dynamic(DynamicAxis { name: name.into(), lowest: 1, highest: usize::MAX, multiple_of: 1 }),
        }
    }

    /// The legal sizes of a dynamic axis, such as `1..=512` for a network with 512 positions or `63..` for one whose
    /// convolutions need that many pixels. Without effect on a fixed axis.
    pub fn range(mut self, sizes: impl RangeBounds<usize>) -> Self {
        if let AxisKind::Dynamic(axis) = &mut self.kind {
            axis.lowest = match sizes.start_bound() {
                Bound::Included(size) => *size,
                Bound::Excluded(size) => size.saturating_add(1),
                Bound::Unbounded => 1,
            };
            axis.highest = match sizes.end_bound() {
                Bound::Included(size) => *size,
                Bound::Excluded(size) => size.saturating_sub(1),
                Bound::Unbounded => usize::MAX,
            };
        }
        self
    }

    /// Restricts a dynamic axis to multiples of `factor`, for networks that halve a size and double it again. Without
    /// effect on a fixed axis.
    pub fn multiple_of(mut self, factor: usize) -> Self {
        if let AxisKind::Dynamic(axis) = &mut self.kind {
            axis.multiple_of = factor.max(1);
        }
        self
    }
}

impl From<usize> for Axis {
    fn from(size: usize) -> Self {
        Axis::fixed(size)
    }
}

impl DynamicAxis {
    /// The `index`-th legal size counted from the lowest, or the last one below the highest.
    pub(crate) fn nth(&self, index: usize) -> usize {
        let first = self.lowest.div_ceil(self.multiple_of);
        let last = self.highest / self.multiple_of;
        first.saturating_add(index).min(last).max(first) * self.multiple_of
    }

    /// Whether any size is legal.
    pub(crate) fn is_possible(&self) -> bool {
        self.lowest.div_ceil(self.multiple_of) <= self.highest / self.multiple_of && self.nth(0) > 0
    }

    /// The largest legal size up to `size`, if one is.
    pub(crate) fn at_most(&self, size: usize) -> Option<usize> {
        let largest = size.min(self.highest) / self.multiple_of * self.multiple_of;
        (largest >= self.nth(0)).then_some(largest)
    }

    /// The smallest legal size from `size` on, if one is.
    pub(crate) fn next(&self, size: usize) -> Option<usize> {
        let smallest = size.max(self.lowest).checked_next_multiple_of(self.multiple_of)?;
        (smallest <= self.highest).then_some(smallest)
    }

    /// All legal sizes, if there are `most` at most.
    pub(crate) fn few_sizes(&self, most: usize) -> Option<Vec<usize>> {
        let count = self.highest / self.multiple_of - self.lowest.div_ceil(self.multiple_of);
        (count < most).then(|| (0..=count).map(|index| self.nth(index)).collect())
    }

    /// The sizes to trace at. `position` is the axis's place among the dynamic ones: each has a base of its own, so
    /// that products and sums of axes stay distinguishable.
    pub(crate) fn trace_sizes(&self, position: usize, spread: Spread) -> TraceSizes {
        const BASES: [usize; 8] = [2, 6, 4, 10, 12, 16, 18, 22];
        let (base, neighbours, together) = match spread {
            Spread::Wide => {
                let base = BASES[position % BASES.len()] + 24 * (position / BASES.len());
                (base, 7, [3, 2, 5].map(|step| base + 5 + step * (position + 2)))
            }
            Spread::Narrow => {
                let base = 1 + position % 2;
                (base, 3, [0, 1, 2].map(|turn| base + 1 + (position + turn) % 3))
            }
        };
        let base_size = self.nth(base);
        // Sizes that programs like to branch at, and some that they do not.
        const FAR: [usize; 12] = [16, 32, 64, 100, 128, 256, 512, 1000, 1024, 16_411, 131_101, 1_048_583];
        let ladder = FAR.into_iter().filter_map(|size| self.at_most(size));
        // Neighbours show what is rounded and how; the far ones show what saturates.
        let steps = (neighbours + 1..8).chain([40, 523, 4099]).map(|shift| self.nth(base + shift));
        // Several at the end of the range, where a line that bends before it goes on.
        let ends = (0..3).filter_map(|step| self.at_most(self.highest()?.checked_sub(step * self.multiple_of)?));
        let far = steps.chain(ladder).chain(ends).filter(|size| *size > base_size);
        TraceSizes {
            base: base_size,
            lowest: self.nth(0),
            highest: self.highest(),
            near: (1..=neighbours).map(|shift| self.nth(base + shift)).chain([self.nth(0)]).collect(),
            far: far.collect(),
            far_together: [1021, 523, 61].map(|shift| self.nth(base + shift + 3 * position)),
            together: together.map(|index| self.nth(index)),
        }
    }

    /// The highest legal size, where the axis has one.
    pub(crate) fn highest(&self) -> Option<usize> {
        (self.highest < usize::MAX).then(|| self.highest / self.multiple_of * self.multiple_of)
    }
}

/// How far apart the traces of the axes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// As far as tells every formula from every other at one look.
    Wide,
    /// For inputs that would be too large otherwise.
    Narrow,
}

/// The sizes at which one axis is traced.
pub(crate) struct TraceSizes {
    pub(crate) base: usize,
    pub(crate) lowest: usize,
    /// The end of the range, where it has one.
    pub(crate) highest: Option<usize>,
    /// Sizes tried while every other axis keeps its base.
    pub(crate) near: Vec<usize>,
    /// Such sizes that may be lowered where a recording would be too large.
    pub(crate) far: Vec<usize>,
    /// Sizes of which the first is tried, while every other axis is as far out, that keeps inputs small.
    pub(crate) far_together: [usize; 3],
    /// Sizes tried while every other axis changes too.
    pub(crate) together: [usize; 3],
}

/// `batch = 3, seq = 7`, or `fixed sizes`.
pub(crate) fn describe_sizes(axes: &[String], sizes: &[i64]) -> String {
    if axes.is_empty() {
        return "fixed sizes".to_string();
    }
    axes.iter().zip(sizes).map(|(axis, size)| format!("{axis} = {size}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dynamic(axis: Axis) -> DynamicAxis {
        match axis.kind {
            AxisKind::Dynamic(axis) => axis,
            AxisKind::Fixed(size) => panic!("fixed axis of {size}"),
        }
    }

    #[test]
    fn the_largest_legal_size_is_found() {
        let axis = dynamic(Axis::dynamic("height").range(60..=100).multiple_of(32));
        assert_eq!(
            [63, 64, 95, 96, 500].map(|size| axis.at_most(size)),
            [None, Some(64), Some(64), Some(96), Some(96)]
        );
        assert_eq!([axis.few_sizes(1), axis.few_sizes(2)], [None, Some(vec![64, 96])]);
        let (first, last) = (5, 4);
        assert!(!dynamic(Axis::dynamic("x").range(first..=last)).is_possible());
    }
}
