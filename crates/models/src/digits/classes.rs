//! The classes of a data set.

use std::fmt;

/// The labels that a data set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes {
    /// The first one.
    pub first: u8,
    /// How many there are, the first one included; they follow each other.
    pub count: usize,
}

impl Classes {
    /// The ten digits.
    pub const DIGITS: Self = Self { first: 0, count: 10 };

    /// The classes of a data set with these labels, of which there is at least one.
    ///
    /// Labels up to 9 are ten classes, as in MNIST, so that a part of MNIST is not taken for something else. Beyond that the labels go
    /// from 0, or from 1 as those of EMNIST's letters do, to the largest.
    pub fn of(labels: &[u8]) -> Self {
        let (least, most) =
            labels.iter().fold((u8::MAX, 0), |(least, most), &label| (least.min(label), most.max(label)));
        if usize::from(most) < Self::DIGITS.count {
            return Self::DIGITS;
        }
        let first = u8::from(least == 1);
        Self { first, count: usize::from(most - first) + 1 }
    }

    /// The label of each.
    pub(super) fn labels(self) -> impl Iterator<Item = usize> {
        (usize::from(self.first)..).take(self.count)
    }

    /// Which class a label is, from zero.
    pub(super) fn index(self, label: u8) -> Option<u8> {
        label.checked_sub(self.first).filter(|index| usize::from(*index) < self.count)
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.first, usize::from(self.first) + self.count - 1)
    }
}
