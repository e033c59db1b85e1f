//! Exact fractions, the coefficients of a [`Dim`](super::Dim).

use std::ops::{Add, Mul, Neg, Sub};

/// A reduced fraction with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ratio {
    numerator: i128,
    denominator: i128,
}

impl Ratio {
    pub const ZERO: Ratio = Ratio::integer(0);
    pub const ONE: Ratio = Ratio::integer(1);

    pub const fn integer(value: i128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    /// `None` if the denominator is zero.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator, denominator) * denominator.signum();
        Some(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    pub fn numerator(self) -> i128 {
        self.numerator
    }

    pub fn denominator(self) -> i128 {
        self.denominator
    }

    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The value, if it is a whole number.
    pub fn to_integer(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }

    /// `None` for zero.
    pub fn recip(self) -> Option<Self> {
        Self::new(self.denominator, self.numerator)
    }

    fn reduced(numerator: i128, denominator: i128) -> Self {
        let divisor = gcd(numerator, denominator).max(1);
        Self { numerator: numerator / divisor, denominator: denominator / divisor }
    }
}

impl Add for Ratio {
    type Output = Ratio;
    fn add(self, rhs: Ratio) -> Ratio {
        Ratio::reduced(
            self.numerator * rhs.denominator + rhs.numerator * self.denominator,
            self.denominator * rhs.denominator,
        )
    }
}

impl Sub for Ratio {
    type Output = Ratio;
    fn sub(self, rhs: Ratio) -> Ratio {
        self + -rhs
    }
}

impl Neg for Ratio {
    type Output = Ratio;
    fn neg(self) -> Ratio {
        Ratio { numerator: -self.numerator, denominator: self.denominator }
    }
}

impl Mul for Ratio {
    type Output = Ratio;
    fn mul(self, rhs: Ratio) -> Ratio {
        Ratio::reduced(self.numerator * rhs.numerator, self.denominator * rhs.denominator)
    }
}

pub fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The one solution of `matrix * x = rhs`, or `None` when there is none or more than one.
///
/// Rows may outnumber the unknowns; every row has to hold exactly.
pub fn solve(matrix: &[Vec<Ratio>], rhs: &[Ratio]) -> Option<Vec<Ratio>> {
    let unknowns = matrix.first()?.len();
    let mut rows: Vec<Vec<Ratio>> =
        matrix.iter().zip(rhs).map(|(row, value)| row.iter().copied().chain([*value]).collect()).collect();
    for column in 0..unknowns {
        let pivot = (column..rows.len()).find(|&row| !rows[row][column].is_zero())?;
        rows.swap(column, pivot);
        let scale = rows[column][column].recip()?;
        for value in &mut rows[column] {
            *value = *value * scale;
        }
        let pivot_row = rows[column].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if index != column && !factor.is_zero() {
                for (value, pivot) in row.iter_mut().zip(&pivot_row) {
                    *value = *value - factor * *pivot;
                }
            }
        }
    }
    let consistent = rows[unknowns..].iter().all(|row| row[unknowns].is_zero());
    consistent.then(|| rows[..unknowns].iter().map(|row| row[unknowns]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_reduced_and_signs_sit_on_top() {
        assert_eq!(Ratio::new(4, -6), Ratio::new(-2, 3));
        assert_eq!(Ratio::new(1, 0), None);
    }

    #[test]
    fn a_line_through_three_points_is_found_and_a_bent_one_refused() {
        let row = |x: i128| vec![Ratio::ONE, Ratio::integer(x)];
        let matrix = [row(1), row(2), row(5)];
        let y = |values: [i128; 3]| values.map(Ratio::integer);
        assert_eq!(solve(&matrix, &y([3, 5, 11])), Some(vec![Ratio::ONE, Ratio::integer(2)]));
        assert_eq!(solve(&matrix, &y([3, 5, 12])), None);
    }
}
